"""From audio to a trained model's answer."""

from __future__ import annotations

from functools import partial

from benchmarks.row import Row, Side, close

_FILES = {"clips": 100, "at_once": 10}
_SAME = partial(close, rtol=0.0, atol=0.01)

ROWS = (
    Row(
        name="audio file to answer, one process",
        rival="the reference recipe + Keras",
        wanted=5.0,
        ours=Side("benchmarks.ours.answers", _FILES),
        theirs=(Side("benchmarks.rivals.reference_answers", _FILES),),
        check=_SAME,
        rounds=10,
        note="100 clips, ten a round",
        inputs=lambda inputs: inputs.model(),
    ),
    Row(
        name="one 30 s clip through the exported waveform signature",
        rival="the reference recipe + Keras",
        wanted=3.0,
        ours=Side("benchmarks.ours.waveform"),
        theirs=(Side("benchmarks.rivals.reference_waveform"),),
        check=_SAME,
        rounds=50,
        statistics=("p50", "p99"),
        inputs=lambda inputs: inputs.model(),
    ),
)

"""What a user waits for before anything happens."""

from __future__ import annotations

from benchmarks.inputs import RECIPE
from benchmarks.row import Row, Side, close

_IMPORT = (Side("benchmarks.command", {"arguments": ["-c", "import tensorflow"]}),)
_FIT = [
    RECIPE,
    "--data",
    "{features}",
    "--cache-dir",
    "{folder}/cache",
    "--out",
    "{scratch}/run",
    "--no-export",
]

ROWS = (
    Row(
        name="start-up: fit --help",
        rival="`import tensorflow` alone",
        at_most=0.5,
        ours=Side("benchmarks.command", {"arguments": ["-m", "keras_mir.fit", "--help"]}),
        theirs=_IMPORT,
        check=close,
        rounds=9,
        note="wanted: half a second",
    ),
    Row(
        name="start-up: fit, from command to first step",
        rival="`import tensorflow` alone",
        wanted=1 / 1.5,
        ours=Side("benchmarks.command", {"arguments": _FIT}),
        theirs=_IMPORT,
        check=close,
        rounds=9,
        note="wanted: 1.5 times as long",
        inputs=lambda inputs: inputs.model(),
    ),
    Row(
        name="start-up: first answer of predict",
        rival="`import tensorflow` alone",
        wanted=0.5,
        ours=Side(
            "benchmarks.command", {"arguments": ["-m", "keras_mir.predict", "{clip}", "--model", "{model}"]}
        ),
        theirs=_IMPORT,
        check=close,
        rounds=9,
        note="a whole process, for a clip of 30 s",
        inputs=lambda inputs: inputs.model(),
    ),
)

"""`fit` as a whole process: its time, and its memory as the data grow."""

from __future__ import annotations

from benchmarks.inputs import Inputs
from benchmarks.row import Row, Side, close

EPOCHS = 30
FEW, MANY = 2_000, 20_000

_FIT = ["-m", "keras_mir.fit", "lstm-beat-mel", "--no-export", "--out", "{scratch}/run"]
_OURS = [*_FIT, "--data", "{features}", "--cache-dir", "{folder}/cache", "--epochs", str(EPOCHS)]
_TORCH = ["-m", "benchmarks.rivals.torch_fit", "--out", "{scratch}/run"]
_THEIRS = [*_TORCH, "--data", "{features}", "--epochs", str(EPOCHS)]


def _fit_on(clips: int) -> Side:
    data = ["--data", f"{{folder}}/copies-{clips}", "--cache-dir", f"{{folder}}/cache-{clips}"]
    small = ["--epochs", "1", "--units", "8", "--layers", "1"]
    return Side("benchmarks.command", {"arguments": [*_FIT, *data, *small], "measure": "memory"})


def _torch_on(clips: int) -> Side:
    settings = ["--data", f"{{folder}}/copies-{clips}", "--epochs", "1", "--units", "8"]
    return Side("benchmarks.command", {"arguments": [*_TORCH, *settings], "measure": "memory"})


def _copies(inputs: Inputs) -> None:
    for clips in (FEW, MANY):
        inputs.copies(clips)


ROWS = (
    Row(
        name=f"fit as a whole process, lstm-beat-mel, 300 clips, {EPOCHS} epochs",
        rival="an equivalent PyTorch script",
        wanted=1.1,
        ours=Side("benchmarks.command", {"arguments": [*_OURS, "--early-stopping", str(EPOCHS)]}),
        theirs=(Side("benchmarks.command", {"arguments": _THEIRS}),),
        check=close,
        rounds=5,
        note="both keep the best epoch and write weights, a report and pictures",
        inputs=lambda inputs: inputs.features(),
    ),
    Row(
        name=f"peak memory of fit, {MANY:,} clips",
        rival=f"the same with {FEW:,}",
        wanted=0.91,
        ours=_fit_on(MANY),
        theirs=(_fit_on(FEW),),
        check=close,
        rounds=2,
        unit="MB",
        note="wanted: flat within 10 %",
        inputs=_copies,
    ),
    Row(
        name=f"peak memory of fit, {MANY:,} clips",
        rival="the course's loader in a PyTorch script",
        wanted=1.0,
        ours=_fit_on(MANY),
        theirs=(_torch_on(MANY),),
        check=close,
        rounds=2,
        unit="MB",
        inputs=_copies,
    ),
)

"""Step 7a in a reproduction: digits have no recipe and no report of their own."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from keras_mir.recipes.named import DIGITS
from keras_mir.reproduce import pictures
from keras_mir.reproduce.digits import (
    EPOCHS,
    PICTURED,
    digits_finished,
    load_digits,
    read_digits_result,
    train_digits,
)
from keras_mir.reproduce.failures import attempt
from keras_mir.reproduce.request import ReportFolder, ReproduceRequest
from keras_mir.reproduce.results import Picture, Run
from pipelines.files import write_atomically

__all__ = ["EPOCHS", "SECONDS", "collect", "collect_all", "do", "draw", "names"]

SECONDS = 30.0  # a training takes, at a guess

Save = Callable[[str, Figure, str, str, str], Picture]


def names(request: ReproduceRequest) -> dict[str, int]:
    """The trainings of the step and their seeds."""
    return {f"{DIGITS}-seed{seed}": seed for seed in range(request.seeds)}


def do(name: str, seed: int, request: ReproduceRequest, folder: ReportFolder) -> Run:
    """Train, unless that is done."""
    place, failure = folder.runs / name, _failure(name, folder)
    failure.unlink(missing_ok=True)

    def train() -> None:
        shutil.rmtree(place, ignore_errors=True)
        train_digits(load_digits(Path(request.mnist) if request.mnist else None), seed, place)

    if not digits_finished(place) and (reason := attempt(train, folder.logs / f"{name}.txt")):
        write_atomically(failure, (json.dumps({"reason": reason}) + "\n").encode())
    return collect(name, seed, request, folder)


def collect(name: str, seed: int, request: ReproduceRequest, folder: ReportFolder) -> Run:
    """What is known of a training."""
    place = folder.runs / name
    run = Run(
        name=name,
        recipe=DIGITS,
        settings="report",
        variant="digits",
        target="",
        seed=seed,
        command=_command(request),
        folder=str(place.relative_to(folder.path)),
        status="waiting",
    )
    if digits_finished(place):
        result = read_digits_result(place)
        facts = {"accuracy": result.accuracy, "test images": result.n_test, "data": result.dataset}
        return replace(run, status="done", history=result.history, seconds=result.seconds, facts=facts)
    if _failure(name, folder).exists():
        reason = json.loads(_failure(name, folder).read_text(encoding="utf-8"))["reason"]
        return replace(run, status="failed", reason=reason)
    return run


def collect_all(request: ReproduceRequest, folder: ReportFolder) -> tuple[Run, ...]:
    return tuple(collect(name, seed, request, folder) for name, seed in names(request).items())


def draw(runs: Sequence[Run], folder: ReportFolder, save: Save) -> list[Picture]:
    """What the first finished training's layers make of a digit, and its learning curves."""
    if not runs:
        return []
    run = runs[0]
    result = read_digits_result(folder.path / run.folder)
    layers = pictures.digit_layers(result.image, result.hidden, result.probabilities, PICTURED)
    curves = pictures.curves_over_seeds(
        [one.history for one in runs],
        "accuracy",
        stops=[_stop(one) for one in runs],
        bests=[result.best_epoch] if len(runs) == 1 else [None] * len(runs),
        title=f"{result.dataset}",
    )
    caption = f'What each layer of the digits CNN makes of a "{PICTURED}" of {result.dataset}'
    return [
        save("7a-layers", layers, caption, "Fig 10", run.command),
        save("7a-curves", curves, f"Learning curves of the digits CNN on {result.dataset}", "", run.command),
    ]


def _stop(run: Run) -> int | None:
    """Index of the epoch after which early stopping ended the training."""
    epochs = len(run.history["loss"])
    return epochs - 1 if epochs < EPOCHS else None


def _command(request: ReproduceRequest) -> str:
    words = ["python", "-m", "keras_mir.reproduce", "--only", "7a", "--seeds", str(request.seeds)]
    words += ["--mnist", request.mnist] if request.mnist else []
    return shlex.join([*words, "--out", "DIGITS"])


def _failure(name: str, folder: ReportFolder) -> Path:
    return folder.logs / f"{name}.failure.json"

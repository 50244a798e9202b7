"""The report's steps, and the trainings each of them takes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras_mir.recipes.named import named_recipe
from keras_mir.recipes.recipe import Recipe
from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.request import ReproduceRequest
from keras_mir.reproduce.results import Settings
from pipelines.errors import UserError

# A trial: enough to see everything run, too little to judge by.
QUICK_EPOCHS = 2
QUICK_OVERFIT_EPOCHS = 60
QUICK_FRAMES = 96
QUICK_CLIPS = 48  # at most, in each part of the split
# Of the synthetic corpus likewise, and six seconds of each: the report's settings are slow on two cores.
BUILT_IN_CLIPS, BUILT_IN_FRAMES = 96, 258


@dataclass(frozen=True)
class Step:
    """A step of the report.

    Attributes:
        id: As the report numbers it.
        title: What is done.
        needs: Steps whose trainings it builds on.
    """

    id: str
    title: str
    needs: tuple[str, ...] = ()


STEPS = (
    Step("1", "Mel spectrograms of two clips of different genre"),
    Step("2", "The same, beat-synchronous"),
    Step("3", "Chromagrams, and beat-synchronous chromagrams"),
    Step("4", "Clips by class, before and after the class mapping"),
    Step("5a", "Overfit check: can the LSTM memorise four batches?"),
    Step("5b", "LSTMs on four inputs, for a fixed number of epochs"),
    Step("5c", "Larger LSTMs on four inputs, with early stopping"),
    Step("6", "What the LSTMs of 5c are worth, class by class", needs=("5c",)),
    Step("7a", "A small CNN on handwritten digits, and what its layers do"),
    Step("7b", "Genre by a CNN on mel"),
    Step("8", "Affect regression, one model a target: LSTM and CNN"),
    Step("9", "Transfer: a new head on the genre CNN's frozen layers", needs=("7b",)),
    Step("10", "Multitask: one CNN, a head a target"),
    Step("11", "Submission: a larger multitask CNN on the test clips"),
)


@dataclass(frozen=True)
class Variant:
    """A training that a step takes, for every seed.

    Attributes:
        name: What both settings of it have in common; see `results.Run`.
        report: Recipe with the report's settings; empty where it has none.
        ours: Our variant; empty where there is none.
        per_target: Whether each target has a model of its own.
        backbone: The variant of step 7b whose layers it builds on.
    """

    name: str
    report: str
    ours: str
    per_target: bool = False
    backbone: str = ""


VARIANTS: dict[str, tuple[Variant, ...]] = {
    "5a": (Variant("overfit", "report-5a-overfit", ""),),
    "5b": (
        Variant("mel", "report-5b-mel", ""),
        Variant("beat-mel", "report-5b-beat-mel", ""),
        Variant("beat-chroma", "report-5b-beat-chroma", ""),
        Variant("beat-fused", "report-5b-beat-fused", ""),
    ),
    "5c": (
        Variant("mel", "report-5c-mel", "lstm-mel"),
        Variant("beat-mel", "report-5c-beat-mel", "lstm-beat-mel"),
        Variant("beat-chroma", "report-5c-beat-chroma", "lstm-beat-chroma"),
        Variant("beat-fused", "report-5c-beat-fused", "lstm-beat-fused"),
    ),
    "7b": (Variant("cnn", "report-7b-cnn", "cnn-beat-mel"),),
    "8": (
        Variant("lstm", "report-8-lstm", "affect-lstm", per_target=True),
        Variant("cnn", "report-8-cnn", "affect-cnn-beat-mel", per_target=True),
    ),
    "9": (Variant("transfer", "report-9-transfer", "transfer-cnn-beat-mel", backbone="cnn"),),
    "10": (Variant("multitask", "report-10-multitask", "multitask-cnn-beat-mel"),),
    "11": (Variant("multitask-large", "report-11-multitask", "multitask-large-beat-mel"),),
}


@dataclass(frozen=True)
class Planned:
    """One training to do; see `results.Run` for what the names mean.

    Attributes:
        changes: Settings that differ from the named recipe's.
        recipe: The recipe with them.
        command: What repeats the training.
    """

    name: str
    step: str
    settings: Settings
    variant: str
    target: str
    seed: int
    changes: dict[str, Any]
    recipe: Recipe
    command: str


def steps_asked(only: Sequence[str]) -> tuple[Step, ...]:
    """The named steps, or all, and those they need, in the report's order.

    Raises:
        UserError: If there is no step of that name.
    """
    known = {step.id: step for step in STEPS}
    for name in only:
        if name not in known:
            raise UserError(f"--only {name}: no such experiment; there are {', '.join(known)}")
    wanted = {name: None for asked in only or known for name in (asked, *known[asked].needs)}
    return tuple(step for step in STEPS if step.id in wanted)


def plan(step: Step, request: ReproduceRequest, dataset: DataSet) -> list[Planned]:
    """The trainings of a step: its variants, in both settings, for every target and seed."""
    planned = []
    for settings in request.settings_used:
        for variant in VARIANTS.get(step.id, ()):
            name = variant.report if settings == "report" else variant.ours
            targets = _targets(step, variant, dataset)
            for target in targets if name else ():
                for seed in range(1 if step.id == "5a" else request.seeds):
                    planned.append(_planned(step, variant, settings, name, target, seed, request, dataset))
    return planned


def _targets(step: Step, variant: Variant, dataset: DataSet) -> tuple[str, ...]:
    if variant.per_target:
        return dataset.targets
    return (dataset.transfer_target,) if step.id == "9" else ("",)


def _planned(
    step: Step,
    variant: Variant,
    settings: Settings,
    name: str,
    target: str,
    seed: int,
    request: ReproduceRequest,
    dataset: DataSet,
) -> Planned:
    recipe = named_recipe(name)
    changes: dict[str, Any] = {}
    if recipe.split.split != dataset.split:
        changes["split"] = dataset.split
    if recipe.task.task == "genre":
        if dataset.classes != "auto":
            changes["classes"] = dataset.classes
    else:
        changes["targets"] = (target,) if target else dataset.targets
    if variant.backbone:
        changes["backbone"] = str(_backbone(variant, settings, seed, request))
    changes |= _frames(recipe, request, dataset)
    if request.quick:
        checked = recipe.train.overfit_batches > 0
        changes["epochs"] = QUICK_OVERFIT_EPOCHS if checked else QUICK_EPOCHS
    if limit := request.limit or (QUICK_CLIPS if request.quick else 0 if request.data else BUILT_IN_CLIPS):
        changes["limit"] = limit
    run = "-".join([name, *([target] if variant.per_target else []), f"seed{seed}"])
    return Planned(
        name=run,
        step=step.id,
        settings=settings,
        variant=variant.name,
        target=target,
        seed=seed,
        changes=changes,
        recipe=recipe.with_settings(changes),
        command=_command(name, changes, seed, request),
    )


def _backbone(variant: Variant, settings: Settings, seed: int, request: ReproduceRequest) -> Any:
    genre = next(other for other in VARIANTS["7b"] if other.name == variant.backbone)
    name = genre.report if settings == "report" else genre.ours
    return request.folder / "runs" / f"{name}-seed{seed}"


def _frames(recipe: Recipe, request: ReproduceRequest, dataset: DataSet) -> dict[str, Any]:
    """Where full spectrograms are cut: as asked, or nowhere, all to one length."""
    if recipe.input.sync == "beat":
        return {}
    unasked = QUICK_FRAMES if request.quick else 0 if request.data else BUILT_IN_FRAMES
    frames = request.frames or min(unasked, dataset.frames)
    if not frames and isinstance(recipe.input.frames, int):
        frames = dataset.frames  # the backbone of step 9 and what is built on it must agree
    return {} if frames in (0, recipe.input.frames) else {"frames": frames}


def _command(name: str, changes: dict[str, Any], seed: int, request: ReproduceRequest) -> str:
    words = ["python", "-m", "keras_mir.fit", name]
    for option in ("data", "labels"):
        if getattr(request, option):
            words += [f"--{option}", getattr(request, option)]
    for setting, value in changes.items():
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        words += [f"--{setting.replace('_', '-')}", text]
    if request.skip_bad:
        words.append("--skip-bad")
    words += ["--seed", str(seed), "--cache-dir", str(request.cache), "--no-export"]
    return shlex.join(words)

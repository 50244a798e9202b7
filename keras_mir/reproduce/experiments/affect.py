"""Experiments 8, 9 and 10: affect, one model a target, by transfer, and several targets at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from keras_mir.reproduce import paper, scores
from keras_mir.reproduce.comparisons import Question, Side
from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.experiments.base import (
    Earlier,
    Experiment,
    Outcomes,
    Runs,
    Setup,
    Variant,
    run_name,
)
from keras_mir.reproduce.experiments.genre import CNN
from keras_mir.reproduce.results import Picture, Run, Settings, Table
from keras_mir.reproduce.tables import affect_table


@dataclass(frozen=True)
class Affect(Experiment):
    """Trainings that learn affect, and a table of their correlations, a row a variant.

    Attributes:
        table: Its number and title; none for no table.
    """

    table: tuple[str, str] | None = None

    def learnt(self, outcomes: Outcomes) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return scores.targets_of(run for one in outcomes for run in one.runs), paper.TARGETS

    def tables(self, outcomes: Outcomes, settings: Settings, why_not: str) -> Iterator[Table]:
        found = {variant.label: self.runs(outcomes, variant.name, settings) for variant in self.variants}
        models = {label: runs for label, runs in found.items() if runs}
        if self.table and models:
            yield affect_table(*self.table, settings, models, why_not)


class OneModelATarget(Affect):
    """An LSTM and a CNN for each target."""

    def questions(self, outcomes: Outcomes, settings: Settings) -> Iterator[Question]:
        lstm, cnn = (self.runs(outcomes, name, settings) for name in ("lstm", "cnn"))
        targets = scores.targets_of(cnn)
        first, second = Side.of_affect("the CNN", cnn, targets), Side.of_affect("the LSTM", lstm, targets)
        yield Question("Does the CNN beat the LSTM in affect?", _metric(targets), first, second)


class Transfer(Affect):
    """One target, by a new head on the genre CNN of the same seed and settings."""

    def targets(self, variant: Variant, dataset: DataSet) -> tuple[str, ...]:
        return (dataset.transfer_target,)

    def changes(self, setup: Setup, settings: Settings, seed: int) -> dict[str, Any]:
        recipe = getattr(CNN.variants[0], settings)
        return {"backbone": str(setup.asked.folder / "runs" / run_name(recipe, seed))}

    def learnt(self, outcomes: Outcomes) -> tuple[tuple[str, ...], tuple[str, ...]]:
        runs = [run for one in outcomes if one.id == self.id for run in one.runs]
        return scores.targets_of(runs), ("energy",)

    def notes(self, dataset: DataSet) -> Iterator[str]:
        if dataset.transfer_target not in ("", "energy"):
            yield f"The data set has no energy; {dataset.transfer_target} takes its place."

    def questions(self, outcomes: Outcomes, settings: Settings) -> Iterator[Question]:
        runs = self.runs(outcomes, "transfer", settings)
        for target in scores.targets_of(runs)[:1]:
            cnn = ONE_MODEL_A_TARGET.runs(outcomes, "cnn", settings)
            yield Question(
                f"Does transfer come near a CNN trained on {target} itself?",
                f"Spearman correlation of {target}",
                Side.of_affect("transfer", runs, [target]),
                Side.of_affect("the CNN", cnn, [target]),
                "near",
            )


class Multitask(Affect):
    """All targets at once, beside one model a target."""

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        yield from super().pictures(setup, runs, earlier)
        if before := earlier.get(ONE_MODEL_A_TARGET.id):
            recipes: dict[str, list[Run]] = {}
            for run in scores.finished([*before.runs, *runs]):
                recipes.setdefault(run.recipe, []).append(run)
            targets = setup.dataset.targets
            found = {name: list(scores.correlations(group, targets)) for name, group in recipes.items()}
            yield from self.score_picture(setup, found, "mean Spearman correlation")

    def questions(self, outcomes: Outcomes, settings: Settings) -> Iterator[Question]:
        cnn = ONE_MODEL_A_TARGET.runs(outcomes, "cnn", settings)
        targets = scores.targets_of(cnn)
        runs = self.runs(outcomes, "multitask", settings)
        first = Side.of_affect("the multitask CNN", runs, targets)
        second = Side.of_affect("one CNN a target", cnn, targets)
        yield Question("Does multitask beat one model a target?", _metric(targets), first, second)


def _metric(targets: Sequence[str]) -> str:
    return "mean Spearman correlation" if len(targets) > 1 else "Spearman correlation"


ONE_MODEL_A_TARGET = OneModelATarget(
    "8",
    "Affect regression, one model a target: LSTM and CNN",
    labels=("affect",),
    variants=(
        Variant("lstm", "paper-8-lstm", "affect-lstm", "LSTM", results="Fig 15", per_target=True),
        Variant("cnn", "paper-8-cnn", "affect-cnn-beat-mel", "CNN", results="Fig 16", per_target=True),
    ),
    table=("6", "Spearman correlation, one model a target"),
)
TRANSFER = Transfer(
    "9",
    "Transfer: a new head on the genre CNN's frozen layers",
    labels=("affect", "genre"),
    variants=(Variant("transfer", "paper-9-transfer", "transfer-cnn-beat-mel", "transfer", curves="Fig 17"),),
    needs=(CNN.id,),
)
MULTITASK = Multitask(
    "10",
    "Multitask: one CNN, a head a target",
    labels=("affect",),
    variants=(Variant("multitask", "paper-10-multitask", "multitask-cnn-beat-mel", "multitask CNN"),),
    table=("7", "Spearman correlation, one model for all targets"),
)

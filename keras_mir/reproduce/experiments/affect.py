"""Experiments 8, 9 and 10: affect, one model per target, by transfer, and several targets at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keras_mir.reproduce import paper, scores
from keras_mir.reproduce.comparisons import Question, Side
from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.experiments.base import Earlier, Experiment, Outcomes, Runs, Setup, Variant
from keras_mir.reproduce.experiments.genre import CNN
from keras_mir.reproduce.results import Picture, Run, Settings, Table
from keras_mir.reproduce.tables import affect_table
from pipelines.datasets.base import Task


@dataclass(frozen=True)
class Affect(Experiment):
    """Trainings that learn affect, and a table of their correlations, a row a variant.

    Attributes:
        table: Its number and title; none for no table.
    """

    labels: tuple[Task, ...] = ("affect",)
    paper_targets: tuple[str, ...] = paper.TARGETS
    table: tuple[str, str] | None = None

    def tables(self, outcomes: Outcomes, settings: Settings, why_not: str) -> Iterator[Table]:
        found = {
            variant.label: scores.runs_of(outcomes, self.id, variant.name, settings)
            for variant in self.variants
        }
        models = {label: runs for label, runs in found.items() if runs}
        if self.table and models:
            yield affect_table(*self.table, settings, models, why_not)


class Transfer(Affect):
    """One target, by a new head on the genre CNN of the same seed and settings."""

    def targets(self, variant: Variant, dataset: DataSet) -> tuple[str, ...]:
        return (dataset.transfer_target,)

    def notes(self, dataset: DataSet) -> Iterator[str]:
        if dataset.transfer_target not in ("", "energy"):
            yield f"The data set has no energy; {dataset.transfer_target} takes its place."


class Multitask(Affect):
    """All targets at once, beside one model per target."""

    def pictures(self, setup: Setup, runs: Runs, earlier: Earlier) -> Iterator[Picture]:
        yield from super().pictures(setup, runs, earlier)
        if before := earlier.get(ONE_MODEL_A_TARGET.id):
            recipes: dict[str, list[Run]] = {}
            for run in scores.finished([*before.runs, *runs]):
                recipes.setdefault(run.recipe, []).append(run)
            targets = setup.dataset.targets
            found = {name: list(scores.correlations(group, targets)) for name, group in recipes.items()}
            yield from self.score_picture(setup, found, "mean Spearman correlation")


_LSTM, _CNN = Side("the LSTM", "8", "lstm"), Side("the CNN", "8", "cnn")
_ONE_EACH = Side("one CNN per target", "8", "cnn")
_TRANSFER, _MULTITASK = Side("transfer", "9", "transfer"), Side("the multitask CNN", "10", "multitask")

ONE_MODEL_A_TARGET = Affect(
    "8",
    "Affect regression, one model per target: LSTM and CNN",
    variants=(
        Variant("lstm", "paper-8-lstm", "affect-lstm", "LSTM", results="Fig 15", per_target=True),
        Variant("cnn", "paper-8-cnn", "affect-cnn-beat-mel", "CNN", results="Fig 16", per_target=True),
    ),
    questions=(Question("Does the CNN beat the LSTM in affect?", _CNN, (_LSTM,)),),
    table=("6", "Spearman correlation, one model per target"),
)
TRANSFER = Transfer(
    "9",
    "Transfer: a new head on the genre CNN's frozen layers",
    labels=("affect", "genre"),
    variants=(
        Variant(
            "transfer",
            "paper-9-transfer",
            "transfer-cnn-beat-mel",
            "transfer",
            curves="Fig 17",
            backbone=CNN.variants[0],
        ),
    ),
    needs=(CNN.id,),
    questions=(
        Question("Does transfer come near a CNN trained on {target} itself?", _TRANSFER, (_CNN,), "near"),
    ),
    paper_targets=("energy",),
)
MULTITASK = Multitask(
    "10",
    "Multitask: one CNN, a head per target",
    variants=(Variant("multitask", "paper-10-multitask", "multitask-cnn-beat-mel", "multitask CNN"),),
    questions=(Question("Does multitask beat one model per target?", _MULTITASK, (_ONE_EACH,)),),
    table=("7", "Spearman correlation, one model for all targets"),
)

"""A model's answers held against the labels of clips: scores, pictures, and how far it is ahead of others."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_mir.evaluate import figures
from keras_mir.evaluate.metrics import (
    accuracy_difference,
    affect_scores,
    genre_scores,
    predicted_classes,
    reliability,
    spearman_difference,
)
from keras_mir.evaluate.tag_metrics import given_tags, roc_auc_difference, tag_scores
from keras_mir.models.report import (
    AffectScores,
    Bootstrap,
    GenreScores,
    Interval,
    MultitaskScores,
    Scores,
    TagScores,
    Thresholds,
)
from pipelines.datasets.base import GENRE, TAGS, Task
from pipelines.figures import save


@dataclass(frozen=True)
class Evaluation(ABC):
    """How well a model answers: with one head, or with several.

    Attributes:
        scores: Scores of what it learnt.
    """

    scores: Scores

    @property
    @abstractmethod
    def heads(self) -> dict[Task, HeadEvaluation]:
        """How well each head answers."""

    @abstractmethod
    def pictures(self) -> dict[str, Figure]:
        """Pictures by the names of their files."""

    def save_figures(self, folder: Path) -> None:
        """Write the pictures, PNG files, into a folder."""
        for name, figure in self.pictures().items():
            save(figure, folder / name)


@dataclass(frozen=True)
class HeadEvaluation(Evaluation):
    """How well one head answers.

    Attributes:
        task: What it learnt.
        rows: Positions of the clips that have labels for it among all evaluated ones, `(n,)`.
        true: Their labels by output name, `(n,)`, of tags `(n, n_tags)`.
        predicted: Class indices, values, or tags as 0 and 1, by output name, likewise.
    """

    task: ClassVar[Task]
    rows: np.ndarray
    true: Mapping[str, np.ndarray]
    predicted: Mapping[str, np.ndarray]

    @property
    def heads(self) -> dict[Task, HeadEvaluation]:
        return {self.task: self}

    @abstractmethod
    def difference(self, other: Any) -> Interval:
        """The main score less that of other answers for the same clips, by a paired bootstrap."""


@dataclass(frozen=True)
class MultitaskEvaluation(Evaluation):
    """How well several heads answer.

    Attributes:
        parts: Evaluation of each.
    """

    scores: MultitaskScores
    parts: Mapping[Task, HeadEvaluation]

    @property
    def heads(self) -> dict[Task, HeadEvaluation]:
        return dict(self.parts)

    def pictures(self) -> dict[str, Figure]:
        return {name: picture for part in self.parts.values() for name, picture in part.pictures().items()}


@dataclass(frozen=True)
class GenreEvaluation(HeadEvaluation):
    """How well a model tells genres.

    Attributes:
        probabilities: Probabilities of the classes, `(n, n_classes)`.
    """

    task = "genre"
    scores: GenreScores
    probabilities: np.ndarray

    def difference(self, other: GenreEvaluation) -> Interval:
        true, predicted = self.true[GENRE], self.predicted[GENRE]
        return accuracy_difference(true, predicted, other.predicted[GENRE], self.scores.bootstrap)

    def pictures(self) -> dict[str, Figure]:
        found = reliability(self.true[GENRE], self.probabilities)
        return {
            "confusion_matrix.png": figures.confusion_matrix(
                self.scores.confusion_matrix, self.scores.class_names
            ),
            "reliability.png": figures.reliability(found),
        }


@dataclass(frozen=True)
class AffectEvaluation(HeadEvaluation):
    """How well a model rates affect."""

    task = "affect"
    scores: AffectScores

    def difference(self, other: AffectEvaluation) -> Interval:
        return spearman_difference(self.true, self.predicted, other.predicted, self.scores.bootstrap)

    def pictures(self) -> dict[str, Figure]:
        return {"scatter.png": figures.scatters(self.true, self.predicted)}


@dataclass(frozen=True)
class TagsEvaluation(HeadEvaluation):
    """How well a model gives clips their tags.

    Attributes:
        probabilities: Probabilities of the tags, `(n, n_tags)`.
    """

    task = "tags"
    scores: TagScores
    probabilities: np.ndarray

    def difference(self, other: TagsEvaluation) -> Interval:
        return roc_auc_difference(
            self.true[TAGS], self.probabilities, other.probabilities, self.scores.bootstrap
        )

    def pictures(self) -> dict[str, Figure]:
        return {
            "tags.png": figures.tag_areas(self.scores),
            "precision_recall.png": figures.precision_recall(
                self.scores, self.true[TAGS], self.probabilities
            ),
        }


def compare_with_labels(
    labels: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    classes: Sequence[str],
    targets: Sequence[str],
    seed: int,
    thresholds: Thresholds | None = None,
    rows: Callable[[str], np.ndarray] | None = None,
) -> Evaluation:
    """Compare a model's outputs with the labels.

    Args:
        labels: Class indices `(n,)` as `"genre"`, 0 and 1 `(n, n_tags)` as `"tags"`, or values `(n,)` by
            target.
        outputs: Probabilities `(n, n_classes)` as `"genre"` or `(n, n_tags)` as `"tags"`, or values
            `(n, 1)` or `(n,)` by target.
        classes: Class names in index order; empty if there are no genres.
        targets: Affect targets; empty if there are none.
        seed: Seed of the confidence intervals.
        thresholds: Thresholds of the tags, in index order; None if there are none.
        rows: Positions of the clips that have a label for an output; by default all.

    Raises:
        UserError: If an output is not finite.
    """
    bootstrap = Bootstrap(seed)
    rows_of = rows or (lambda output: np.arange(len(labels[output])))
    heads: dict[Task, HeadEvaluation] = {}
    if classes:
        known = rows_of(GENRE)
        index, probabilities = np.asarray(labels[GENRE])[known], np.asarray(outputs[GENRE])[known]
        predicted = predicted_classes(probabilities)
        genre = dataclasses.replace(
            genre_scores(index, predicted, classes, bootstrap),
            expected_calibration_error=reliability(index, probabilities).error,
        )
        heads["genre"] = GenreEvaluation(genre, known, {GENRE: index}, {GENRE: predicted}, probabilities)
    if thresholds:
        known = rows_of(TAGS)
        has, shares = np.asarray(labels[TAGS])[known].astype(np.int64), np.asarray(outputs[TAGS])[known]
        tags = tag_scores(has, shares, thresholds, bootstrap)
        given = given_tags(shares, thresholds)
        heads["tags"] = TagsEvaluation(tags, known, {TAGS: has}, {TAGS: given}, shares)
    if targets:
        known = rows_of(targets[0])  # a clip has all of them or none
        true = {name: np.asarray(labels[name])[known] for name in targets}
        values = {name: np.reshape(outputs[name], -1)[known] for name in targets}
        affect = affect_scores(true, values, bootstrap)
        heads["affect"] = AffectEvaluation(affect, known, true, values)
    if len(heads) == 1:
        return next(iter(heads.values()))
    scores: dict[str, Any] = {task: head.scores for task, head in heads.items()}
    return MultitaskEvaluation(MultitaskScores(**scores), heads)

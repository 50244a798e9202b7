"""A model's answers held against the labels of clips: scores, pictures, and how far it is ahead of others."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    Scores,
    TagScores,
    Thresholds,
)
from pipelines.datasets.base import GENRE, TAGS


@dataclass(frozen=True)
class Evaluation(ABC):
    """How well a model answers.

    Attributes:
        scores: Of its task.
        true: Labels by output name, `(n,)`, of tags `(n, n_tags)`.
        predicted: Class indices, values, or tags as 0 and 1, by output name, likewise.
    """

    scores: Scores
    true: Mapping[str, np.ndarray]
    predicted: Mapping[str, np.ndarray]

    @abstractmethod
    def difference(self, other: Any) -> Interval:
        """The main score less that of other answers for the same clips, by a paired bootstrap."""

    @abstractmethod
    def pictures(self) -> dict[str, Figure]:
        """Pictures by the names of their files."""

    def save_figures(self, folder: Path) -> None:
        """Write the pictures, PNG files, into a folder."""
        for name, figure in self.pictures().items():
            figures.save(figure, folder / name)


@dataclass(frozen=True)
class GenreEvaluation(Evaluation):
    """How well a model tells genres.

    Attributes:
        probabilities: Of the classes, `(n, n_classes)`.
    """

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
class AffectEvaluation(Evaluation):
    """How well a model rates affect."""

    scores: AffectScores

    def difference(self, other: AffectEvaluation) -> Interval:
        return spearman_difference(self.true, self.predicted, other.predicted, self.scores.bootstrap)

    def pictures(self) -> dict[str, Figure]:
        return {"scatter.png": figures.scatters(self.true, self.predicted)}


@dataclass(frozen=True)
class TagsEvaluation(Evaluation):
    """How well a model gives clips their tags.

    Attributes:
        probabilities: Of the tags, `(n, n_tags)`.
    """

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
) -> Evaluation:
    """Compare a model's outputs with the labels.

    Args:
        labels: Class indices `(n,)` as `"genre"`, 0 and 1 `(n, n_tags)` as `"tags"`, or values `(n,)` by
            target.
        outputs: Probabilities `(n, n_classes)` as `"genre"` or `(n, n_tags)` as `"tags"`, or values
            `(n, 1)` or `(n,)` by target.
        classes: Class names in index order; empty for another task.
        targets: Affect targets; empty for another task.
        seed: Of the confidence intervals.
        thresholds: Of the tags, in index order; None for another task.

    Raises:
        UserError: If an output is not finite.
    """
    bootstrap = Bootstrap(seed)
    if classes:
        index, probabilities = np.asarray(labels[GENRE]), np.asarray(outputs[GENRE])
        predicted = predicted_classes(probabilities)
        genre = dataclasses.replace(
            genre_scores(index, predicted, classes, bootstrap),
            expected_calibration_error=reliability(index, probabilities).error,
        )
        return GenreEvaluation(genre, {GENRE: index}, {GENRE: predicted}, probabilities)
    if thresholds:
        has, probabilities = np.asarray(labels[TAGS]).astype(np.int64), np.asarray(outputs[TAGS])
        tags = tag_scores(has, probabilities, thresholds, bootstrap)
        return TagsEvaluation(tags, {TAGS: has}, {TAGS: given_tags(probabilities, thresholds)}, probabilities)
    true = {name: np.asarray(labels[name]) for name in targets}
    values = {name: np.reshape(outputs[name], -1) for name in targets}
    return AffectEvaluation(affect_scores(true, values, bootstrap), true, values)

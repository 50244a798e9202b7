"""A model's answers held against the labels of clips: scores, pictures, and how far it is ahead of others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_mir.evaluate import figures
from keras_mir.evaluate.metrics import (
    accuracy_difference,
    affect_scores,
    genre_scores,
    predicted_classes,
    reliability,
    spearman_difference,
)
from keras_mir.models.report import AffectScores, Bootstrap, GenreScores, Interval
from pipelines.datasets.base import GENRE


@dataclass(frozen=True)
class Evaluation:
    """How well a model answers.

    Attributes:
        scores: Of the genre task, or of the affect task.
        true: Labels by output name, `(n,)`.
        predicted: Class indices or values by output name, `(n,)`.
        probabilities: Of the classes, `(n, n_classes)`; None for the affect task.
    """

    scores: GenreScores | AffectScores
    true: Mapping[str, np.ndarray]
    predicted: Mapping[str, np.ndarray]
    probabilities: np.ndarray | None = None

    def difference(self, other: Evaluation) -> Interval:
        """The main score less that of other answers for the same clips, by a paired bootstrap."""
        bootstrap = self.scores.bootstrap
        if isinstance(self.scores, GenreScores):
            true, predicted = self.true[GENRE], self.predicted[GENRE]
            return accuracy_difference(true, predicted, other.predicted[GENRE], bootstrap)
        return spearman_difference(self.true, self.predicted, other.predicted, bootstrap)

    def save_figures(self, folder: Path) -> None:
        """Write `confusion_matrix.png` and `reliability.png`, or `scatter.png`."""
        if isinstance(self.scores, GenreScores):
            figure = figures.confusion_matrix(self.scores.confusion_matrix, self.scores.class_names)
            figures.save(figure, folder / "confusion_matrix.png")
            found = reliability(self.true[GENRE], np.asarray(self.probabilities))
            figures.save(figures.reliability(found), folder / "reliability.png")
        else:
            figures.save(figures.scatters(self.true, self.predicted), folder / "scatter.png")


def compare_with_labels(
    labels: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    classes: Sequence[str],
    targets: Sequence[str],
    seed: int,
) -> Evaluation:
    """Compare a model's outputs with the labels.

    Args:
        labels: Class indices `(n,)` as `"genre"`, or values `(n,)` by target.
        outputs: Probabilities `(n, n_classes)` as `"genre"`, or values `(n, 1)` or
            `(n,)` by target.
        classes: Class names in index order; empty for affect.
        targets: Affect targets; empty for genre.
        seed: Of the confidence intervals.

    Raises:
        UserError: If an output is not finite.
    """
    if classes:
        index, probabilities = np.asarray(labels[GENRE]), outputs[GENRE]
        predicted = predicted_classes(probabilities)
        scores = dataclasses.replace(
            genre_scores(index, predicted, classes, Bootstrap(seed)),
            expected_calibration_error=reliability(index, probabilities).error,
        )
        return Evaluation(scores, {GENRE: index}, {GENRE: predicted}, probabilities)
    true = {name: np.asarray(labels[name]) for name in targets}
    values = {name: np.reshape(outputs[name], -1) for name in targets}
    return Evaluation(affect_scores(true, values, Bootstrap(seed)), true, values)

"""Judge answers against labels: metrics, report and pictures in one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keras_mir.evaluate import figures
from keras_mir.evaluate.metrics import (
    ClassificationMetrics,
    RegressionMetrics,
    classification_metrics,
    predicted_classes,
    regression_metrics,
)
from keras_mir.models.report import ReportContext, build_report
from pipelines.datasets.base import GENRE


@dataclass(frozen=True)
class Judgement:
    """How well a model answers.

    Attributes:
        metrics: Of the genre task, or of the affect task.
        classes: Class names; empty for affect.
        true: Labels by output name, `(n,)`.
        predicted: Class indices or values by output name, `(n,)`.
    """

    metrics: ClassificationMetrics | RegressionMetrics
    classes: tuple[str, ...]
    true: Mapping[str, np.ndarray]
    predicted: Mapping[str, np.ndarray]

    def report(self, context: ReportContext) -> dict[str, Any]:
        """The report's content; see `keras_mir.models.report`."""
        return build_report(task=self.task, metrics=self.metrics, context=context)

    @property
    def task(self) -> Literal["genre", "affect"]:
        return "genre" if self.classes else "affect"

    def save_figures(self, folder: Path) -> None:
        """Write `confusion_matrix.png`, or `scatter.png`."""
        if isinstance(self.metrics, ClassificationMetrics):
            figure = figures.confusion_matrix(self.metrics.confusion_matrix, self.classes)
            figures.save(figure, folder / "confusion_matrix.png")
        else:
            figures.save(figures.scatters(self.true, self.predicted), folder / "scatter.png")


def judge(
    labels: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    classes: Sequence[str],
    targets: Sequence[str],
    seed: int,
) -> Judgement:
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
        true = {GENRE: np.asarray(labels[GENRE])}
        predicted = {GENRE: predicted_classes(outputs[GENRE])}
        metrics: ClassificationMetrics | RegressionMetrics = classification_metrics(
            true[GENRE], predicted[GENRE], classes, seed=seed
        )
    else:
        true = {name: np.asarray(labels[name]) for name in targets}
        predicted = {name: np.reshape(outputs[name], -1) for name in targets}
        metrics = regression_metrics(true, predicted, seed=seed)
    return Judgement(metrics, tuple(classes), true, predicted)

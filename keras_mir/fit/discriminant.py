"""A genre head that is solved instead of learnt, where clips are few.

Classes with one covariance have a linear border, which their means and that covariance give at once. The
few clips that a pretrained network is asked about, each of thousands of values, tell these better than they
tell a border alone: A. Ng and M. Jordan, "On discriminative vs. generative classifiers", NIPS 2001.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from scipy.linalg import solve
from scipy.special import softmax
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from keras_mir.evaluate.calibration import fit_temperature
from keras_mir.models.answers import predict_source
from keras_mir.models.heads import LOGITS
from pipelines.datasets.base import GENRE
from pipelines.datasets.splits import fold_numbers
from pipelines.errors import ArgumentError
from pipelines.source import Source
from pipelines.wording import counted

_FOLDS = 5
_LEAST_VARIANCE = 1e-6  # within classes, of values that were scaled: clips of a class may be the same
_EXPECTED = 1.0  # of the temperature: so many values make logits several times too large


@dataclass(frozen=True)
class GenreHead:
    """What became of a genre head that was to be solved.

    Attributes:
        kept: Why the trained head stays; empty where a linear discriminant took its place.
        clips: How many clips that was fitted to.
        temperature: What its logits are to be divided by, which is likeliest for clips that were left out.
    """

    kept: str = ""
    clips: int = 0
    temperature: float = 1.0

    def __str__(self) -> str:
        if self.kept:
            return f"the trained one, for {self.kept}"
        return f"a linear discriminant of {counted(self.clips, 'training clip')} instead of the trained one"

    @property
    def left_out(self) -> tuple[float, int] | None:
        """The temperature, and how many clips it was found by; None for the trained head."""
        return None if self.kept else (self.temperature, self.clips)


def solve_genre_head(
    model: keras.Model,
    training: Source,
    shrinkage: float,
    *,
    balanced: bool = False,
    groups: pd.Series[str] | None = None,
    seed: int = 0,
) -> GenreHead:
    """Put a linear discriminant in the place of a trained genre head, where training clips are few.

    Few is fewer than the head has inputs, and two of each class at least. Its temperature is found by
    leaving clips out, fold by fold, which no layer before the head may have learnt by.

    Args:
        model: A model with a genre head; that is changed.
        training: What it was trained on.
        shrinkage: As in `linear_discriminant`.
        balanced: Whether all classes are as likely; otherwise one is the likelier, the more clips it has.
        groups: Of every training clip the group that no fold divides; None where there are none.
        seed: Seed of the folds.
    """
    head = model.get_layer(LOGITS)
    embedded = keras.Model(model.input, {GENRE: head.input})
    rows = training.labelled(GENRE)
    labels = training.labels[GENRE][rows]
    counts = np.bincount(labels, minlength=head.units)
    if embedded.trainable_weights:
        return GenreHead("layers before it have learnt from the same clips")
    if len(rows) >= (width := head.input.shape[-1]):
        return GenreHead(f"{len(rows):,} clips with a genre are no fewer than its {width:,} inputs")
    if counts.min() < 2:
        return GenreHead("a class has a single clip")
    table = pd.DataFrame({GENRE: labels.astype(str)})
    if groups is not None:
        table["group"] = groups.to_numpy()[rows]
    try:
        folds = min(_FOLDS, int(counts.min()))
        fold = fold_numbers(table, folds, seed, None if groups is None else "group")
    except ArgumentError:
        return GenreHead(f"clips of a class cannot be left out in {folds} folds that divide no group")
    inputs = predict_source(embedded, training)[GENRE][rows].astype(np.float64)
    shares = np.full(len(counts), 1 / len(counts)) if balanced else counts / counts.sum()
    probabilities = np.empty((len(rows), len(counts)))
    with threadpool_limits(1):  # the same numbers on every machine
        for number in range(1, folds + 1):
            others, left_out = fold != number, fold == number
            kernel, bias = linear_discriminant(inputs[others], labels[others], shares, shrinkage)
            probabilities[left_out] = softmax(inputs[left_out] @ kernel + bias, axis=1)
        head.set_weights(linear_discriminant(inputs, labels, shares, shrinkage))
    return GenreHead("", len(rows), fit_temperature(labels, probabilities, _EXPECTED))


def linear_discriminant(
    inputs: np.ndarray, labels: np.ndarray, shares: np.ndarray, shrinkage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Linear discriminant analysis of values of which there are more than clips.

    It is scikit-learn's `LinearDiscriminantAnalysis(solver="lsqr")` after a `StandardScaler` and a `PCA` of
    all components; scikit-learn solves it among values, which takes minutes for thousands, and this among
    clips.

    Args:
        inputs: float64 `(clips, values)`.
        labels: int `(clips,)`, of each class one at least.
        shares: `(n_classes,)`, how likely a class is before anything is known.
        shrinkage: Share of the mean variance in the covariance, over as many directions as there are
            clips; above 0 and below 1.

    Returns:
        `(values, n_classes)` and `(n_classes,)`: the logits of `x` are `x @ kernel + bias`.
    """
    scaler = StandardScaler().fit(inputs)
    scaled = scaler.transform(inputs)
    clips, counts = len(scaled), np.bincount(labels)
    means = np.stack([scaled[labels == label].mean(axis=0) for label in range(len(shares))])
    weights = (shares / counts)[labels]
    within = (scaled - means[labels]) * np.sqrt(weights)[:, np.newaxis]  # its products are the covariance
    variance = max(shrinkage * float((within**2).sum()) / clips, _LEAST_VARIANCE)
    # Woodbury's identity: what is inverted is as large as there are clips, not values.
    inner = variance / (1 - shrinkage) * np.eye(clips) + within @ within.T
    directions = (means.T - within.T @ solve(inner, within @ means.T, assume_a="pos")) / variance
    kernel = directions / scaler.scale_[:, np.newaxis]
    bias = np.log(shares) - (means * directions.T).sum(axis=1) / 2 - scaler.mean_ @ kernel
    return kernel, bias

"""Probabilities that mean what they say: a temperature for a trained model, or thresholds for its tags.

After Guo et al., "On Calibration of Modern Neural Networks" (2017): networks are surer than they are
right. One number, by which all logits are divided, mends most of it, and no answer changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from keras_mir.evaluate.metrics import reliability
from keras_mir.evaluate.tag_metrics import choose_thresholds
from keras_mir.models.answers import predict_source
from keras_mir.models.report import Calibration, Thresholds
from pipelines.datasets.base import GENRE, TAGS
from pipelines.source import Source

_EXPECTED = 0.3  # a few dozen clips make probabilities worse as often as better without it
_LIMITS = (0.05, 20.0)  # of a temperature
_TINY = float(np.finfo(np.float32).tiny)


def fit_temperature(true: np.ndarray, probabilities: np.ndarray, expected: float = _EXPECTED) -> float:
    """The temperature that is likeliest for the labels, near 1 where there are few of them.

    Args:
        true: int `(n,)` class indices.
        probabilities: float `(n, n_classes)`, at temperature 1.
        expected: Deviation of the temperature's logarithm around 0 that is expected before any clip is seen.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), _TINY))
    rows = np.arange(len(true))

    def loss(log_temperature: float) -> float:
        likelihood = log_softmax(logits / np.exp(log_temperature), axis=1)[rows, true].sum()
        return float((log_temperature / expected) ** 2 / 2 - likelihood)

    return float(np.exp(minimize_scalar(loss, bounds=np.log(_LIMITS), method="bounded").x))


def calibrate(
    model: keras.Model,
    validation: Source | None,
    evaluated: Source,
    left_out: tuple[float, int] | None = None,
) -> Calibration | None:
    """Fit the temperature of a genre model by validation clips, and set it in the model.

    Args:
        model: A model of `keras_mir.models` whose temperature is 1.
        validation: Clips it was not trained on, if there are any.
        evaluated: The clips that the report is on.
        left_out: A temperature that was fitted while training clips were left out in turn, and how many; None
            for one by validation clips.

    Returns:
        What was done; None for another model, or without such clips.

    Raises:
        UserError: If a probability is not a number.
    """
    if GENRE not in model.output:
        return None
    fitted_by = "left-out training clip"
    if left_out is not None:
        temperature, clips = left_out
    elif validation is not None:
        true, probabilities = _labels_and_answers(model, validation, GENRE)
        temperature, clips, fitted_by = fit_temperature(true, probabilities), len(true), "validation clip"
    else:
        return None
    before = reliability(*_labels_and_answers(model, evaluated, GENRE)).error
    layer: Any = model.get_layer(GENRE)
    layer.temperature.assign(temperature)
    return Calibration(temperature, clips, before, fitted_by)


def fit_thresholds(
    model: keras.Model, tags: Sequence[str], validation: Source | None, training: Source
) -> Thresholds | None:
    """Choose the thresholds of a model's tags by validation clips, or by training clips where there are none.

    Args:
        model: A model of `keras_mir.models`.
        tags: In index order; empty for another model.
        validation: Clips it was not trained on, if there are any.
        training: Clips it was trained on.

    Returns:
        None for a model of no tags.

    Raises:
        UserError: If a probability is not a number.
    """
    if not tags:
        return None
    source, name = (training, "training") if validation is None else (validation, "validation")
    return choose_thresholds(*_labels_and_answers(model, source, TAGS), tags, f"{name} clips")


def _labels_and_answers(model: keras.Model, source: Source, output: str) -> tuple[np.ndarray, np.ndarray]:
    """Those of the clips that have a label for an output."""
    rows = source.labelled(output)
    return source.labels[output][rows], predict_source(model, source)[output][rows]

"""From an embedding to a genre or to affect values, and how each is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_mir.layers import ResumableDropout, Temperature
from keras_mir.recipes.model_settings import ModelSettings
from keras_mir.recipes.outputs import GENRE, check_outputs
from pipelines.errors import UserError


def add_heads(
    embedding: Any,
    settings: ModelSettings,
    *,
    classes: Sequence[str] | None,
    targets: Sequence[str],
    target_means: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Put dropout, the optional hidden layer and the dense outputs on an embedding.

    Args:
        embedding: `(batch, size)` symbolic tensor.
        settings: Its `dropout`, `hidden`, `l2` and `head` count here; `auto` is linear.
        classes: Genre names, for one output `genre` `(batch, n_classes)`, the softmax of logits over a
            temperature.
        targets: Affect targets, for one output `(batch, 1)` each.
        target_means: Mean training value by target. The bias starts there, so that training
            need not first find the scale of the labels.

    Returns:
        Outputs by name, float32 whatever the precision policy.

    Raises:
        UserError: See `check_outputs`.
    """
    check_outputs(classes, targets)
    x = ResumableDropout(settings.dropout, name="dropout")(embedding)
    if settings.hidden:
        x = keras.layers.Dense(
            settings.hidden, activation="relu", kernel_regularizer=l2_penalty(settings), name="hidden"
        )(x)
        x = ResumableDropout(settings.dropout, name="hidden_dropout")(x)

    def dense(units: int, activation: str, name: str, bias: float = 0.0) -> Any:
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_regularizer=l2_penalty(settings),
            bias_initializer=keras.initializers.Constant(bias),
            dtype="float32",
            name=name,
        )(x)

    if classes is not None:
        logits = dense(len(classes), "linear", "logits")
        return {GENRE: Temperature(dtype="float32", name=GENRE)(logits)}
    activation = "sigmoid" if settings.head == "sigmoid" else "linear"
    # The prefix keeps a target called "dropout" or "features" from meeting that layer.
    return {
        target: dense(1, activation, f"target_{target}", _bias(activation, (target_means or {}).get(target)))
        for target in targets
    }


def _bias(activation: str, mean: float | None) -> float:
    """The bias at which an output without any input gives `mean`."""
    if mean is None:
        return 0.0
    if activation == "linear":
        return mean
    share = min(max(mean, 0.01), 0.99)
    return math.log(share / (1.0 - share))


def l2_penalty(settings: ModelSettings) -> Any:
    """A fresh kernel regulariser, or None where the strength is 0."""
    return keras.regularizers.L2(settings.l2) if settings.l2 else None


def compile_arguments(
    classes: Sequence[str] | None,
    targets: Sequence[str],
    loss_weights: Mapping[str, float] | None = None,
    *,
    soft_labels: bool = False,
) -> dict[str, Any]:
    """Losses and metrics of a model's outputs, for `keras.Model.compile`.

    Genre: cross-entropy of `(batch,)` int32 labels, and `accuracy`. Affect: mean squared
    error of each target's `(batch,)` float32 labels, and `rmse`. The loss that is minimised
    is the plain sum over outputs, or the weighted sum.

    Args:
        classes: Genre names, or None for an affect model.
        targets: Affect targets, or empty.
        loss_weights: Weight by target; a target left out weighs 1.
        soft_labels: Genre labels are `(batch, n_classes)` float32 shares, as mixup makes
            them, in the training and the validation data.

    Returns:
        Keyword arguments `loss`, `metrics` and `loss_weights`, each by output name.

    Raises:
        UserError: If a weight names no target or is not a number of at least 0, or as in
            `check_outputs`.
    """
    check_outputs(classes, targets)
    weights = dict(loss_weights or {})
    outputs = [GENRE] if classes is not None else list(targets)
    for name, weight in weights.items():
        if name not in outputs:
            raise UserError(f"loss weight for {name!r}: no such output; the model has {', '.join(outputs)}")
        if not 0 <= weight < float("inf"):
            raise UserError(f"loss weight for {name!r} is {weight}: give a number of at least 0")
    if classes is None:
        losses = {target: keras.losses.MeanSquaredError() for target in targets}
        metrics = {target: [keras.metrics.RootMeanSquaredError(name="rmse")] for target in targets}
    elif soft_labels:
        losses = {GENRE: keras.losses.CategoricalCrossentropy()}
        metrics = {GENRE: [keras.metrics.CategoricalAccuracy(name="accuracy")]}
    else:
        losses = {GENRE: keras.losses.SparseCategoricalCrossentropy()}
        metrics = {GENRE: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]}
    return {
        "loss": losses,
        "metrics": metrics,
        "loss_weights": {name: float(weights.get(name, 1.0)) for name in outputs} if weights else None,
    }

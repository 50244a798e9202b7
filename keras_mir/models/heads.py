"""From an embedding to a genre, to tags and to affect values, and how each is trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_mir.layers import ResumableDropout, Temperature
from keras_mir.models.outputs import GENRE, TAGS, Outputs
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.errors import UserError

LOGITS = "logits"  # the layer, of genres


def add_heads(
    embedding: Any,
    settings: ModelSettings,
    *,
    classes: Sequence[str] | None,
    targets: Sequence[str],
    tags: Sequence[str] = (),
    label_means: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Put dropout, the optional hidden layer and the dense outputs on an embedding.

    Args:
        embedding: `(batch, size)` symbolic tensor.
        settings: Its `dropout`, `hidden`, `l2` and `head` count here; `auto` is linear.
        classes: Genre names, for one output `genre` `(batch, n_classes)`, the softmax of logits over a
            temperature; None for a model without.
        targets: Affect targets, for one output `(batch, 1)` each.
        tags: For one output `tags` `(batch, n_tags)`, a probability each.
        label_means: By output the mean training value of a target, or the share of clips that have each
            tag, `(n_tags,)`. The bias starts there, so that training need not first find the scale of
            the labels.

    Returns:
        Outputs by name, float32 whatever the precision policy.

    Raises:
        UserError: See `Outputs`.
    """
    asked = Outputs(tuple(classes or ()), tuple(targets), tuple(tags))
    x = ResumableDropout(settings.dropout, name="dropout")(embedding)
    if settings.hidden:
        x = keras.layers.Dense(
            settings.hidden, activation="relu", kernel_regularizer=l2_penalty(settings), name="hidden"
        )(x)
        x = ResumableDropout(settings.dropout, name="hidden_dropout")(x)

    def dense(units: int, activation: str, name: str, bias: float | list[float] = 0.0) -> Any:
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_regularizer=l2_penalty(settings),
            bias_initializer=keras.initializers.Constant(bias),
            dtype="float32",
            name=name,
        )(x)

    means, outputs = label_means or {}, {}
    if asked.classes:
        logits = dense(len(asked.classes), "linear", LOGITS)
        outputs[GENRE] = Temperature(dtype="float32", name=GENRE)(logits)
    if asked.tags:
        shares = means.get(TAGS, [None] * len(asked.tags))
        outputs[TAGS] = dense(len(asked.tags), "sigmoid", TAGS, [_bias("sigmoid", share) for share in shares])
    activation = "sigmoid" if settings.head == "sigmoid" else "linear"
    for target in asked.targets:
        # The prefix keeps a target called "dropout" or "features" from meeting that layer.
        outputs[target] = dense(1, activation, f"target_{target}", _bias(activation, means.get(target)))
    return outputs


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


@keras.saving.register_keras_serializable(package="keras_mir")
class BalancedCrossentropy(keras.losses.Loss):
    """Binary cross-entropy in which, of each tag, the clips that have it weigh as much as all others.

    The weights are scikit-learn's `class_weight="balanced"`, of each tag for itself.

    Args:
        shares: `(n_tags,)`, of the clips, those that have each tag.
    """

    def __init__(self, shares: np.ndarray | Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        shares = np.asarray(shares)
        self._shares = shares.tolist()
        self._of_those_with = (0.5 / shares).astype(np.float32)
        self._of_others = (0.5 / (1.0 - shares)).astype(np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        weights = y_true * self._of_those_with + (1.0 - y_true) * self._of_others
        return keras.ops.mean(weights * keras.ops.binary_crossentropy(y_true, y_pred), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shares": self._shares}


@keras.saving.register_keras_serializable(package="keras_mir")
class TagArea(keras.metrics.AUC):
    """Keras's area under a curve, for which a label that is mixed or smoothed is the nearer of 0 and 1."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if sample_weight is not None:  # of each clip, and Keras wants them of each tag
            sample_weight = keras.ops.ones_like(y_pred) * keras.ops.reshape(sample_weight, (-1, 1))
        super().update_state(keras.ops.cast(y_true >= 0.5, "float32"), y_pred, sample_weight)


def compile_arguments(
    classes: Sequence[str] | None,
    targets: Sequence[str],
    loss_weights: Mapping[str, float] | None = None,
    *,
    soft_labels: bool = False,
    tags: Sequence[str] = (),
    tag_shares: np.ndarray | None = None,
    partly_labelled: Collection[str] = (),
) -> dict[str, Any]:
    """Losses and metrics of a model's outputs, for `keras.Model.compile`.

    Genre: cross-entropy of `(batch,)` int32 labels, and `accuracy`. Affect: mean squared
    error of each target's `(batch,)` float32 labels, and `rmse`. Tags: binary cross-entropy of
    `(batch, n_tags)` float32 labels, and `roc_auc` and `pr_auc`, the means over tags. The loss that is
    minimised is the plain sum over outputs, or the weighted sum.

    Args:
        classes: Genre names, or None for a model without.
        targets: Affect targets, or empty.
        loss_weights: Weight by output; one left out weighs 1.
        soft_labels: Genre labels are `(batch, n_classes)` float32 shares, as mixup makes
            them, in the training and the validation data.
        tags: Tags, or empty.
        tag_shares: `(n_tags,)` of the training clips, those that have each tag, to weigh these as much
            as the others; None to count clips alike.
        partly_labelled: Outputs for which some clips have no labels, and sample weights of 0, which their
            metrics heed.

    Returns:
        Keyword arguments `loss`, `metrics`, `weighted_metrics` and `loss_weights`, each by output name;
        those that nothing is in are left out.

    Raises:
        UserError: If a weight names no output or is not a number of at least 0, or as in `Outputs`.
    """
    asked = Outputs(tuple(classes or ()), tuple(targets), tuple(tags))
    weights = dict(loss_weights or {})
    outputs = list(asked.sizes)
    for name, weight in weights.items():
        if name not in outputs:
            raise UserError(f"loss weight for {name!r}: no such output; the model has {', '.join(outputs)}")
        if not 0 <= weight < float("inf"):
            raise UserError(f"loss weight for {name!r} is {weight}: give a number of at least 0")
    losses: dict[str, Any] = {}
    metrics: dict[str, list[Any]] = {}
    if asked.classes and soft_labels:
        losses[GENRE] = keras.losses.CategoricalCrossentropy()
        metrics[GENRE] = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    elif asked.classes:
        losses[GENRE] = keras.losses.SparseCategoricalCrossentropy()
        metrics[GENRE] = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    if asked.tags:
        alike = keras.losses.BinaryCrossentropy
        losses[TAGS] = alike() if tag_shares is None else BalancedCrossentropy(tag_shares)
        metrics[TAGS] = [
            TagArea(curve=curve, name=name, multi_label=True, num_labels=len(asked.tags))
            for name, curve in (("roc_auc", "ROC"), ("pr_auc", "PR"))
        ]
    for target in asked.targets:
        losses[target] = keras.losses.MeanSquaredError()
        metrics[target] = [keras.metrics.RootMeanSquaredError(name="rmse")]
    arguments = {
        "loss": losses,
        "metrics": {name: each for name, each in metrics.items() if name not in partly_labelled},
        "weighted_metrics": {name: each for name, each in metrics.items() if name in partly_labelled},
        "loss_weights": {name: float(weights.get(name, 1.0)) for name in outputs} if weights else {},
    }
    return {name: by_output for name, by_output in arguments.items() if by_output}

"""New heads on what a trained model has learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from keras_mir.models.heads import add_heads
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.errors import UserError


def with_frozen_backbone(
    saved: keras.Model,
    settings: ModelSettings,
    *,
    classes: Sequence[str] | None,
    targets: Sequence[str],
    target_means: Mapping[str, float] | None = None,
) -> keras.Model:
    """Cut a model at its embedding, freeze what is before, and put new heads after.

    The frozen part runs in inference mode during training too: batch normalisation uses its
    saved averages and nothing is dropped.

    Args:
        saved: A model with a layer named `embedding`. Its layers are taken over, not
            copied, and end up frozen.
        settings: Its `dropout`, `hidden`, `l2` and `head` count for the new heads.
        classes: Genre names in index order, or None for affect heads.
        targets: Affect targets, or empty for a genre head.
        target_means: Mean training value by target, where the outputs start.

    Returns:
        A model with the inputs of `saved` and the new outputs; it has an `embedding` itself.

    Raises:
        UserError: If `saved` has no such layer, or the outputs cannot be had.
    """
    if "embedding" not in [layer.name for layer in saved.layers]:
        raise UserError(
            f"model {saved.name!r} has no layer named 'embedding' to build on; train one with this package"
        )
    embedding = saved.get_layer("embedding").output
    for layer in keras.Model(saved.input, embedding).layers:
        layer.trainable = False
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # a frozen layer would go on dropping
    outputs = add_heads(embedding, settings, classes=classes, targets=targets, target_means=target_means)
    return keras.Model(saved.input, outputs, name=f"{saved.name}_transfer")

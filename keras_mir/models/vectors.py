"""Vectors, a few for a clip: their mean and maximum, and before them what a pretrained network had there."""

from __future__ import annotations

from typing import Any, Literal

import keras

from keras_mir.layers import TimePooling
from keras_mir.models.pretrained.musicnn import dense_layers
from keras_mir.recipes.model_settings import ModelSettings


def pooled(features: Any, lengths: Any, settings: ModelSettings, *, use_cudnn: Literal["auto", False]) -> Any:
    """Mean and maximum over the vectors of a clip.

    Args:
        features: `(batch, vectors, size)` symbolic tensor.
        lengths: `(batch,)` int32 symbolic tensor, in vectors.
        settings: Nothing counts here.
        use_cudnn: Of no account: nothing here needs it.

    Returns:
        `(batch, 2 * size)`.
    """
    size = features.shape[-1]
    x = keras.layers.Reshape((-1, size, 1), name="channel")(features)
    return TimePooling(name="embedding")([x, lengths])


def musicnn(
    features: Any, lengths: Any, settings: ModelSettings, *, use_cudnn: Literal["auto", False]
) -> Any:
    """musicnn's dense layer on every patch, then as `pooled`.

    Its weights are the checkpoint's once `load_dense` has put them there. Batch normalisation uses the
    averages of the music that it was trained on, whatever is learnt here.

    Args are those of `pooled`; of the settings `tuned` counts: whether the dense layer learns, too.

    Returns:
        `(batch, 400)`.
    """
    x = features
    for layer in dense_layers():
        layer.trainable = settings.tuned and isinstance(layer, keras.layers.Dense)
        x = layer(x)
    return pooled(x, lengths, settings, use_cudnn=use_cudnn)

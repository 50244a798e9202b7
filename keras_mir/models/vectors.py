"""Vectors, a few for a clip: their statistics, for a head or after a pretrained last layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras

from keras_mir.layers import TimePooling
from keras_mir.models.pretrained.musicnn import dense_layers
from keras_mir.recipes.model_settings import ModelSettings


def vectors(
    features: Any, lengths: Any, settings: ModelSettings, *, use_cudnn: Literal["auto", False]
) -> Any:
    """Statistics over the vectors of a clip, each brought to mean 0 and variance 1 over clips.

    One penalty is to suit all of them; maxima of vectors that were scaled before would differ.

    Args:
        features: `(batch, vectors, size)` symbolic tensor.
        lengths: `(batch,)` int32 symbolic tensor, in vectors.
        settings: Its `statistics` count here.
        use_cudnn: Ignored: nothing here needs it.

    Returns:
        `(batch, statistics * size)`.
    """
    x = pooled(features, lengths, settings.statistics, name="pooled")
    return keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="embedding")(x)


def pooled(features: Any, lengths: Any, statistics: Sequence[str], name: str) -> Any:
    """Statistics over vectors: `(batch, vectors, size)` to `(batch, statistics * size)`."""
    x = keras.layers.Reshape((-1, features.shape[-1], 1), name="channel")(features)
    return TimePooling(statistics, name=name)([x, lengths])


def musicnn(
    features: Any, lengths: Any, settings: ModelSettings, *, use_cudnn: Literal["auto", False]
) -> Any:
    """musicnn's dense layer on every patch, which learns further, then statistics over patches.

    It starts with the checkpoint's weights, which `load_layers` puts there. Batch normalisation uses the
    averages of the music that it was trained on, whatever is learnt here.

    Args are those of `vectors`.

    Returns:
        `(batch, statistics * 200)`.
    """
    x = features
    for layer in dense_layers():
        layer.trainable = isinstance(layer, keras.layers.Dense)
        x = layer(x)
    return pooled(x, lengths, settings.statistics, name="embedding")

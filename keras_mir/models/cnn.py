"""2-D convolutions over time and bands, for one fixed length of input or for any."""

from __future__ import annotations

import math
from typing import Any, Literal

import keras

from keras_mir.layers import NormReluPool, PadTime, PooledLengths, TimePooling, ZeroPastLength
from keras_mir.models.heads import l2_penalty
from keras_mir.recipes.model_settings import ModelSettings


def cnn(features: Any, lengths: Any, settings: ModelSettings, *, use_cudnn: Literal["auto", False]) -> Any:
    """The paper's network: blocks of convolution, batch norm, ReLU and pooling, flattened.

    The paper has one more ReLU after the last block; what comes out of that block is not
    negative, so it is left out.

    Args:
        features: `(batch, time, bands)` symbolic tensor with a fixed time.
        lengths: `(batch,)` int32 symbolic tensor, in frames.
        settings: Its `filters`, `pools`, `l2` and `masks` count here.
        use_cudnn: Ignored: nothing here needs it.

    Returns:
        `(batch, size)`: at 1293 frames of 128 bands and the default settings, size 10,240.
    """
    x, _ = _conv_blocks(features, lengths, settings)
    return keras.layers.Flatten(name="embedding")(x)


def cnn_any_length(
    features: Any, lengths: Any, settings: ModelSettings, *, use_cudnn: Literal["auto", False]
) -> Any:
    """The blocks of `cnn`, then statistics over time instead of flattening.

    With `settings.masks`, a clip gives the same answer however far its batch is padded.

    Args are those of `cnn`, and time may be open.

    Returns:
        `(batch, statistics * pooled bands * channels)`.
    """
    features = PadTime(math.prod(settings.pools), name="pad_time")(features)
    x, lengths = _conv_blocks(features, lengths, settings)
    pooling = TimePooling(settings.statistics, name="embedding")
    return pooling([x, lengths] if settings.masks else x)


def _conv_blocks(features: Any, lengths: Any, settings: ModelSettings) -> tuple[Any, Any]:
    """Blocks of Conv2D 3 x 3 stride 1 "same", batch norm, ReLU and max pooling.

    With `settings.masks`, frames past a clip's end stay zero after every block and are left
    out of batch norm's statistics, so that what they held does not matter.

    Batch norm's momentum and epsilon are PyTorch's defaults, which the paper's network has:
    Keras's own momentum of 0.99 lags behind for most of a short training.

    Returns:
        `(batch, pooled time, pooled bands, channels)`, and lengths in pooled frames.
    """
    bands = features.shape[2]
    if settings.masks:
        features = ZeroPastLength(name="zero_past_length")([features, lengths])
    x = keras.layers.Reshape((-1, bands, 1), name="channel")(features)  # (batch, time, bands, 1)
    for block, (filters, pool) in enumerate(zip(settings.filters, settings.pools, strict=True), start=1):
        x = keras.layers.Conv2D(
            filters, 3, padding="same", kernel_regularizer=l2_penalty(settings), name=f"conv_{block}"
        )(x)
        # Frames past the end stay zero: a window without any others gives 0.
        norm = NormReluPool(pool, momentum=0.9, epsilon=1e-5, name=f"norm_relu_pool_{block}")
        x = norm([x, lengths] if settings.masks else x)
        if settings.masks:
            lengths = PooledLengths(pool, name=f"lengths_{block}")(lengths)
    return x, lengths

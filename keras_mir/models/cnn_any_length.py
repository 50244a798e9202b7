"""2-D convolutions over time and bands, for input of any length."""

from __future__ import annotations

import math
from typing import Any

from keras_mir.layers import PadTime, TimePooling
from keras_mir.models.cnn import check_pools, conv_blocks
from keras_mir.recipes.model_settings import ModelSettings


def cnn_any_length(features: Any, lengths: Any, settings: ModelSettings) -> Any:
    """The blocks of `cnn`, then mean and maximum over time instead of flattening.

    With `settings.masks`, a clip gives the same answer however far its batch is padded.

    Args:
        features: `(batch, time, bands)` symbolic tensor; time may be open.
        lengths: `(batch,)` int32 symbolic tensor, in frames.
        settings: Its `filters`, `pools`, `l2` and `masks` count here.

    Returns:
        `(batch, 2 * pooled bands * channels)`.

    Raises:
        UserError: If there are fewer bands than the pools need.
    """
    check_pools(settings, bands=features.shape[2])
    features = PadTime(math.prod(settings.pools), name="pad_time")(features)
    x, lengths = conv_blocks(features, lengths, settings)
    return TimePooling(name="embedding")([x, lengths] if settings.masks else x)

"""A clip of any length to one vector."""

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_mir.layers.base import A_CLIP, Axes, BaseLayer, Shape, Size
from keras_mir.layers.network.masks import frames_within

_LOWEST = float(np.finfo(np.float32).min)


@keras.saving.register_keras_serializable("keras_mir")
class TimePooling(BaseLayer):
    """Mean and maximum over the valid frames of each clip.

    Call arguments:
        inputs: A list of features `(batch, time, bands, channels)` and lengths `(batch,)`
            int32, in frames, below 1 counting as 1; or the features alone, and every frame
            is valid.

    Returns:
        `(batch, 2 * bands * channels)`: the means, then the maxima.
    """

    takes: ClassVar[dict[str, Axes]] = {
        "features": ("batch", "time", "bands", "channels"),
        "lengths": A_CLIP,
    }

    def call(self, inputs: Any) -> Any:
        given = self.named(inputs)
        x, lengths = given["features"], given.get("lengths")
        _, time, bands, channels = ops.shape(x)
        x = ops.reshape(x, (-1, time, bands * channels))  # (batch, time, bands * channels)
        total = ops.cast(x, "float32")  # a sum over a clip can leave the range of float16
        if lengths is None:
            mean, peak = ops.mean(total, axis=1), ops.max(total, axis=1)
        else:
            valid = ops.expand_dims(frames_within(lengths, time), -1)  # (batch, time, 1)
            count = ops.sum(ops.cast(valid, "float32"), axis=1)
            mean = ops.sum(ops.where(valid, total, 0.0), axis=1) / count
            # A finite number: converters to other formats multiply by the mask, and 0 times infinity is NaN.
            peak = ops.max(ops.where(valid, total, _LOWEST), axis=1)
        return ops.concatenate([ops.cast(mean, x.dtype), ops.cast(peak, x.dtype)], axis=-1)

    def _shapes(self, batch: Size, _: Size, bands: int, channels: int) -> Shape:
        return (batch, 2 * bands * channels)

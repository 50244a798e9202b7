"""Power to decibels."""

import math
from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_mir.layers.audio.base import AudioLayer, zero_past
from keras_mir.layers.base import A_CLIP, Axes, Shape, Size

AMIN = 1e-10  # power below which librosa's dB scale stops


@keras.saving.register_keras_serializable("keras_mir")
class Decibels(AudioLayer):
    """Power in dB below the loudest of its clip, the twin of `librosa.power_to_db(ref=np.max)`.

    Silence is 0 dB throughout, as in librosa: it is no quieter than its loudest bin.

    Call arguments:
        inputs: Power `(batch, frames, bands)` float32, or a list of it and lengths `(batch,)`
            int32, in frames; without these every clip is as long as the batch. What is past a
            clip's length is ignored. A length below 1 counts as 1.

    Returns:
        A tensor like the power, float32 under any precision policy, in `[-top_db, 0]`, and
        `-top_db` past a clip's length.

    Args:
        top_db: Range in dB; what is below it is set to its lower end.

    Raises:
        ValueError: If `top_db` is not positive.
    """

    takes: ClassVar[dict[str, Axes]] = {"power": ("batch", "frames", "bands"), "lengths": A_CLIP}

    def __init__(self, top_db: float = 80.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if top_db <= 0:
            raise ValueError(f"top_db {top_db}: give a positive number of dB")
        self.top_db = top_db

    def call(self, inputs: Any) -> Any:
        power, lengths = self.tensors(inputs)
        level = power_to_db(zero_past(power, lengths))
        relative = level - tf.reduce_max(level, axis=[1, 2], keepdims=True)
        return zero_past(tf.maximum(relative, -self.top_db), lengths, -self.top_db)

    def _shapes(self, *shape: Size) -> Shape:
        return shape


def power_to_db(power: Any) -> Any:
    """`10 log10(power)`, no lower than of `AMIN`."""
    return tf.math.log(tf.maximum(power, AMIN)) * (10.0 / math.log(10.0))

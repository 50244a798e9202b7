"""Power to decibels."""

from typing import Any

import keras
import tensorflow as tf

from keras_mir.layers.audio._audio import valid_lengths, zero_past
from keras_mir.layers.audio._mel import decibels


@keras.saving.register_keras_serializable("keras_mir")
class Decibels(keras.layers.Layer):
    """Power in dB below the loudest of its clip, the twin of `librosa.power_to_db(ref=np.max)`.

    Silence is 0 dB throughout, as in librosa: it is no quieter than its loudest bin.

    Call arguments:
        inputs: A list of power `(batch, frames, bands)` float32 and lengths `(batch,)` int32,
            in frames. What is past a clip's length is ignored. A length below 1 counts as 1.

    Returns:
        A tensor like the power, float32 under any precision policy, in `[-top_db, 0]`, and
        `-top_db` past a clip's length.

    Args:
        top_db: Range in dB; what is below it is set to its lower end.
    """

    def __init__(self, top_db: float = 80.0, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})  # power leaves the range of half precision
        if top_db <= 0:
            raise ValueError(f"top_db {top_db}: give a positive number of dB")
        self.top_db = top_db
        self.supports_masking = True

    def call(self, inputs: list[Any]) -> Any:
        power, lengths = inputs
        lengths = valid_lengths(lengths, tf.shape(power)[1])
        level = decibels(zero_past(power, lengths))
        relative = level - tf.reduce_max(level, axis=[1, 2], keepdims=True)
        return zero_past(tf.maximum(relative, -self.top_db), lengths, -self.top_db)

    def compute_mask(self, inputs: list[Any], previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "top_db": self.top_db}

"""Channels to one."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_mir")
class DownMix(keras.layers.Layer):
    """The mean of all channels, as `librosa.to_mono` takes it.

    Call arguments:
        inputs: `(batch, samples, channels)` float32.

    Returns:
        `(batch, samples)` float32 under any precision policy.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})  # half precision is too coarse for audio
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=-1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape[:2])

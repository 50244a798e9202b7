"""Decibels to the unit range."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_mir")
class BandScaling(keras.layers.Layer):
    """Map mel bands in dB to `mel / top_db + 1`, so that the floor is 0 and the peak 1.

    Chroma is in that range already and passes unchanged. A mask passes on.

    Call arguments:
        inputs: Features `(batch, time, bands)`, mel in dB first, then chroma.

    Returns:
        A tensor of the same shape.

    Args:
        n_mels: Number of leading bands that are mel.
        top_db: Dynamic range of the mel bands, in dB.
    """

    def __init__(self, n_mels: int, top_db: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_mels = n_mels
        self.top_db = top_db
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        is_mel = [1.0 if band < self.n_mels else 0.0 for band in range(inputs.shape[-1])]
        scale = [1.0 / self.top_db if mel else 1.0 for mel in is_mel]
        return inputs * ops.convert_to_tensor(scale, inputs.dtype) + ops.convert_to_tensor(
            is_mel, inputs.dtype
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_mels": self.n_mels, "top_db": self.top_db}

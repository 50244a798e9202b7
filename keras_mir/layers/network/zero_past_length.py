"""Silence after the end of a clip, for convolutions."""

from typing import Any

import keras
from keras import ops

from keras_mir.layers.network._frames import align, frames_within


@keras.saving.register_keras_serializable("keras_mir")
class ZeroPastLength(keras.layers.Layer):
    """Set the frames past the end of each clip to zero.

    A "same" convolution pads with zeros, so a clip whose padding is zero gives what the
    clip alone would give, however long the padding is. A convolution, its bias and batch
    normalisation all make the padding nonzero again: this layer follows each of them. No
    Keras mask is attached, because convolution and pooling layers would only drop it.

    Call arguments:
        inputs: A list of features `(batch, time, ...)` and lengths `(batch,)` int32, in
            frames. A length below 1 counts as 1.

    Returns:
        A tensor like the features.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: list[Any]) -> Any:
        x, lengths = inputs
        return ops.where(align(frames_within(lengths, ops.shape(x)[1]), x), x, ops.zeros_like(x))

    def compute_mask(self, inputs: list[Any], previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

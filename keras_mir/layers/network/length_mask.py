"""A Keras mask from clip lengths."""

from typing import Any

import keras
from keras import ops

from keras_mir.layers.network._frames import align, frames_within
from keras_mir.layers.network.frame_mask import FrameMask


@keras.saving.register_keras_serializable("keras_mir")
class LengthMask(keras.layers.Layer):
    """Attach a mask that says where each clip ends.

    The mask comes from lengths, never from values: a silent frame inside a clip is music,
    and a mask with a gap in it is one the cuDNN LSTM refuses.

    Call arguments:
        inputs: A list of features `(batch, time, ...)` and lengths `(batch,)` int32, in
            frames. A length below 1 counts as 1.

    Returns:
        The features, with a Keras mask `(batch, time)`.

    Args:
        zero_padding: Also set the frames past the end to zero.
    """

    def __init__(self, zero_padding: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zero_padding = zero_padding
        # A layer, since a mask has to be a node of its own in a functional model.
        self.frame_mask = FrameMask(name=f"{self.name}_frames")
        self.supports_masking = True

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        self.frame_mask.build(input_shape)

    def call(self, inputs: list[Any]) -> Any:
        x, lengths = inputs
        if not self.zero_padding:
            return ops.copy(x)  # not x itself: the mask would then be on the caller's tensor too
        return ops.where(align(frames_within(lengths, ops.shape(x)[1]), x), x, ops.zeros_like(x))

    def compute_mask(self, inputs: list[Any], previous_mask: Any = None) -> Any:
        return self.frame_mask(inputs)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "zero_padding": self.zero_padding}

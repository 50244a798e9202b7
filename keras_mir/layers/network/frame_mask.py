"""Which frames belong to a clip, as a tensor."""

from typing import Any

import keras
from keras import ops

from keras_mir.layers.network._frames import frames_within


@keras.saving.register_keras_serializable("keras_mir")
class FrameMask(keras.layers.Layer):
    """Mark the frames before the end of each clip.

    Call arguments:
        inputs: A list of features `(batch, time, ...)` and lengths `(batch,)` int32, in
            frames. A length below 1 counts as 1.

    Returns:
        `(batch, time)` bool, true for music, false for padding.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: list[Any]) -> Any:
        x, lengths = inputs
        return frames_within(lengths, ops.shape(x)[1])

    def compute_mask(self, inputs: list[Any], previous_mask: Any = None) -> None:
        return None

    def compute_output_spec(self, inputs: list[Any]) -> Any:
        return keras.KerasTensor(inputs[0].shape[:2], dtype="bool")

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return tuple(input_shape[0][:2])

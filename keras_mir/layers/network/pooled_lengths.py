"""Clip lengths after pooling."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_mir")
class PooledLengths(keras.layers.Layer):
    """Count the frames that are left of a clip after pooling over time.

    A last window that a clip fills only in part counts: `ceil(length / pool)`.

    Call arguments:
        inputs: Lengths `(batch,)` int32, in frames.

    Returns:
        `(batch,)` int32, in pooled frames, at least 1.

    Args:
        pool: Frames in a pooling window.
    """

    def __init__(self, pool: int, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "int32", **kwargs})
        self.pool = pool

    def call(self, inputs: Any) -> Any:
        lengths = ops.maximum(ops.cast(inputs, "int32"), 1)
        return (lengths + self.pool - 1) // self.pool

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pool": self.pool}

"""Time axis to a multiple of the pools."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_mir")
class PadTime(keras.layers.Layer):
    """Append zero frames until the number of frames is a multiple.

    Pooling then divides the time axis without a remainder, so its windows fall on the same
    frames of a clip however long the batch is. A mask does not pass on.

    Call arguments:
        inputs: `(batch, time, ...)`.

    Returns:
        `(batch, ceil(time / multiple) * multiple, ...)`, same dtype.

    Args:
        multiple: Number of frames to pad to a multiple of, at least 1.
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        shape = list(ops.shape(inputs))
        # Of numbers that are not negative: converters to other formats round the others differently.
        shape[1] = (self.multiple - shape[1] % self.multiple) % self.multiple
        return ops.concatenate([inputs, ops.zeros(shape, inputs.dtype)], axis=1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, time, *rest = input_shape
        return (batch, None if time is None else time + -time % self.multiple, *rest)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiple": self.multiple}

"""Batch normalisation that leaves padding out of its statistics."""

from typing import Any

import keras
from keras import ops

from keras_mir.layers.network._frames import frames_within


@keras.saving.register_keras_serializable("keras_mir")
class MaskedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the valid frames of each clip.

    In training the mean and variance are taken over frames before each clip's end; in
    inference it is plain batch normalisation. Frames past the end are normalised too, not
    zeroed.

    Call arguments:
        inputs: A list of features `(batch, time, bands, channels)` and lengths `(batch,)`
            int32, in frames. A length below 1 counts as 1.
        training: Whether to normalise by the batch's statistics and update the averages.

    Returns:
        A tensor like the features.

    Args:
        **kwargs: As for `keras.layers.BatchNormalization`.
    """

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        super().build(input_shape[0])
        self.input_spec = None  # the parent's speaks of a single input

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        x, lengths = inputs
        valid = frames_within(lengths, ops.shape(x)[1])
        # The parent counts true entries to get its denominator, so they must not be left to broadcasting.
        valid = ops.broadcast_to(ops.expand_dims(valid, -1), ops.shape(x)[:-1])  # (batch, time, bands)
        return super().call(x, training=training, mask=valid)

    def compute_mask(self, inputs: list[Any], previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

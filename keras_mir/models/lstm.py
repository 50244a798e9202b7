"""Stacked bidirectional LSTM."""

from __future__ import annotations

from typing import Any, Literal

from keras_mir.layers import BidirectionalLSTM, LengthMask, ResumableDropout
from keras_mir.models.heads import l2_penalty
from keras_mir.recipes.model_settings import ModelSettings


def lstm(features: Any, lengths: Any, settings: ModelSettings, *, use_cudnn: Literal["auto", False]) -> Any:
    """Read a clip in both directions and keep where each ends.

    Dropout is between layers, as in PyTorch's `nn.LSTM(dropout=...)`, not inside the
    recurrence, which cuDNN could not run. The L2 penalty is on input and recurrent kernels.

    Args:
        features: `(batch, time, bands)` symbolic tensor.
        lengths: `(batch,)` int32 symbolic tensor, in frames.
        settings: Its `units`, `layers`, `dropout`, `l2` and `masks` count here.
        use_cudnn: False keeps cuDNN out of the graph even on a GPU, for export.

    Returns:
        `(batch, 2 * units)`: the last layer's final states, forward then backward.
    """
    x = LengthMask(name="length_mask")([features, lengths]) if settings.masks else features
    for index in range(settings.layers):
        is_last = index == settings.layers - 1
        if index > 0:
            x = ResumableDropout(settings.dropout, name=f"dropout_{index}")(x)
        x = BidirectionalLSTM(
            settings.units,
            return_sequences=not is_last,
            kernel_regularizer=l2_penalty(settings),
            recurrent_regularizer=l2_penalty(settings),
            use_cudnn=use_cudnn,
            name="embedding" if is_last else f"bidirectional_{index + 1}",
        )(x)
    return x

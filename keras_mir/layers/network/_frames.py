"""Which frames belong to a clip."""

from typing import Any

from keras import ops


def frames_within(lengths: Any, time: Any) -> Any:
    """Mark the frames before the end of each clip.

    A length below 1 counts as 1: a sequence without a single valid frame has no mean, no
    last state, and makes the cuDNN LSTM fail.

    Args:
        lengths: `(batch,)` integers, in frames.
        time: Number of frames of the padded batch, an int or a scalar tensor.

    Returns:
        `(batch, time)` bool, true for music.
    """
    lengths = ops.maximum(ops.cast(lengths, "int32"), 1)
    return ops.expand_dims(ops.arange(time, dtype="int32"), 0) < ops.expand_dims(lengths, 1)


def align(frames: Any, x: Any) -> Any:
    """Give a `(batch, time)` tensor trailing axes of size 1, to broadcast over `x`."""
    for _ in range(len(x.shape) - 2):
        frames = ops.expand_dims(frames, -1)
    return frames

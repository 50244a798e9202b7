"""Where the clips of a padded batch end: as lengths, as masks, as zeros."""

from typing import Any, ClassVar

import keras
from keras import ops

from keras_mir.layers.base import A_CLIP, Axes, BaseLayer, Shape, Size


def frames_within(lengths: Any, time: Any) -> Any:
    """Mark the frames before the end of each clip, `(batch, time)` bool.

    A length below 1 counts as 1: a sequence without a single valid frame has no mean, no
    last state, and makes the cuDNN LSTM fail.
    """
    lengths = ops.maximum(ops.cast(lengths, "int32"), 1)
    return ops.expand_dims(ops.arange(time, dtype="int32"), 0) < ops.expand_dims(lengths, 1)


def align(frames: Any, x: Any) -> Any:
    """Give a `(batch, time)` tensor trailing axes of size 1, to broadcast over `x`."""
    for _ in range(len(x.shape) - 2):
        frames = ops.expand_dims(frames, -1)
    return frames


class _OverLengths(BaseLayer):
    """A layer that nothing is left of without lengths."""

    takes: ClassVar[dict[str, Axes]] = {"features": ("batch", "time", "..."), "lengths": A_CLIP}
    optional = ""


@keras.saving.register_keras_serializable("keras_mir")
class FrameMask(_OverLengths):
    """Mark the frames before the end of each clip.

    Call arguments:
        inputs: A list of features `(batch, time, ...)` and lengths `(batch,)` int32, in frames.

    Returns:
        `(batch, time)` bool, true for music, false for padding.
    """

    def call(self, inputs: Any) -> Any:
        x, lengths = self.named(inputs).values()
        return frames_within(lengths, ops.shape(x)[1])

    def compute_output_spec(self, inputs: Any) -> Any:
        x, _ = self.named(inputs).values()
        return keras.KerasTensor(x.shape[:2], dtype="bool")

    def _shapes(self, batch: Size, time: Size, *_: Size) -> Shape:
        return (batch, time)


@keras.saving.register_keras_serializable("keras_mir")
class LengthMask(_OverLengths):
    """Attach a mask that says where each clip ends.

    The mask comes from lengths, never from values: a silent frame inside a clip is music,
    and a mask with a gap in it is one the cuDNN LSTM refuses.

    Call arguments:
        inputs: A list of features `(batch, time, ...)` and lengths `(batch,)` int32, in frames.

    Returns:
        The features, with a Keras mask `(batch, time)`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # A layer, since a mask has to be a node of its own in a functional model.
        self.frame_mask = FrameMask(name=f"{self.name}_frames")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        # Models saved before this layer only masked have an argument of it that said so.
        return cls(**{name: value for name, value in config.items() if name != "zero_padding"})

    def build(self, input_shape: Any) -> None:
        self.frame_mask.build(input_shape)

    def call(self, inputs: Any) -> Any:
        x, _ = self.named(inputs).values()
        return ops.copy(x)  # not x itself: the mask would then be on the caller's tensor too

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.frame_mask(inputs)


def zero_past_length(x: Any, lengths: Any) -> Any:
    """`x` `(batch, time, ...)` with zeros past each clip's length."""
    return ops.where(align(frames_within(lengths, ops.shape(x)[1]), x), x, ops.zeros_like(x))


def pad_time(x: Any, multiple: int) -> Any:
    """`x` `(batch, time, ...)` with frames of zeros up to a multiple of their number."""
    shape = list(ops.shape(x))
    # Of numbers that are not negative: converters to other formats round the others differently.
    shape[1] = (multiple - shape[1] % multiple) % multiple
    return ops.concatenate([x, ops.zeros(shape, x.dtype)], axis=1)


@keras.saving.register_keras_serializable("keras_mir")
class ZeroPastLength(_OverLengths):
    """Set the frames past the end of each clip to zero.

    A "same" convolution pads with zeros, so a clip whose padding is zero gives what the
    clip alone would give, however long the padding is. A convolution, its bias and batch
    normalisation all make the padding nonzero again: this layer follows each of them. No
    Keras mask is attached, because convolution and pooling layers would only drop it.

    Call arguments:
        inputs: A list of features `(batch, time, ...)` and lengths `(batch,)` int32, in frames.

    Returns:
        A tensor like the features.
    """

    def call(self, inputs: Any) -> Any:
        return zero_past_length(*self.named(inputs).values())


@keras.saving.register_keras_serializable("keras_mir")
class PadTime(BaseLayer):
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

    takes: ClassVar[dict[str, Axes]] = {"features": ("batch", "time", "...")}

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, inputs: Any) -> Any:
        (x,) = self.named(inputs).values()
        return pad_time(x, self.multiple)

    def _shapes(self, batch: Size, time: Size, *rest: Size) -> Shape:
        return (batch, None if time is None else time + -time % self.multiple, *rest)


@keras.saving.register_keras_serializable("keras_mir")
class PooledLengths(BaseLayer):
    """Count the frames that are left of a clip after pooling over time.

    A last window that a clip fills only in part counts: `ceil(length / pool)`.

    Call arguments:
        inputs: Lengths `(batch,)` int32, in frames.

    Returns:
        `(batch,)` int32, in pooled frames, at least 1.

    Args:
        pool: Frames in a pooling window.
    """

    takes: ClassVar[dict[str, Axes]] = {"lengths": A_CLIP}

    def __init__(self, pool: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "int32"})
        self.pool = pool

    def call(self, inputs: Any) -> Any:
        (lengths,) = self.named(inputs).values()
        lengths = ops.maximum(ops.cast(lengths, "int32"), 1)
        return (lengths + self.pool - 1) // self.pool

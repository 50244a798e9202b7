"""What the layers that take sound have in common, and batches of clips of different lengths.

They are written for TensorFlow, not for `keras.ops`: they are there to be served, and what they
need (frames of a run-time step, loops over clips) other backends lack.
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_mir.layers.base import A_CLIP, Axes, BaseLayer, Size

_INTEGERS = ("lengths", "beats", "beat_counts")  # outputs that are int32; all others are float32


class AudioLayer(BaseLayer):
    """A layer over sound, or over what was made of it, with weights of no kind.

    It computes in float32 whatever the precision policy, in which half precision is too coarse for
    audio and too narrow for power; its inputs may be of any other type. Lengths are integers of any type
    and count as at least 1 and at most the longest there is, which they are where they are left out.
    What lies past a clip's length is ignored.
    """

    takes: ClassVar[dict[str, Axes]] = {"audio": ("batch", "samples"), "lengths": A_CLIP}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def build(self, input_shape: Any) -> None:
        pass  # there are no weights, in the parts either

    def tensors(self, inputs: Any) -> list[Any]:
        """All inputs in order: the first float32, the others int32, a number of each clip `(batch,)`.

        Raises:
            ValueError: If they are not what the layer takes.
        """
        given = self.named(inputs)
        first, *others = self.takes
        x = tf.cast(given[first], tf.float32)
        longest = self._longest(x)
        tensors = [x]
        for name in others:
            other = tf.cast(given.get(name, longest), tf.int32)
            if name == "lengths":
                other = tf.clip_by_value(other, 1, tf.maximum(longest, 1))
            if other.shape.rank == 0:  # one for all
                other = tf.broadcast_to(other, tf.shape(x)[:1])
            tensors.append(other)
        return tensors

    def _longest(self, x: Any) -> Any:
        """The greatest length a clip can have."""
        return tf.shape(x)[1]

    def compute_output_spec(self, inputs: Any) -> Any:
        first, *_ = self.named(inputs).values()
        shapes = self._shapes(*first.shape)
        if not isinstance(shapes, dict):
            return keras.KerasTensor(shapes, dtype="float32")
        return {
            name: keras.KerasTensor(shape, dtype="int32" if name in _INTEGERS else "float32")
            for name, shape in shapes.items()
        }


def frames_of(samples: Size, hop_length: int) -> Size:
    """Frames of so many samples, where both may be open."""
    return None if samples is None else 1 + samples // hop_length


def zero_past(x: Any, lengths: Any, value: float = 0.0) -> Any:
    """`x`, `(batch, time, ...)`, with `value` from each clip's length on."""
    inside = tf.sequence_mask(lengths, tf.shape(x)[1])  # (batch, time)
    inside = tf.reshape(inside, tf.concat([tf.shape(inside), tf.ones([x.shape.rank - 2], tf.int32)], axis=0))
    return tf.where(inside, x, tf.cast(value, x.dtype))


def pad_to(x: Any, size: Any, value: float = 0) -> Any:
    """The first `size` entries of `x`, filled up with `value` where there are fewer."""
    missing = tf.maximum(size - tf.shape(x)[0], 0)
    paddings = [[0, missing]] + [[0, 0]] * (x.shape.rank - 1)
    return tf.pad(x, paddings, constant_values=tf.cast(value, x.dtype))[:size]

"""Batches of sounds of different lengths, in TensorFlow ops.

The layers that take sound are written for TensorFlow, not for `keras.ops`: they are there to be
served, and what they need (frames of a run-time step, loops over clips) other backends lack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def valid_lengths(lengths: Any, size: Any) -> Any:
    """Lengths as int32, at least 1 and at most `size`."""
    return tf.clip_by_value(tf.cast(lengths, tf.int32), 1, tf.maximum(size, 1))


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


def each_clip(function: Callable[..., Any], clips: tuple[Any, ...], outputs: Any) -> Any:
    """Run `function` on every clip: in a graph on several at once, eagerly on one after the other.

    Args:
        function: Takes an entry of each of `clips`.
        clips: Tensors whose first axis is the batch.
        outputs: What `function` returns, as `tf.TensorSpec` in the same structure.
    """
    return tf.map_fn(lambda clip: function(*clip), clips, fn_output_signature=outputs)

"""What `norm_relu_pool` does with a map, in TensorFlow's own operations."""

from __future__ import annotations

import tensorflow as tf

LEAST = tf.float32.min  # instead of what must not be a maximum


def count(x: tf.Tensor, valid: tf.Tensor | None) -> tf.Tensor:
    """Values of a channel, as float32."""
    if valid is None:
        return tf.cast(tf.size(x) // tf.shape(x)[3], tf.float32)
    return tf.reduce_sum(tf.cast(valid, tf.float32)) * tf.cast(tf.shape(x)[2], tf.float32)


def read(
    x: tf.Tensor, sign: tf.Tensor, valid: tf.Tensor | None, pool: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mean and variance of the map, and the greatest of each window.

    Args:
        x: `(batch, time, bands, channels)`.
        sign: `(channels,)`, 1 or -1: what `x` is multiplied by first, for the greatest.
        valid: `(batch, time)` bool, or None.
        pool: Side of a window.

    Returns:
        Mean and variance `(channels,)`; the greatest, `LEAST` in a window without valid frames,
        and which of the window it was, `(batch, time // pool, bands // pool, channels)`: not
        known here, for TensorFlow finds it again.
    """
    if valid is None:
        mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
    else:
        kept = valid[:, :, tf.newaxis, tf.newaxis]
        mean = tf.reduce_sum(tf.where(kept, x, 0.0), axis=[0, 1, 2]) / count(x, valid)
        squares = tf.where(kept, tf.math.squared_difference(x, mean), 0.0)
        variance = tf.reduce_sum(squares, axis=[0, 1, 2]) / count(x, valid)
    greatest = tf.nn.max_pool2d(_candidates(x, sign, valid), pool, pool, "VALID")
    return mean, variance, greatest, tf.zeros_like(greatest, tf.int32)


def normalise(
    greatest: tf.Tensor, sign: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor, beta: tf.Tensor
) -> tf.Tensor:
    """Batch norm and ReLU of the greatest; 0 where there was nothing valid."""
    y = tf.nn.relu((greatest * sign - mean) * scale + beta)
    return tf.where(greatest > LEAST, y, 0.0)


def weigh(
    dy: tf.Tensor, y: tf.Tensor, greatest: tf.Tensor, sign: tf.Tensor, mean: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sums `(channels,)` over the output: of its gradient, and of that times what was greatest."""
    dy = tf.where(y > 0, dy, 0.0)
    weighted = dy * (greatest * sign - mean)
    return tf.reduce_sum(dy, axis=[0, 1, 2]), tf.reduce_sum(weighted, axis=[0, 1, 2])


def write(
    dy: tf.Tensor,
    x: tf.Tensor,
    y: tf.Tensor,
    greatest: tf.Tensor,
    place: tf.Tensor,
    sign: tf.Tensor,
    mean: tf.Tensor,
    scale: tf.Tensor,
    slope: tf.Tensor,
    offset: tf.Tensor,
    valid: tf.Tensor | None,
    pool: int,
) -> tf.Tensor:
    """Gradient of the map: the maxima's at their places, and the statistics' everywhere."""
    sides = [1, pool, pool, 1]
    at_places = tf.raw_ops.MaxPoolGrad(
        orig_input=_candidates(x, sign, valid),
        orig_output=greatest,
        grad=tf.where(y > 0, dy * scale, 0.0),
        ksize=sides,
        strides=sides,
        padding="VALID",
    )
    dx = at_places - (x - mean) * slope - offset
    return dx if valid is None else tf.where(valid[:, :, tf.newaxis, tf.newaxis], dx, 0.0)


def _candidates(x: tf.Tensor, sign: tf.Tensor, valid: tf.Tensor | None) -> tf.Tensor:
    return x * sign if valid is None else tf.where(valid[:, :, tf.newaxis, tf.newaxis], x * sign, LEAST)

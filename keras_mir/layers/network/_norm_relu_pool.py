"""Batch norm, ReLU and max pooling, with few passes over the map that they are given.

A rising function commutes with a maximum, so the maximum of each window (the minimum, for a
channel whose gamma is negative) is taken first, and what is left is normalised. The gradient is
written out: it goes over the map once, where an operation each would go a dozen times.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import tensorflow as tf

from keras_mir.layers.network import _pool_passes, _pool_passes_xla

# Compiling takes about a second for each shape. A map of this size earns it back within some thirty steps,
# if all batches have that shape: where time is open, nothing is compiled.
LEAST_COMPILED = 2**22  # elements


def norm_relu_pool(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, valid: tf.Tensor | None, pool: int, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Normalise by the batch's statistics, rectify, and take the maximum of each window.

    Args:
        x: `(batch, time, bands, channels)` float32.
        gamma: `(channels,)` float32.
        beta: `(channels,)` float32.
        valid: `(batch, time)` bool, which frames count; None for all. The others are left out
            of the statistics and of the maximum, and a window of nothing else gives 0.
        pool: Side of a window. Frames and bands that do not fill one are left out of the output.
        epsilon: Added to the variance.

    Returns:
        The maxima `(batch, time // pool, bands // pool, channels)`, and mean and variance
        `(channels,)`, which have no gradient. Where values of a window are equal, the gradient
        goes to the first of them, row by row, as it does in TensorFlow.
    """
    large = tf.size(x) >= LEAST_COMPILED
    one_shape = x.shape[1:].is_fully_defined()

    def go_over(work: Callable[[ModuleType], Any]) -> Any:
        if not one_shape:
            return work(_pool_passes)
        return tf.cond(large, lambda: work(_pool_passes_xla), lambda: work(_pool_passes))

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def rule(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, ...], Callable[..., tuple[tf.Tensor, ...]]]:
        sign = tf.where(gamma < 0, -1.0, 1.0)
        mean, variance, greatest, place = go_over(lambda passes: passes.read(x, sign, valid, pool))
        reciprocal = tf.math.rsqrt(variance + epsilon)  # of the deviation
        scale = gamma * reciprocal
        y = go_over(lambda passes: passes.normalise(greatest, sign, mean, scale, beta))

        def gradient(dy: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
            dbeta, dgamma = go_over(lambda passes: passes.weigh(dy, y, greatest, sign, mean))
            dgamma = dgamma * reciprocal
            count = _pool_passes.count(x, valid)
            slope, offset = scale * reciprocal * dgamma / count, scale * dbeta / count
            return (
                go_over(
                    lambda passes: passes.write(
                        dy, x, y, greatest, place, sign, mean, scale, slope, offset, valid, pool
                    )
                ),
                dgamma,
                dbeta,
            )

        return (y, mean, variance), gradient

    y, mean, variance = rule(x, gamma, beta)
    return y, tf.stop_gradient(mean), tf.stop_gradient(variance)

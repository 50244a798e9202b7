"""Batch norm, ReLU and max pooling, with few passes over the map that they are given.

A rising function commutes with a maximum, so the maximum of each window (the minimum, for a
channel whose gamma is negative) is taken first, and what is left is normalised. The gradient is
written out: it goes over the map once, where an operation each would go a dozen times.

There are two ways to go over a map. One is in TensorFlow's own operations. The other is compiled, so
that what is elementwise becomes one loop. XLA makes good code of adding up slices, and slow code of
sums over all axes but the last, so those are done in two steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

# Compiling takes about a second for each shape. A map of this size earns it back within some thirty steps,
# if all batches have that shape: where time is open, nothing is compiled.
LEAST_COMPILED = 2**22  # elements

_LEAST = tf.float32.min  # instead of what must not be a maximum
_SHIFT_STRIDE = 32  # frames
_BLOCKS = 8


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

    def go_over(work: Callable[[_Way], Any]) -> Any:
        return tf.cond(large, lambda: work(_COMPILED), lambda: work(_PLAIN)) if one_shape else work(_PLAIN)

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def rule(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, ...], Callable[..., tuple[tf.Tensor, ...]]]:
        sign = tf.where(gamma < 0, -1.0, 1.0)
        mean, variance, greatest, place = go_over(lambda way: way.read(x, sign, valid, pool))
        reciprocal = tf.math.rsqrt(variance + epsilon)  # of the deviation
        scale = gamma * reciprocal
        y = go_over(lambda way: way.normalise(greatest, sign, mean, scale, beta))

        def gradient(dy: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
            dbeta, dgamma = go_over(lambda way: way.weigh(dy, y, greatest, sign, mean))
            dgamma = dgamma * reciprocal
            count = _count(x, valid)
            slope, offset = scale * reciprocal * dgamma / count, scale * dbeta / count
            return (
                go_over(
                    lambda way: way.write(
                        dy, x, y, greatest, place, sign, mean, scale, slope, offset, valid, pool
                    )
                ),
                dgamma,
                dbeta,
            )

        return (y, mean, variance), gradient

    y, mean, variance = rule(x, gamma, beta)
    return y, tf.stop_gradient(mean), tf.stop_gradient(variance)


def _count(x: tf.Tensor, valid: tf.Tensor | None) -> tf.Tensor:
    """Values of a channel, as float32."""
    if valid is None:
        return tf.cast(tf.size(x) // tf.shape(x)[3], tf.float32)
    return tf.reduce_sum(tf.cast(valid, tf.float32)) * tf.cast(tf.shape(x)[2], tf.float32)


def _read(
    x: tf.Tensor, sign: tf.Tensor, valid: tf.Tensor | None, pool: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mean and variance `(channels,)` of the map, the greatest of each window, and where it was.

    `x` is multiplied by the sign, 1 or -1, `(channels,)`, before the greatest is looked for. Where it
    was in the window is not known here, for TensorFlow finds it again; a window without valid frames
    has `_LEAST`.
    """
    if valid is None:
        mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
    else:
        kept = valid[:, :, tf.newaxis, tf.newaxis]
        mean = tf.reduce_sum(tf.where(kept, x, 0.0), axis=[0, 1, 2]) / _count(x, valid)
        squares = tf.where(kept, tf.math.squared_difference(x, mean), 0.0)
        variance = tf.reduce_sum(squares, axis=[0, 1, 2]) / _count(x, valid)
    greatest = tf.nn.max_pool2d(_candidates(x, sign, valid), pool, pool, "VALID")
    return mean, variance, greatest, tf.zeros_like(greatest, tf.int32)


def _normalise(
    greatest: tf.Tensor, sign: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor, beta: tf.Tensor
) -> tf.Tensor:
    """Batch norm and ReLU of the greatest; 0 where there was nothing valid."""
    y = tf.nn.relu((greatest * sign - mean) * scale + beta)
    return tf.where(greatest > _LEAST, y, 0.0)


def _weighed(
    dy: tf.Tensor, y: tf.Tensor, greatest: tf.Tensor, sign: tf.Tensor, mean: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The gradient of the output, and that times what was greatest."""
    dy = tf.where(y > 0, dy, 0.0)
    return dy, dy * (greatest * sign - mean)


def _weigh(*arguments: tf.Tensor) -> list[tf.Tensor]:
    """Sums `(channels,)` over the output of what `_weighed` gives."""
    return [tf.reduce_sum(part, axis=[0, 1, 2]) for part in _weighed(*arguments)]


def _write(
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
    *,
    compiled: bool = False,
) -> tf.Tensor:
    """Gradient of the map: the maxima's at their places, and the statistics' everywhere."""
    grad = tf.where(y > 0, dy * scale, 0.0)
    if compiled:
        at_places = _scattered(grad, place, tf.shape(x), pool)
    else:
        sides = [1, pool, pool, 1]
        at_places = tf.raw_ops.MaxPoolGrad(
            orig_input=_candidates(x, sign, valid),
            orig_output=greatest,
            grad=grad,
            ksize=sides,
            strides=sides,
            padding="VALID",
        )
    dx = at_places - (x - mean) * slope - offset
    return dx if valid is None else tf.where(valid[:, :, tf.newaxis, tf.newaxis], dx, 0.0)


def _candidates(x: tf.Tensor, sign: tf.Tensor, valid: tf.Tensor | None) -> tf.Tensor:
    return x * sign if valid is None else tf.where(valid[:, :, tf.newaxis, tf.newaxis], x * sign, _LEAST)


def _compiled(work: Callable[..., Any]) -> Callable[..., Any]:
    function: Callable[..., Any] = tf.function(work, jit_compile=True, autograph=False)
    return function


def _read_compiled(
    x: tf.Tensor, sign: tf.Tensor, valid: tf.Tensor | None, pool: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """As `_read`, with the places."""
    shift, sums, greatest, place = _read_folded(x, sign, valid, pool)
    mean, square = tf.unstack(_total(sums) / _count(x, valid))  # of differences to the shift
    return mean + shift, tf.maximum(square - mean * mean, 0.0), greatest, place


@_compiled
def _read_folded(
    x: tf.Tensor, sign: tf.Tensor, valid: tf.Tensor | None, pool: int
) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor, tf.Tensor]:
    """A shift, folded differences to it and their squares, the greatest of each window, and its place.

    The shift is the mean of some frames. Squares of the values themselves would lose the variance
    of a channel whose mean is far from zero.
    """
    some = x[:, ::_SHIFT_STRIDE]
    if valid is None:
        shift = tf.reduce_sum(tf.reduce_sum(some, axis=2), axis=[0, 1]) / _count(some, None)
        difference, signed = x - shift, x * sign
    else:
        some_valid = valid[:, ::_SHIFT_STRIDE]  # with each clip's first frame
        some = tf.where(some_valid[:, :, tf.newaxis, tf.newaxis], some, 0.0)
        shift = tf.reduce_sum(tf.reduce_sum(some, axis=2), axis=[0, 1]) / _count(some, some_valid)
        kept = valid[:, :, tf.newaxis, tf.newaxis]
        difference, signed = tf.where(kept, x - shift, 0.0), tf.where(kept, x * sign, _LEAST)
    return shift, _folded(difference, tf.square(difference)), *_first_greatest(signed, pool)


@_compiled
def _weigh_folded(*arguments: tf.Tensor) -> list[tf.Tensor]:
    return _folded(*_weighed(*arguments))


def _folded(first: tf.Tensor, second: tf.Tensor) -> list[tf.Tensor]:
    """Add up blocks of frames: `(2, batch, time / 8, bands, channels)`, and the frames left over."""
    time = tf.shape(first)[1] // _BLOCKS
    blocks = [
        tf.add_n([value[:, block * time : (block + 1) * time] for block in range(_BLOCKS)])
        for value in (first, second)
    ]
    left_over = [value[:, _BLOCKS * time :] for value in (first, second)]
    return [tf.stack(blocks), tf.stack(left_over)]


def _total(folded: list[tf.Tensor]) -> tf.Tensor:
    """Sums `(2, channels)` float32; over frames and clips in float64, for there may be many."""
    by_frame = tf.concat([tf.reduce_sum(part, axis=3) for part in folded], axis=2)
    return tf.cast(tf.reduce_sum(tf.cast(by_frame, tf.float64), axis=[1, 2]), tf.float32)


def _first_greatest(x: tf.Tensor, pool: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Maximum of each window, and which of its values that is: the first, row by row."""
    time, bands = tf.shape(x)[1] // pool * pool, x.shape[2] // pool * pool
    greatest = x[:, 0:time:pool, 0:bands:pool]
    place = tf.zeros_like(greatest, tf.int32)
    for index in range(1, pool * pool):
        row, column = divmod(index, pool)
        value = x[:, row:time:pool, column:bands:pool]
        place = tf.where(value > greatest, index, place)
        greatest = tf.maximum(greatest, value)
    return greatest, place


def _scattered(values: tf.Tensor, place: tf.Tensor, shape: tf.Tensor, pool: int) -> tf.Tensor:
    """Put a value of each window at its place, in a map of zeros."""
    batch, time, bands, channels = tf.unstack(tf.shape(values))
    places = tf.reshape(tf.range(pool * pool), [1, 1, pool, 1, pool, 1])
    windows = tf.where(
        place[:, :, tf.newaxis, :, tf.newaxis] == tf.cast(places, place.dtype),
        values[:, :, tf.newaxis, :, tf.newaxis],
        0.0,
    )  # (batch, time, pool, bands, pool, channels)
    filled = tf.reshape(windows, [batch, time * pool, bands * pool, channels])
    return tf.pad(filled, [[0, 0], [0, shape[1] - time * pool], [0, shape[2] - bands * pool], [0, 0]])


class _Way(NamedTuple):
    """What a map is gone over with."""

    read: Callable[..., Any]
    normalise: Callable[..., Any]
    weigh: Callable[..., Any]
    write: Callable[..., Any]


_PLAIN = _Way(_read, _normalise, _weigh, _write)
_COMPILED = _Way(
    _read_compiled,
    _compiled(_normalise),
    lambda *arguments: tf.unstack(_total(_weigh_folded(*arguments))),
    _compiled(partial(_write, compiled=True)),
)

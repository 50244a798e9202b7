"""The same as `_pool_passes`, compiled: what is elementwise becomes one loop over the map.

XLA makes good code of adding up slices, and slow code of sums over all axes but the last, so
those are done in two steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_mir.layers.network import _pool_passes
from keras_mir.layers.network._pool_passes import LEAST, count

_SHIFT_STRIDE = 32  # frames
_BLOCKS = 8


def _compiled(work: Callable[..., Any]) -> Callable[..., Any]:
    function: Callable[..., Any] = tf.function(work, jit_compile=True, autograph=False)
    return function


def read(
    x: tf.Tensor, sign: tf.Tensor, valid: tf.Tensor | None, pool: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """As in `_pool_passes`, with the places."""
    shift, sums, greatest, place = _read(x, sign, valid, pool)
    mean, square = tf.unstack(_total(sums) / count(x, valid))  # of differences to the shift
    return mean + shift, tf.maximum(square - mean * mean, 0.0), greatest, place


normalise = _compiled(_pool_passes.normalise)


def weigh(
    dy: tf.Tensor, y: tf.Tensor, greatest: tf.Tensor, sign: tf.Tensor, mean: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """As in `_pool_passes`."""
    dbeta, weighted = tf.unstack(_total(_weigh(dy, y, greatest, sign, mean)))
    return dbeta, weighted


@_compiled
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
    """As in `_pool_passes`."""
    at_places = _scattered(tf.where(y > 0, dy * scale, 0.0), place, tf.shape(x), pool)
    dx = at_places - (x - mean) * slope - offset
    return dx if valid is None else tf.where(valid[:, :, tf.newaxis, tf.newaxis], dx, 0.0)


@_compiled
def _read(
    x: tf.Tensor, sign: tf.Tensor, valid: tf.Tensor | None, pool: int
) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor, tf.Tensor]:
    """A shift, folded differences to it and their squares, the greatest of each window, and its place.

    The shift is the mean of some frames. Squares of the values themselves would lose the variance
    of a channel whose mean is far from zero.
    """
    some = x[:, ::_SHIFT_STRIDE]
    if valid is None:
        shift = tf.reduce_sum(tf.reduce_sum(some, axis=2), axis=[0, 1]) / count(some, None)
        difference, signed = x - shift, x * sign
    else:
        some_valid = valid[:, ::_SHIFT_STRIDE]  # with each clip's first frame
        some = tf.where(some_valid[:, :, tf.newaxis, tf.newaxis], some, 0.0)
        shift = tf.reduce_sum(tf.reduce_sum(some, axis=2), axis=[0, 1]) / count(some, some_valid)
        kept = valid[:, :, tf.newaxis, tf.newaxis]
        difference, signed = tf.where(kept, x - shift, 0.0), tf.where(kept, x * sign, LEAST)
    return shift, _folded(difference, tf.square(difference)), *_first_greatest(signed, pool)


@_compiled
def _weigh(
    dy: tf.Tensor, y: tf.Tensor, greatest: tf.Tensor, sign: tf.Tensor, mean: tf.Tensor
) -> list[tf.Tensor]:
    dy = tf.where(y > 0, dy, 0.0)
    return _folded(dy, dy * (greatest * sign - mean))


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

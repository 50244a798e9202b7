"""Medians of stretches of unequal length, in a few passes over all of them at once.

Sorting is what a median costs. Segments of up to 32 frames, which is where beats lie, are sorted
side by side: one sorting network, every comparison of it one `minimum` and one `maximum` over
all segments and bands, which the processor does many at a time and without a branch. The few
that are longer, as before the first beat, are partitioned one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

_RUN = 16  # frames sorted by the network; two runs make a short segment


def segment_medians(values: tf.Tensor, bounds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The lower and upper middle values of every band in every segment.

    Args:
        values: `(time, bands)` float32.
        bounds: int32 `(segments + 1,)`, increasing, from 0 to `time`.

    Returns:
        Two float32 `(segments, bands)`; the same where a segment has an odd length.
    """
    lengths = bounds[1:] - bounds[:-1]
    is_long = lengths > 2 * _RUN
    short, long = (tf.cast(tf.where(which)[:, 0], tf.int32) for which in (~is_long, is_long))
    of_short = _of_short(values, tf.gather(bounds, short), tf.gather(lengths, short))
    of_long = _of_long(values, tf.gather(bounds, long), tf.gather(lengths, long))
    lower, upper = (tf.dynamic_stitch([short, long], parts) for parts in zip(of_short, of_long, strict=True))
    return lower, upper


def _of_short(values: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The same of segments of up to two runs, given by first frame and length, both `(segments,)`."""
    frames, bands = tf.unstack(tf.shape(values))
    # A segment is filled up with as many -inf as bring its lower middle to the 16th place of 32.
    padded = tf.concat([values, tf.fill([1, bands], -np.inf), tf.fill([1, bands], np.inf)], axis=0)
    place = np.arange(2 * _RUN, dtype=np.int32).reshape(_RUN, 2, 1)
    low = lengths + (_RUN - 1) - (lengths - 1) // 2
    frame = tf.where(place < lengths, starts + place, tf.where(place < low, frames, frames + 1))
    wires = tf.unstack(tf.gather(padded, frame))  # 16 of (2, segments, bands)
    for i, j in _sorting_network(_RUN):
        wires[i], wires[j] = tf.minimum(wires[i], wires[j]), tf.maximum(wires[i], wires[j])
    # One run ascending beside the other descending: the lesser of each pair are the lower 16 of 32.
    rising = tf.stack([wire[0] for wire in wires])
    falling = tf.stack([wire[1] for wire in reversed(wires)])
    lower = tf.reduce_max(tf.minimum(rising, falling), axis=0)  # (segments, bands)
    upper = tf.reduce_min(tf.maximum(rising, falling), axis=0)
    return lower, tf.where(lengths[:, None] % 2 == 0, upper, lower)


def _of_long(values: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The same of segments of any length, one after the other."""

    def of_one(segment: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        start, length = segment
        rows = tf.transpose(values[start : start + length])  # (bands, length)
        lower, upper = (tf.raw_ops.NthElement(input=rows, n=n) for n in ((length - 1) // 2, length // 2))
        return lower, upper

    bands = tf.TensorSpec(values.shape[1:], values.dtype)
    # One more than there are, for no tensors at all cannot be stacked if their shape is unknown.
    segments = (tf.concat([starts, [0]], axis=0), tf.concat([lengths, [1]], axis=0))
    lower, upper = tf.map_fn(of_one, segments, fn_output_signature=(bands, bands))
    return lower[:-1], upper[:-1]


def _sorting_network(size: int) -> Iterator[tuple[int, int]]:
    """Pairs to put in order, one after the other, so that any `size` (a power of 2) values end sorted.

    K. E. Batcher's odd-even merge sort, "Sorting networks and their applications", AFIPS Spring Joint
    Computing Conference, 1968.
    """

    def merge(first: int, count: int, step: int) -> Iterator[tuple[int, int]]:
        """Of the `count` values `step` apart from `first` on, whose halves are sorted."""
        if count == 2:
            yield first, first + step
            return
        yield from merge(first, count // 2, 2 * step)
        yield from merge(first + step, count // 2, 2 * step)
        for place in range(1, count - 1, 2):
            yield first + place * step, first + (place + 1) * step

    def sort(first: int, count: int) -> Iterator[tuple[int, int]]:
        if count > 1:
            yield from sort(first, count // 2)
            yield from sort(first + count // 2, count // 2)
            yield from merge(first, count, 1)

    return sort(0, size)

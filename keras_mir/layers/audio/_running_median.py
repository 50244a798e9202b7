"""A running median from minima and maxima alone, which a processor takes of many rows at once.

Windows that begin next to each other share almost all their values, so what is sorted of one is
used by the others: runs of 1, 2, 4, ... neighbours are sorted, each from two shorter ones, by K. E.
Batcher's odd-even merge ("Sorting networks and their applications", AFIPS 1968). Nothing is ever
compared twice, and no window is stored. The idea is that of A. Adams, "Fast median filters using
separable sorting networks" (ACM Transactions on Graphics 40(4), 2021).
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import tensorflow as tf

COLUMNS = 64  # at a time: few enough for a processor's cache, enough to outweigh the cost of an op


def running_median(values: Any, size: int) -> Any:
    """The median of the `size` values around each, along the first axis, mirrored at its ends.

    Equals `scipy.ndimage.median_filter(values, (size, 1), mode="reflect")`.

    Args:
        values: `(n, columns)` float32.
        size: Values in a window: 1 less than a power of two, at least 3.

    Returns:
        A tensor like `values`.
    """
    n, columns = tf.shape(values)[0], tf.shape(values)[1]
    margin = size // 2
    # Mirrored as often as it takes: a clip may be shorter than the margin.
    period = tf.range(-margin, n + margin) % (2 * n)
    mirrored = tf.gather(values, tf.minimum(period, 2 * n - 1 - period))
    parts = (columns + COLUMNS - 1) // COLUMNS
    mirrored = tf.pad(mirrored, [[0, 0], [0, parts * COLUMNS - columns]])
    stacked = tf.transpose(tf.reshape(mirrored, [n + 2 * margin, parts, COLUMNS]), [1, 0, 2])
    medians = tf.map_fn(
        lambda part: _median_of_windows(part, size),
        stacked,
        fn_output_signature=tf.TensorSpec([None, COLUMNS], tf.float32),
    )
    return tf.reshape(tf.transpose(medians, [1, 0, 2]), [n, parts * COLUMNS])[:, :columns]


def _median_of_windows(values: Any, size: int) -> Any:
    """`(n, columns)` -> `(n - size + 1, columns)`."""
    run = [values]  # run[r][i] is the value of rank r among values[i], values[i + 1], ...
    while 2 * len(run) <= size:
        shift = len(run)
        run = _merge([rank[:-shift] for rank in run], [rank[shift:] for rank in run])
    # Two runs of half a window have the middle value in common, which so counts twice. The window's
    # median is then one of the two middle values: the upper, if the one too many is not above it.
    shift = len(run) - 1
    first, second = [rank[:-shift] for rank in run], [rank[shift:] for rank in reversed(run)]
    lower = reduce(tf.maximum, map(tf.minimum, first, second))
    upper = reduce(tf.minimum, map(tf.maximum, first, second))
    return tf.where(values[shift:-shift] <= lower, upper, lower)


def _merge(first: list[Any], second: list[Any]) -> list[Any]:
    """Sort two sorted runs of the same length, a power of two, into one."""
    if len(first) == 1:
        return [tf.minimum(first[0], second[0]), tf.maximum(first[0], second[0])]
    even, odd = _merge(first[::2], second[::2]), _merge(first[1::2], second[1::2])
    middle = zip(even[1:], odd[:-1], strict=True)
    pairs = [value for e, o in middle for value in (tf.minimum(e, o), tf.maximum(e, o))]
    return [even[0], *pairs, odd[-1]]

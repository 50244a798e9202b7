"""Examples in memory, from which a batch is gathered whole.

A pipeline that goes from example to example spends more time between them than on them where they
are small: 59 beats of 140 bands are read in a fraction of what one step of a data set costs.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pipelines.cache import Cached


class Held:
    """The values of all examples on end.

    Args:
        cached: The examples.
        fill: What every band of a padded step holds.
    """

    def __init__(self, cached: Cached, fill: tuple[float, ...]) -> None:
        ends = np.cumsum(cached.lengths, dtype=np.int32)
        values = np.empty((ends[-1] + 1, cached.bands), np.float32)
        for row, (end, length) in enumerate(zip(ends, cached.lengths, strict=True)):
            values[end - length : end] = cached.read(row)
        values[-1] = fill
        with tf.device("CPU"):  # where batches are made, also if there is a GPU
            self._values = tf.constant(values)
            self._starts = tf.constant(ends - cached.lengths)
            self._lengths = tf.constant(cached.lengths)
        self._padding = int(ends[-1])

    def lengths(self, rows: tf.Tensor) -> tf.Tensor:
        """Steps of examples, int32 ``(batch,)``."""
        return tf.gather(self._lengths, rows)

    def batch(self, rows: tf.Tensor, frames: int | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Gather examples, cut at the end or padded there.

        Args:
            rows: int ``(batch,)``, of the examples.
            frames: Steps of every example, or ``None`` for the longest of the batch.

        Returns:
            ``(batch, time, bands)`` float32, and the lengths without padding, ``(batch,)`` int32.
        """
        lengths = self.lengths(rows)
        if frames is not None:
            lengths = tf.minimum(lengths, frames)
        steps = tf.range(tf.reduce_max(lengths) if frames is None else frames)
        places = tf.gather(self._starts, rows)[:, None] + steps
        given = steps < lengths[:, None]
        return tf.gather(self._values, tf.where(given, places, self._padding)), lengths

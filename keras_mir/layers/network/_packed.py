"""Clips of different lengths as one table of frames, without padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class Packing:
    """Where each frame of a padded batch goes.

    Frames are ordered by step, the longest clip first within a step. Those of one step are
    neighbours, and the clips that go on are always the first ones, so that a recurrence works
    on fewer and fewer rows and never on padding.

    Attributes:
        sources: `(frames,)` int32, the row of the batch, as `(batch * time, ...)`, that each
            packed row is taken from.
        places: `(batch, time)` int32, the packed row of each frame; one past the last where it
            is masked.
        sizes: `(steps,)` int32, how many clips have a frame at each step; never rising, and at least
            one step, if of no clip.
        first: `(batch,)` int32, the packed row of each clip's first frame, as in `places`.
        last: The same of its last frame.
    """

    sources: tf.Tensor
    places: tf.Tensor
    sizes: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor

    @classmethod
    def of(cls, mask: tf.Tensor) -> Packing:
        """Pack the frames that a `(batch, time)` bool mask leaves, wherever they are."""
        lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)  # (batch,)
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        rank = tf.argsort(order)  # (batch,)
        steps = tf.range(tf.maximum(tf.reduce_max(lengths), 1))
        sizes = tf.reduce_sum(tf.cast(lengths > steps[:, tf.newaxis], tf.int32), axis=1)
        # One more, so that a clip without a frame finds a number here as well.
        starts = tf.concat([[0], tf.cumsum(sizes)], axis=0)  # (steps + 1,)
        frames = starts[-1]

        step = tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)  # (batch, time)
        places = tf.where(mask, tf.gather(starts, step) + rank[:, tf.newaxis], frames)
        rows = tf.where(tf.reshape(mask, [-1]))  # (frames, 1) int64
        targets = tf.gather(tf.reshape(places, [-1]), rows)  # (frames, 1)
        sources = tf.scatter_nd(targets, tf.cast(rows[:, 0], tf.int32), frames[tf.newaxis])
        last = tf.gather(starts, tf.maximum(lengths - 1, 0)) + rank
        some = lengths > 0
        return cls(sources, places, sizes, tf.where(some, rank, frames), tf.where(some, last, frames))

    def pack(self, x: tf.Tensor) -> tf.Tensor:
        """`(batch, time, bands)` to `(frames, bands)`."""

        # By hand, because the gradient of a gather adds row by row, where here no two rows meet.
        @tf.custom_gradient
        def packed(x: tf.Tensor) -> Any:
            return self._pack(x), self._unpack

        return packed(x)

    def unpack(self, rows: tf.Tensor) -> tf.Tensor:
        """`(frames, bands)` to `(batch, time, bands)`, masked frames zero."""

        @tf.custom_gradient
        def unpacked(rows: tf.Tensor) -> Any:
            return self._unpack(rows), self._pack

        return unpacked(rows)

    def _pack(self, x: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.reshape(x, [-1, x.shape[-1]]), self.sources)

    def _unpack(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.gather(_with_zero(rows), self.places)

    def one_each(self, rows: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
        """The row `first` or `last` of every clip, `(batch, bands)`; zeros for one without frames."""
        return tf.gather(_with_zero(rows), which)


def _with_zero(rows: tf.Tensor) -> tf.Tensor:
    return tf.pad(rows, [[0, 1], [0, 0]])

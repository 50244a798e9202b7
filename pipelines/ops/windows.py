"""What is long in pieces of the length a model was trained on: sound, or frames of features."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from pipelines.ops.portable import is_portable

_STRETCH = 0.1  # of a window: a clip up to that much longer is still one window


@dataclass(frozen=True)
class Windows:
    """Windows of a batch of clips, one after the other.

    Attributes:
        clip: int32 `(windows,)`, which clip each is of, increasing.
        start: int32 `(windows,)`, its first sample or frame.
        size: int32 `(windows,)`, its length.
        end: int32 `(windows,)`, where the next one starts, or the clip ends: between start and end
            is what this window alone answers for.
        counts: int32 `(batch,)` windows of each clip, at least 1.
    """

    clip: tf.Tensor
    start: tf.Tensor
    size: tf.Tensor
    end: tf.Tensor
    counts: tf.Tensor


def cut(lengths: tf.Tensor, window: int, *, whole: bool = False) -> Windows:
    """Cut clips into as few windows as cover them, spaced evenly.

    Windows overlap a little rather than leave a short one at the end, which a model has not been
    trained on.

    Args:
        lengths: int32 `(batch,)`, in samples or frames.
        window: Length of a window, likewise.
        whole: Rather let one window follow the other, and leave out what is left at the end, if there is
            a whole one before it.
    """
    tolerated = int((1 + _STRETCH) * window)
    if whole:
        counts = tf.maximum(lengths // window, 1)  # (batch,)
        size = tf.minimum(lengths, window)
        covered = counts * size
    else:
        enough = lengths // window + tf.cast(lengths % window > 0, tf.int32)
        counts = tf.where(lengths <= tolerated, 1, enough)
        size = tf.where(counts > 1, window, lengths)
        covered = lengths
    positions = tf.cast(tf.where(tf.sequence_mask(counts)), tf.int32)  # (windows, 2), clip by clip
    clip, number = positions[:, 0], positions[:, 1]
    # LiteRT divides no int64, and is given clips of minutes, not of days.
    exact = tf.int32 if is_portable() else tf.int64
    room = tf.cast(tf.gather(covered - size, clip), exact)
    last = tf.cast(tf.maximum(tf.gather(counts, clip) - 1, 1), exact)

    def start_of(which: tf.Tensor) -> tf.Tensor:
        which = tf.cast(which, exact)  # room * which // last, without a large product
        return tf.cast(room // last * which + room % last * which // last, tf.int32)

    is_last = tf.equal(number + 1, tf.gather(counts, clip))
    return Windows(
        clip=clip,
        start=start_of(number),
        size=tf.gather(size, clip),
        end=tf.where(is_last, tf.gather(lengths, clip), start_of(number + 1)),
        counts=counts,
    )

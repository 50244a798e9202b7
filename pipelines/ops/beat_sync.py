"""One step per beat: the median of every band between beats, as `librosa.util.sync` takes it.

Sorting is what a median costs. Segments of up to 32 frames, which is where beats lie, are sorted
side by side: one sorting network, every comparison of it one `minimum` and one `maximum` over
all segments and bands, which the processor does many at a time and without a branch. The few
that are longer, as before the first beat, are partitioned one after the other.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from pipelines.ops.portable import map_each, nth_smallest
from pipelines.spec import FeatureSpec

_FAR = 1e30  # beyond all values
_RUN = 16  # frames sorted by the network; two runs make a short segment


def beat_sync(fused: tf.Tensor, beats: tf.Tensor, spec: FeatureSpec) -> tf.Tensor:
    """Median of every band between beats.

    Equals `librosa.util.sync(..., aggregate=np.median)`, chroma as it is and mel as power,
    turned to dB relative to its loudest bin afterwards.

    Args:
        fused: `(time, bands)` float32; the first `n_mels` bands are dB. `bands` is
            `n_bands`, or `n_mels` for mel alone.
        beats: int32 `(n,)` increasing frames; those outside the clip are ignored.
        spec: What the features were made with.

    Returns:
        float32 `(steps, bands)`. n beats after frame 0 give n + 1 steps.
    """
    frames = tf.shape(fused)[0]
    inside = tf.boolean_mask(beats, tf.logical_and(beats > 0, beats < frames))
    bounds = tf.concat([[0], inside, [frames]], axis=0)
    lower, upper = segment_medians(fused, bounds)
    mel = 0.5 * (_db_to_power(lower[:, : spec.n_mels]) + _db_to_power(upper[:, : spec.n_mels]))
    rest = 0.5 * (lower[:, spec.n_mels :] + upper[:, spec.n_mels :])
    level = power_to_db(mel)
    return tf.concat([tf.maximum(level - tf.reduce_max(level), -spec.top_db), rest], axis=-1)


def _db_to_power(db: tf.Tensor) -> tf.Tensor:
    return tf.pow(tf.constant(10.0, db.dtype), 0.1 * db)


def power_to_db(power: tf.Tensor) -> tf.Tensor:
    """`10 log10(power)`, no lower than of 1e-10, as in librosa."""
    return tf.math.log(tf.maximum(power, 1e-10)) * (10.0 / math.log(10.0))


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
    in_order = tf.argsort(tf.concat([short, long], axis=0))
    lower, upper = (
        tf.gather(tf.concat(parts, axis=0), in_order) for parts in zip(of_short, of_long, strict=True)
    )
    return lower, upper


def _of_short(values: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The same of segments of up to two runs, given by first frame and length, both `(segments,)`."""
    frames, bands = tf.shape(values)[0], tf.shape(values)[1]
    starts, lengths = _one_more(starts, lengths)
    # A segment is filled up with as many least values as bring its lower middle to the 16th place of 32.
    padded = tf.concat([values, tf.fill([1, bands], -_FAR), tf.fill([1, bands], _FAR)], axis=0)
    place = np.arange(2 * _RUN, dtype=np.int32).reshape(_RUN, 2, 1)
    low = lengths + (_RUN - 1) - (lengths - 1) // 2
    frame = tf.where(place < lengths, starts + place, tf.where(place < low, frames, frames + 1))
    wires = sort_values(tf.unstack(tf.gather(padded, frame)))  # 16 of (2, segments, bands)
    # One run ascending beside the other descending: the lesser of each pair are the lower 16 of 32.
    rising = tf.stack([wire[0] for wire in wires])
    falling = tf.stack([wire[1] for wire in reversed(wires)])
    lower = tf.reduce_max(tf.minimum(rising, falling), axis=0)  # (segments, bands)
    upper = tf.reduce_min(tf.maximum(rising, falling), axis=0)
    return lower[:-1], tf.where(lengths[:, None] % 2 == 0, upper, lower)[:-1]


def _of_long(values: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The same of segments of any length, one after the other."""

    def of_one(start: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.transpose(values[start : start + length])  # (bands, length)
        return nth_smallest(rows, (length - 1) // 2), nth_smallest(rows, length // 2)

    bands = tf.TensorSpec(values.shape[1:], values.dtype)
    lower, upper = map_each(of_one, _one_more(starts, lengths), (bands, bands))
    return lower[:-1], upper[:-1]


def _one_more(starts: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A segment more than there are: no tensors at all could not be stacked, nor unstacked in LiteRT."""
    return tf.concat([starts, [0]], axis=0), tf.concat([lengths, [1]], axis=0)


def sort_values(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Tensors, as many as a power of two, sorted element by element."""
    half = len(values) // 2
    return merge_sorted(sort_values(values[:half]), sort_values(values[half:])) if half else values


def merge_sorted(first: list[tf.Tensor], second: list[tf.Tensor]) -> list[tf.Tensor]:
    """Two sorted runs of the same length, a power of two, as one, element by element.

    K. E. Batcher's odd-even merge, "Sorting networks and their applications", AFIPS Spring Joint
    Computing Conference, 1968.
    """
    if len(first) == 1:
        return [tf.minimum(first[0], second[0]), tf.maximum(first[0], second[0])]
    even, odd = merge_sorted(first[::2], second[::2]), merge_sorted(first[1::2], second[1::2])
    middle = zip(even[1:], odd[:-1], strict=True)
    pairs = [value for e, o in middle for value in (tf.minimum(e, o), tf.maximum(e, o))]
    return [even[0], *pairs, odd[-1]]

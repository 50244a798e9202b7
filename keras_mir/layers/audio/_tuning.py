"""How far a clip's notes lie off A440, in TensorFlow ops.

Equals `librosa.estimate_tuning` with its defaults: spectral peaks are refined by a parabola
through three bins (J. O. Smith, Spectral Audio Signal Processing, "Quadratic Interpolation of
Spectral Peaks"), the louder half of them votes in a histogram of one hundredth of a bin, and
its highest column wins. Columns are often a single vote apart, so a frequency and its logarithm
are taken in float64 and rounded to float32 where librosa rounds them.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

N_FFT, HOP_LENGTH = 2048, 512  # whatever the clip's own features use, as in the reference
LOWEST, HIGHEST = 150.0, 4000.0  # Hz, of the peaks that vote
PROMINENCE = 0.1  # of the loudest bin of the frame
COLUMNS = 100


def estimate_tuning(audio: Any, lengths: Any, sample_rate: int, bins_per_octave: int) -> Any:
    """Find where in a bin the loud spectral peaks of each clip gather.

    Args:
        audio: `(batch, samples)` float32, zero past the end of each clip.
        lengths: `(batch,)` int32, in samples.
        sample_rate: In Hz, above twice `HIGHEST`.
        bins_per_octave: What a bin is; 12 for a semitone.

    Returns:
        `(batch,)` float32, a multiple of 0.01 in [-0.5, 0.5), in bins; 0 for a clip without peaks.
    """
    margin = N_FFT // 2
    spectrum = tf.abs(
        tf.signal.stft(tf.pad(audio, [[0, 0], [margin, margin]]), N_FFT, HOP_LENGTH, pad_end=False)
    )  # (batch, frames, bins)
    frequencies, magnitudes = _peaks(spectrum, sample_rate)
    in_clip = tf.sequence_mask(1 + lengths // HOP_LENGTH, tf.shape(spectrum)[1])
    magnitudes = _flat(tf.where(in_clip[..., tf.newaxis], magnitudes, 0.0))
    loud = (magnitudes > 0.0) & (magnitudes >= _median_of_positive(magnitudes)[:, tf.newaxis])

    octaves = tf.math.log(tf.cast(_flat(frequencies) / 27.5, tf.float64)) / math.log(2.0)  # from A0
    bins = bins_per_octave * tf.cast(octaves, tf.float32)
    offset = bins - tf.floor(bins + 0.5)  # [-0.5, 0.5)
    column = tf.clip_by_value(tf.cast(COLUMNS * (offset + 0.5), tf.int32), 0, COLUMNS - 1)
    clip = tf.range(tf.shape(audio)[0])[:, tf.newaxis]
    votes = tf.math.unsorted_segment_sum(
        tf.cast(loud, tf.int32), COLUMNS * clip + column, COLUMNS * tf.shape(audio)[0]
    )
    votes = tf.reshape(votes, [-1, COLUMNS])
    winner = tf.cast(tf.argmax(votes, axis=1), tf.float32) / COLUMNS - 0.5
    return tf.where(tf.reduce_any(loud, axis=1), winner, 0.0)


def _peaks(spectrum: Any, sample_rate: int) -> tuple[Any, Any]:
    """Frequency in Hz and magnitude of every bin's peak, `(batch, frames, bins in range)`; 0 for none."""
    first, stop = (math.ceil(limit * N_FFT / sample_rate) for limit in (LOWEST, HIGHEST))
    below, here, above = (spectrum[..., first + k : stop + k] for k in (-1, 0, 1))
    curvature = above + below - 2.0 * here
    slope = (above - below) / 2.0
    inside = tf.abs(slope) < tf.abs(curvature)  # the parabola's vertex is less than a bin away
    shift = tf.where(inside, tf.math.divide_no_nan(-slope, curvature), 0.0)
    is_peak = (here > below) & (here >= above)
    is_peak &= here > PROMINENCE * tf.reduce_max(spectrum, axis=-1, keepdims=True)
    position = tf.range(first, stop, dtype=tf.float64) + tf.cast(shift, tf.float64)
    frequencies = tf.cast(position * (sample_rate / N_FFT), tf.float32)
    return frequencies, tf.where(is_peak, here + 0.5 * slope * shift, 0.0)


def _median_of_positive(values: Any) -> Any:
    """The median of each row's positive entries, of two middle ones the greater.

    Positive floats are ordered as their bit patterns are, so the answer is found bit by bit:
    it is the greatest pattern with at most half of the entries below it. Sorting takes five
    times as long.

    Args:
        values: `(batch, n)` float32, none negative.

    Returns:
        `(batch,)` float32; NaN for a row without positive entries.
    """
    patterns = tf.bitcast(values, tf.int32)
    patterns = tf.where(values > 0.0, patterns, tf.int32.max)  # others are above everything
    half = tf.math.count_nonzero(values > 0.0, axis=1, dtype=tf.int32) // 2
    median = tf.zeros_like(half)
    for bit in reversed(range(31)):
        longer = median + 2**bit
        below = tf.math.count_nonzero(patterns < longer[:, tf.newaxis], axis=1, dtype=tf.int32)
        median = tf.where(below <= half, longer, median)
    return tf.bitcast(median, tf.float32)


def _flat(x: Any) -> Any:
    return tf.reshape(x, [tf.shape(x)[0], -1])

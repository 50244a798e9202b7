"""Audio to pitch classes."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_mir.layers.audio._cqt import BINS_PER_OCTAVE, folded_cqt
from keras_mir.layers.audio.base import AudioLayer, frames_of, zero_past
from keras_mir.layers.base import Shape, Size
from pipelines.ops.portable import histogram, is_portable, magnitude, rfft, wide

N_FFT, HOP_LENGTH = 2048, 512  # of the tuning, whatever the clip's own features use, as in the reference
LOWEST, HIGHEST = 150.0, 4000.0  # Hz, of the peaks that vote
PROMINENCE = 0.1  # of the loudest bin of the frame
COLUMNS = 100
HALVINGS = 40  # of the range of magnitudes, until the median is found: finer than float32


@keras.saving.register_keras_serializable("keras_mir")
class ChromaCQT(AudioLayer):
    """Constant-Q chromagram, the in-graph twin of `librosa.feature.chroma_cqt`.

    The tuning of each clip is estimated first and shifts its filters. Three bins a semitone
    over seven octaves from C1 are folded into pitch classes, and the loudest class of a frame
    is 1. A silent frame is 0. On music the two differ by less than 0.0001 on average, unless the
    votes for two tunings come out even and rounding decides.

    Call arguments:
        inputs: Audio `(batch, samples)` float32 at `sample_rate`, or a list of it and lengths
            `(batch,)` int32, in samples.

    Returns:
        `(batch, 1 + samples // hop_length, n_chroma)` float32, in
        [0, 1], C first. A clip fills its first `1 + length // hop_length` frames; those after
        them are 0.

    Args:
        sample_rate: In Hz, at least 8400: the highest filter ends just below half of that.
        hop_length: Samples from frame to frame.
        n_chroma: Number of pitch classes, a divisor of 36.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self, sample_rate: int = 22050, hop_length: int = 512, n_chroma: int = 12, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if sample_rate < 8400:
            raise ValueError(f"sample_rate {sample_rate}: seven octaves of chroma need 8400 Hz or more")
        if hop_length < 1:
            raise ValueError(f"hop_length {hop_length}: give a positive number of samples")
        if n_chroma < 1 or BINS_PER_OCTAVE % n_chroma:
            raise ValueError(f"n_chroma {n_chroma}: give a divisor of {BINS_PER_OCTAVE}")
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_chroma = n_chroma

    def call(self, inputs: Any) -> Any:
        audio, lengths = self.tensors(inputs)
        audio = zero_past(audio, lengths)
        tuning = estimate_tuning(audio, lengths, self.sample_rate, BINS_PER_OCTAVE)
        octave = folded_cqt(audio, lengths, tuning, self.sample_rate, self.hop_length)
        chroma = tf.matmul(octave, self._classes())  # (batch, frames, n_chroma)
        loudest = tf.reduce_max(chroma, axis=-1, keepdims=True)
        return zero_past(tf.math.divide_no_nan(chroma, loudest), 1 + lengths // self.hop_length)

    def _classes(self) -> Any:
        """Which class a bin belongs to, `(BINS_PER_OCTAVE, n_chroma)`: a class is centred on its bins."""
        merged = BINS_PER_OCTAVE // self.n_chroma
        nearest = (tf.range(BINS_PER_OCTAVE) + merged // 2) // merged % self.n_chroma
        return tf.one_hot(nearest, self.n_chroma)

    def _shapes(self, batch: Size, samples: Size) -> Shape:
        return (batch, frames_of(samples, self.hop_length), self.n_chroma)


def estimate_tuning(audio: Any, lengths: Any, sample_rate: int, bins_per_octave: int) -> Any:
    """Find where in a bin the loud spectral peaks of each clip gather.

    Equals `librosa.estimate_tuning` with its defaults: spectral peaks are refined by a parabola
    through three bins (J. O. Smith, Spectral Audio Signal Processing, "Quadratic Interpolation of
    Spectral Peaks"), the louder half of them votes in a histogram of one hundredth of a bin, and
    its highest column wins. Columns are often a single vote apart, so a frequency and its logarithm
    are taken in float64 and rounded to float32 where librosa rounds them.

    Args:
        audio: `(batch, samples)` float32, zero past the end of each clip.
        lengths: `(batch,)` int32, in samples.
        sample_rate: In Hz, above twice `HIGHEST`.
        bins_per_octave: What a bin is; 12 for a semitone.

    Returns:
        `(batch,)` float32, a multiple of 0.01 in [-0.5, 0.5), in bins; 0 for a clip without peaks.
    """
    margin = N_FFT // 2
    framed = tf.signal.frame(tf.pad(audio, [[0, 0], [margin, margin]]), N_FFT, HOP_LENGTH)
    spectrum = magnitude(rfft(framed * tf.signal.hann_window(N_FFT)))  # (batch, frames, bins)
    frequencies, magnitudes = _peaks(spectrum, sample_rate)
    in_clip = tf.sequence_mask(1 + lengths // HOP_LENGTH, tf.shape(spectrum)[1])
    magnitudes = _flat(tf.where(in_clip[..., tf.newaxis], magnitudes, 0.0))
    loud = (magnitudes > 0.0) & (magnitudes >= _median_of_positive(magnitudes)[:, tf.newaxis])

    octaves = tf.math.log(tf.cast(_flat(frequencies) / 27.5, wide())) / math.log(2.0)  # from A0
    bins = bins_per_octave * tf.cast(octaves, tf.float32)
    offset = bins - tf.floor(bins + 0.5)  # [-0.5, 0.5)
    column = tf.clip_by_value(tf.cast(COLUMNS * (offset + 0.5), tf.int32), 0, COLUMNS - 1)
    votes = histogram(column, loud, COLUMNS)
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
    position = tf.range(first, stop, dtype=wide()) + tf.cast(shift, wide())
    frequencies = tf.cast(position * (sample_rate / N_FFT), tf.float32)
    return frequencies, tf.where(is_peak, here + 0.5 * slope * shift, 0.0)


def _median_of_positive(values: Any) -> Any:
    """The median of each row's positive entries, of two middle ones the greater.

    Positive floats are ordered as their bit patterns are, so the answer is found bit by bit:
    it is the greatest pattern with at most half of the entries below it. Sorting takes five
    times as long.

    From `(batch, n)`, none negative, to `(batch,)`, NaN for a row without positive entries.
    """
    if is_portable():  # no bit patterns: a number that parts the two halves of the entries as well
        half = tf.math.count_nonzero(values > 0.0, axis=1, dtype=tf.int32) // 2
        ranked = tf.where(values > 0.0, values, np.float32(np.inf))
        median = tf.zeros([tf.shape(values)[0]])
        step = tf.reduce_max(values, axis=1)
        for _ in range(HALVINGS):
            step *= 0.5
            below = tf.math.count_nonzero(ranked < (median + step)[:, tf.newaxis], axis=1, dtype=tf.int32)
            median = tf.where(below <= half, median + step, median)
        return median
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

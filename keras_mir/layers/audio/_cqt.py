"""A constant-Q spectrum with its octaves folded into one, in TensorFlow ops.

After J. C. Brown, "Calculation of a constant Q spectral transform" (JASA 89(1), 1991), octave by
octave with the signal halved in rate in between, as in C. Schörkhuber and A. Klapuri,
"Constant-Q transform toolbox for music processing" (SMC 2010). Windows, lengths, scale and
sparsity of the filters are librosa's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.ops.portable import fft, magnitude

OCTAVES = 7
BINS_PER_OCTAVE = 36
LOWEST = 440.0 * 2.0 ** (-45 / 12)  # Hz, the note C1
TOP_OCTAVE = LOWEST * 2.0 ** (OCTAVES - 1 + np.arange(BINS_PER_OCTAVE) / BINS_PER_OCTAVE)  # Hz
BANDWIDTH = (2.0 ** (2 / BINS_PER_OCTAVE) - 1) / (2.0 ** (2 / BINS_PER_OCTAVE) + 1)  # of a frequency: 1 / Q
HANN_BANDWIDTH = 1.5  # equivalent noise bandwidth of the window, in bins
UPPER_EDGE = float(TOP_OCTAVE[-1]) * (1 + 0.5 * HANN_BANDWIDTH * BANDWIDTH)  # Hz, of the highest filter
SPARSITY = 0.01  # of the sum over a filter's spectrum, in its smallest bins: set to 0

_REJECTION = 90.0  # dB, of what would alias
_PASSBAND = (0.6, 0.913)  # of the lower band: at least, for the filters' side lobes; at most, as soxr does


def folded_cqt(audio: Any, lengths: Any, tuning: Any, sample_rate: int, hop_length: int) -> Any:
    """Sum the magnitudes of the constant-Q spectrum over octaves, bin by bin.

    From audio `(batch, samples)` float32, zero past the end of each clip, and its tuning `(batch,)` in
    bins to `(batch, 1 + samples // hop_length, BINS_PER_OCTAVE)` float32, where bin 0 is C.
    """
    # So often that the highest octave ends above a quarter of the Nyquist frequency, and below half of it.
    early_halvings = max(0, math.ceil(math.log2(sample_rate / 2 / UPPER_EDGE)) - 2)
    rate = sample_rate / 2**early_halvings  # at which the highest octave is analysed, in Hz
    # An octave lower at half the rate is the same number of samples and of cycles per sample, so the
    # filters of the highest octave serve all.
    filters, low_pass = _filters(tuning, rate), _low_pass(rate)
    samples = audio.shape[1] or tf.shape(audio)[1]
    centres = hop_length * tf.range(1 + samples // hop_length)
    folded = 0.0
    for halvings in range(early_halvings + OCTAVES):
        if halvings > 0:
            lengths = (lengths + 1) // 2
            audio = _halve(audio, lengths, low_pass)
        octave = halvings - early_halvings  # from the top
        if octave >= 0:
            nearest = (centres + 2**halvings // 2) // 2**halvings
            # The scale is the square root of a filter's length, which doubles with every octave.
            folded += 2.0 ** (octave / 2) * _magnitudes(audio, nearest, filters)
    return folded


def _filters(tuning: Any, rate: float) -> Any:
    """Windowed complex sinusoids of the highest octave, for a product with frames of the signal.

    `(batch, width, 2 * BINS_PER_OCTAVE)` float32, real parts, then imaginary; `width` is a power of two
    that holds the longest filter at any tuning.
    """
    lowest = TOP_OCTAVE[0] * 2.0 ** (-0.5 / BINS_PER_OCTAVE)
    width = int(2 ** math.ceil(math.log2(rate / (BANDWIDTH * lowest))))
    shift = 2.0 ** (tuning[:, tf.newaxis, tf.newaxis] / BINS_PER_OCTAVE)
    frequency = shift * TOP_OCTAVE.astype(np.float32)[:, np.newaxis]  # (batch, bins, 1)
    length = rate / (BANDWIDTH * frequency)
    before, after = tf.math.ceil(length / 2), tf.floor(length / 2)  # samples, of the middle
    time = np.arange(-width // 2, width // 2, dtype=np.float32)  # (width,)
    window = 0.5 - 0.5 * tf.cos(2 * math.pi * (time + before) / (before + after))
    window = tf.where((time >= -before) & (time < after), window, 0.0)
    window *= tf.sqrt(length) / tf.reduce_sum(window, axis=-1, keepdims=True)
    phase = 2 * math.pi / rate * frequency * time
    spectrum = _sparse(fft(tf.stack([window * tf.cos(phase), window * tf.sin(phase)], axis=-1)))
    # A forward transform instead of the inverse turns time around, as a convolution wants it.
    filters = tf.transpose(fft(spectrum), [0, 2, 3, 1]) / width  # (batch, width, 2, bins)
    return tf.reshape(filters, [-1, width, 2 * BINS_PER_OCTAVE])


def _low_pass(rate: float) -> np.ndarray:
    """Kaiser's windowed sinc that cuts the band in half and keeps the next octave, float32 `(taps,)`."""
    from scipy.signal import firwin, kaiserord

    passband = float(np.clip(2 * UPPER_EDGE / rate, *_PASSBAND))
    taps, beta = kaiserord(_REJECTION, 1 - passband)
    return firwin(taps | 1, 0.5, window=("kaiser", beta)).astype(np.float32)


def _sparse(spectrum: Any) -> Any:
    """Without negative frequencies and without the smallest bins, which together are `SPARSITY`."""
    width = spectrum.shape[-2]
    positive = width // 2 + 1
    loudness = magnitude(spectrum[..., :positive, :])  # (batch, bins, positive)
    ascending = tf.sort(loudness, axis=-1)
    share = tf.cumsum(ascending, axis=-1) / tf.reduce_sum(ascending, axis=-1, keepdims=True)
    smallest = tf.reduce_min(tf.where(share < SPARSITY, np.inf, ascending), axis=-1, keepdims=True)
    kept = tf.where((loudness >= smallest)[..., tf.newaxis], spectrum[..., :positive, :], 0.0)
    return tf.pad(kept, [[0, 0], [0, 0], [0, width - positive], [0, 0]])


def _halve(audio: Any, lengths: Any, low_pass: np.ndarray) -> Any:
    """Every second sample, low-passed; `lengths` cut off what rings on past the end of a clip."""
    margin = len(low_pass) // 2
    padded = tf.pad(audio, [[0, 0], [margin, margin]])[..., tf.newaxis]
    halved = tf.nn.conv1d(padded, low_pass[:, np.newaxis, np.newaxis], stride=2, padding="VALID")[..., 0]
    return tf.where(tf.sequence_mask(lengths, tf.shape(halved)[1]), halved, 0.0)


def _magnitudes(audio: Any, centres: Any, filters: Any) -> Any:
    """What the filters answer at `centres`, `(batch, frames, BINS_PER_OCTAVE)`."""
    width = filters.shape[1]
    padded = tf.pad(audio, [[0, 0], [width // 2, width // 2]])
    frames = tf.gather(padded, centres[:, tf.newaxis] + tf.range(width), axis=1)  # (batch, frames, width)
    real, imaginary = tf.split(tf.matmul(frames, filters), 2, axis=-1)
    return tf.sqrt(real**2 + imaginary**2)

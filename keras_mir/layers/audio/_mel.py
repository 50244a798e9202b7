"""Mel bands of a power spectrum, in TensorFlow ops."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

AMIN = 1e-10  # power below which librosa's dB scale stops


def mel_bands(power: Any, sample_rate: int, n_fft: int, n_mels: int) -> Any:
    """Equals `librosa.feature.melspectrogram(S=power)`, transposed.

    Args:
        power: `(..., 1 + n_fft // 2)` float32.
        sample_rate: In Hz.
        n_fft: Length of the spectrum's window in samples.
        n_mels: Number of bands.

    Returns:
        `(..., n_mels)` float32.
    """
    from librosa.filters import mel  # seconds of import, so not before it is needed

    return tf.matmul(power, tf.constant(mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels).T))


def decibels(power: Any) -> Any:
    """`10 log10(power)`, no lower than of `AMIN`."""
    return tf.math.log(tf.maximum(power, AMIN)) * (10.0 / math.log(10.0))

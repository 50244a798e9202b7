"""The percussive part of a clip: what has drums in it and lacks sustained notes.

D. Fitzgerald, "Harmonic/percussive separation using median filtering" (DAFx 2010): a median along
time keeps what lasts, one along frequency what is struck, and a soft mask weighs the two.
"""

from __future__ import annotations

import librosa
import numpy as np

from pipelines.extraction.running_median import running_median

_KERNEL = 31  # frames, and bins, of the two medians


def percussive(stft: np.ndarray) -> np.ndarray:
    """Mask what is not percussive.

    Equals `librosa.decompose.hpss(stft)[1]` to the last bit: beats may hang on that.

    Args:
        stft: complex64 `(bins, frames)`.

    Returns:
        complex64 `(bins, frames)`.
    """
    magnitude, phase = librosa.magphase(stft)
    struck = running_median(np.ascontiguousarray(magnitude), _KERNEL)
    lasting = running_median(np.ascontiguousarray(magnitude.T), _KERNEL).T
    return np.asarray(magnitude * _soft_mask(struck, lasting) * phase)


def _soft_mask(wanted: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Share of the wanted power in the sum of both, a half where there is none."""
    loudest = np.maximum(wanted, other)
    silent = loudest < np.finfo(np.float32).tiny
    loudest[silent] = 1.0
    power = (wanted / loudest) ** 2  # of numbers up to 1, which cannot overflow
    shares = power + (other / loudest) ** 2
    shares[silent] = 1.0
    mask = power / shares
    mask[silent] = 0.5
    return np.asarray(mask)

"""How far a clip's notes lie off A440."""

from __future__ import annotations

import librosa
import numpy as np

N_FFT, HOP_LENGTH = 2048, 512  # of the spectrogram it is found in, whatever the features use
_LOWEST, _HIGHEST = 150.0, 4000.0  # Hz, of the peaks that vote
_PROMINENCE = 0.1  # of the loudest bin of the frame


def estimate_tuning(magnitude: np.ndarray, sample_rate: int, bins_per_octave: int) -> float:
    """Find where in a bin the loud spectral peaks gather.

    Equals `librosa.estimate_tuning`, which refines peaks by a parabola through three bins and lets
    the louder half of them vote; but looks only where peaks count.

    Args:
        magnitude: float32 `(bins, frames)` of a spectrogram with `N_FFT` and `HOP_LENGTH`.
        sample_rate: In Hz.
        bins_per_octave: What a bin is; 12 for a semitone.

    Returns:
        A multiple of 0.01 in [-0.5, 0.5), in bins; 0 for a clip without peaks.
    """
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=N_FFT)
    first, stop = np.searchsorted(frequencies, (_LOWEST, min(_HIGHEST, sample_rate / 2)))
    below, here, above = (magnitude[first + k : stop + k] for k in (-1, 0, 1))
    threshold = _PROMINENCE * magnitude.max(axis=0)
    at = np.nonzero((here > below) & (here >= above) & (here > threshold))
    if len(at[0]) == 0:
        return 0.0
    below, here, above = below[at], here[at], above[at]
    curvature, slope = above + below - 2 * here, (above - below) / 2
    inside = np.abs(slope) < np.abs(curvature)  # the parabola's vertex is less than a bin away
    shift = np.where(inside, -slope / np.where(inside, curvature, 1), 0).astype(np.float32)
    pitches = ((first + at[0] + shift) * (float(sample_rate) / N_FFT)).astype(np.float32)
    heights = here + np.float32(0.5) * slope * shift
    loud = heights >= np.median(heights)
    return float(librosa.pitch_tuning(pitches[loud], bins_per_octave=bins_per_octave))

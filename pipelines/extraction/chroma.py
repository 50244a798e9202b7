"""The constant-Q chromagram of the reference recipe, in a third of its time.

An octave lower at half the rate is the same number of cycles per sample, so one bank of filters,
kept from clip to clip of the same tuning, serves all octaves; and it is applied in the few bins
of the spectrum where it is not zero. After J. C. Brown, "Calculation of a constant Q spectral
transform" (JASA 89(1), 1991), and C. Schörkhuber and A. Klapuri, "Constant-Q transform toolbox
for music processing" (SMC 2010).
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, log2

import librosa
import numpy as np
import scipy.fft
from librosa.filters import cq_to_chroma, wavelet

OCTAVES = 7
BINS_PER_OCTAVE = 36
LOWEST = 440.0 * 2.0 ** (-45 / 12)  # Hz, the note C1
_SPARSITY = 0.01  # of the sum over a filter's spectrum, in its smallest bins: set to 0
_HANN_BANDWIDTH = 1.5  # equivalent noise bandwidth of the window, in bins
_BANDWIDTH = (2.0 ** (2 / BINS_PER_OCTAVE) - 1) / (2.0 ** (2 / BINS_PER_OCTAVE) + 1)  # of a frequency: 1 / Q
TUNING_FFT, TUNING_HOP = 2048, 512  # of the spectrogram a tuning is found in, whatever the features use
_LOWEST_PEAK, _HIGHEST_PEAK = 150.0, 4000.0  # Hz, of the peaks that vote
_PROMINENCE = 0.1  # of the loudest bin of the frame
_KEPT_TUNINGS = 128  # more than the hundred there are


def chroma_cqt(
    audio: np.ndarray, sample_rate: int, hop_length: int, n_chroma: int, tuning: float
) -> np.ndarray:
    """Energy by pitch class.

    Equals `librosa.feature.chroma_cqt(y=audio, sr=sample_rate, hop_length=hop_length,
    n_chroma=n_chroma, tuning=tuning)` up to rounding.

    Args:
        audio: float32 `(samples,)`.
        sample_rate: In Hz.
        hop_length: Samples from frame to frame.
        n_chroma: Pitch classes.
        tuning: Tuning of the clip, in bins; see `estimate_tuning`.

    Returns:
        float32 `(n_chroma, frames)`, the largest of each frame 1.

    Raises:
        librosa.ParameterError: If the highest filter does not fit below half the sample rate.
    """
    halvings = _early_halvings(sample_rate, hop_length)
    if halvings:
        audio = _slower(audio, 2**halvings)
    rate, hop = sample_rate / 2**halvings, hop_length // 2**halvings
    folded = []
    for octave in reversed(range(OCTAVES)):
        lowest = LOWEST * 2.0 ** (octave + tuning / BINS_PER_OCTAVE)
        width, used, filters = _filters(lowest / rate)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(audio, width // 2), width)[::hop]
        folded.append(np.abs(scipy.fft.rfft(windows)[:, used] @ filters))
        if hop % 2 == 0:
            audio, rate, hop = _slower(audio, 2), rate / 2, hop // 2
    frames = min(len(response) for response in folded)
    bins = np.sum([response[:frames] for response in folded], axis=0)  # (frames, BINS_PER_OCTAVE)
    to_chroma = cq_to_chroma(BINS_PER_OCTAVE, bins_per_octave=BINS_PER_OCTAVE, n_chroma=n_chroma)
    return np.asarray(librosa.util.normalize(to_chroma @ bins.T, norm=np.inf, axis=0), np.float32)


@lru_cache(_KEPT_TUNINGS)
def _filters(lowest: float) -> tuple[int, slice, np.ndarray]:
    """Filters of the octave from `lowest` on, in cycles per sample.

    Returns:
        Samples of a frame, the bins of its spectrum where the filters are not zero, and the filters
        there, complex64 `(bins, BINS_PER_OCTAVE)`.
    """
    frequencies = lowest * 2.0 ** (np.arange(BINS_PER_OCTAVE) / BINS_PER_OCTAVE)
    bandwidth = np.full(BINS_PER_OCTAVE, _BANDWIDTH)
    filters, lengths = wavelet(freqs=frequencies, sr=1.0, norm=1, alpha=bandwidth)
    width = filters.shape[1]
    spectra = scipy.fft.fft(filters * (np.sqrt(lengths) / width)[:, np.newaxis])[:, : width // 2 + 1]
    sparse = librosa.util.sparsify_rows(spectra, quantile=_SPARSITY).toarray()
    used = np.flatnonzero(sparse.any(axis=0))
    bins = slice(int(used[0]), int(used[-1]) + 1)
    return width, bins, np.ascontiguousarray(sparse[:, bins].T, np.complex64)


def _early_halvings(sample_rate: int, hop_length: int) -> int:
    """Halvings of the rate before the highest octave: what its filters and the hops allow."""
    highest = LOWEST * 2.0 ** (OCTAVES - 1 / BINS_PER_OCTAVE)
    edge = highest * (1 + 0.5 * _HANN_BANDWIDTH * _BANDWIDTH)
    if edge > sample_rate / 2:
        raise librosa.ParameterError(f"the highest filter ends at {edge:.0f} Hz, above half the sample rate")
    by_filters = ceil(log2(sample_rate / 2 / edge)) - 2
    by_hops = (hop_length & -hop_length).bit_length() - OCTAVES
    return max(0, min(by_filters, by_hops))


def _slower(audio: np.ndarray, times: int) -> np.ndarray:
    return librosa.resample(audio, orig_sr=times, target_sr=1, res_type="soxr_hq", scale=True)


def estimate_tuning(magnitude: np.ndarray, sample_rate: int, bins_per_octave: int) -> float:
    """How far a clip's notes lie off A440: find where in a bin the loud spectral peaks gather.

    Equals `librosa.estimate_tuning`, which refines peaks by a parabola through three bins and lets
    the louder half of them vote; but looks only where peaks count.

    Args:
        magnitude: float32 `(bins, frames)` of a spectrogram with `TUNING_FFT` and `TUNING_HOP`.
        sample_rate: In Hz.
        bins_per_octave: What a bin is; 12 for a semitone.

    Returns:
        A multiple of 0.01 in [-0.5, 0.5), in bins; 0 for a clip without peaks.
    """
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=TUNING_FFT)
    first, stop = np.searchsorted(frequencies, (_LOWEST_PEAK, min(_HIGHEST_PEAK, sample_rate / 2)))
    below, here, above = (magnitude[first + k : stop + k] for k in (-1, 0, 1))
    threshold = _PROMINENCE * magnitude.max(axis=0)
    at = np.nonzero((here > below) & (here >= above) & (here > threshold))
    if len(at[0]) == 0:
        return 0.0
    below, here, above = below[at], here[at], above[at]
    curvature, slope = above + below - 2 * here, (above - below) / 2
    inside = np.abs(slope) < np.abs(curvature)  # the parabola's vertex is less than a bin away
    shift = np.where(inside, -slope / np.where(inside, curvature, 1), 0).astype(np.float32)
    pitches = ((first + at[0] + shift) * (float(sample_rate) / TUNING_FFT)).astype(np.float32)
    heights = here + np.float32(0.5) * slope * shift
    loud = heights >= np.median(heights)
    return float(librosa.pitch_tuning(pitches[loud], bins_per_octave=bins_per_octave))

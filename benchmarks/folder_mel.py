"""Mel spectrograms of a folder of mp3 and ogg: what is asked for, and the processes that do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.inputs import COMPRESSED_RATE
from benchmarks.row import DifferenceError, Results
from benchmarks.warm_pool import WarmPool

RATE, N_FFT, HOP, BANDS = COMPRESSED_RATE, 2048, 1024, 128

_RANGE_DB = 80.0
_LAST = 3  # frames that reach past a clip's end: essentia decodes some samples more of an ogg's last page
_MOST_DB, _MEAN_DB = 0.5, 0.01

MelOf = Callable[[Path], np.ndarray]


class Making(WarmPool):
    """Mel spectrograms of clips.

    Args:
        mel_of: A module's function, from a file to mel power, float32 `(frames, BANDS)`.
        clips: The files.
    """

    def __init__(self, mel_of: MelOf, clips: list[Path]) -> None:
        self._mel_of = mel_of
        super().__init__(clips)

    def result(self) -> Results:
        """The mel of every clip, by name."""
        return dict(zip((clip.name for clip in self._clips), self._make(self._clips), strict=True))

    def _make(self, clips: list[Path]) -> list[np.ndarray]:
        return self._mapped(self._mel_of, clips)


def same_mel(ours: Results, theirs: Results) -> None:
    """The same dB below a clip's loudest bin: within 0.5 everywhere, 0.01 on average, but for its end.

    essentia decodes to 16 bits, and PyTorch's transform is in single precision: that shows in bins far
    below their neighbours.

    Raises:
        DifferenceError: If a clip differs by more.
    """
    if ours.keys() != theirs.keys():
        raise DifferenceError(f"one gives {sorted(ours)}, the other {sorted(theirs)}")
    for name, power in ours.items():
        other = theirs[name]
        frames = len(power) - _LAST
        if power.shape[1] != other.shape[1] or abs(len(power) - len(other)) > _LAST:
            raise DifferenceError(f"{name}: shapes {power.shape} and {other.shape}")
        difference = np.abs(_decibels(power[:frames]) - _decibels(other[:frames]))
        most, mean = float(difference.max()), float(difference.mean())
        if not (most < _MOST_DB and mean < _MEAN_DB):
            raise DifferenceError(f"{name}: differs by up to {most:.2g} dB, {mean:.2g} on average")


def _decibels(power: np.ndarray) -> np.ndarray:
    level = 10 * np.log10(np.maximum(power, 1e-10))
    found: np.ndarray = np.maximum(level - level.max(), -_RANGE_DB)
    return found

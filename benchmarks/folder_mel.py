"""Mel spectrograms of a folder of mp3 and ogg: what is asked for, and the processes that do it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.inputs import COMPRESSED_RATE
from benchmarks.machine import cores
from benchmarks.row import DifferenceError, Results

RATE, N_FFT, HOP, BANDS = COMPRESSED_RATE, 2048, 1024, 128

_RANGE_DB = 80.0
_LAST = 3  # frames that reach past a clip's end: essentia hears some samples more of an ogg's last page
_MOST_DB, _MEAN_DB = 0.5, 0.01

MelOf = Callable[[Path], np.ndarray]


class Making:
    """Processes that are warm, one thread each, for there is one a core.

    Args:
        mel_of: A module's function, from a file to mel power, float32 `(frames, BANDS)`.
        clips: The files.
    """

    def __init__(self, mel_of: MelOf, clips: list[Path]) -> None:
        self._mel_of, self._clips = mel_of, clips
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._pool = multiprocessing.get_context("spawn").Pool(cores())
        self._make(clips[:1])  # one process alone: what two compile at a time may not fit together
        self._make(clips[: 2 * cores()])

    def run(self) -> None:
        """Make all."""
        self._make(self._clips)

    def result(self) -> Results:
        """The mel of every clip, by name."""
        return dict(zip((clip.name for clip in self._clips), self._make(self._clips), strict=True))

    def _make(self, clips: list[Path]) -> list[np.ndarray]:
        return self._pool.map(self._mel_of, clips, chunksize=1)


def same_mel(ours: Results, theirs: Results) -> None:
    """The same dB below a clip's loudest bin: within 0.5 everywhere, 0.01 on average, but for its end.

    essentia's window is symmetric, ours periodic, and PyTorch's transform is in single precision: that is
    heard in bins far below their neighbours.

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

"""librosa's beat tracker and median sync on the same spectrograms, in a process a core."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.machine import cores
from benchmarks.row import Results

N_MELS = 128


def sync(path: Path) -> np.ndarray:
    """Beat-synchronous `(steps, bands)` of a fused spectrogram `(bands, time)`: mel as power, then dB."""
    import librosa
    from librosa.beat import beat_track
    from librosa.onset import onset_strength

    fused = np.load(path)
    mel, chroma = fused[:N_MELS], fused[N_MELS:]
    envelope = onset_strength(S=mel, sr=22050, hop_length=512)
    _, beats = beat_track(onset_envelope=envelope, sr=22050, hop_length=512)
    power = librosa.util.sync(librosa.db_to_power(mel), beats, aggregate=np.median)
    synced = librosa.power_to_db(power, ref=np.max)
    return np.concatenate([synced, librosa.util.sync(chroma, beats, aggregate=np.median)]).T


class Syncing:
    """A pool of processes that have librosa imported and compiled."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._pool = multiprocessing.get_context("spawn").Pool(cores())
        self._pool.apply(sync, (paths[0],))  # one alone: what two compile at a time may not fit together
        self._pool.map(sync, paths[: 2 * cores()], chunksize=1)

    def run(self) -> None:
        """Go through all clips; what is made stays in the processes, as a pipeline of theirs would."""
        self._pool.map(_without_answer, self._paths, chunksize=1)

    def result(self) -> Results:
        """`(steps, bands)` of every clip."""
        return {f"{i:03d}": value for i, value in enumerate(self._pool.map(sync, self._paths, chunksize=1))}


def _without_answer(path: Path) -> None:
    sync(path)


def prepare(inputs: Inputs, clips: int) -> Syncing:
    """Start the processes."""
    return Syncing(inputs.spectrograms(clips))

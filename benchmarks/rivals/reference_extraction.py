"""The reference recipe from clips to gzipped files, in a process a core."""

from __future__ import annotations

import gzip
import io
import multiprocessing
import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.machine import cores
from benchmarks.rivals.reference_recipe import features, load
from benchmarks.row import Results


def extract(task: tuple[Path, Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write a clip's two files into a folder."""
    path, folder = task
    fused, synced, beats = features(load(path))
    for name, array in (("fused.full", fused), ("beatsync.fused", synced)):
        buffer = io.BytesIO()
        np.save(buffer, array)
        (folder / f"{path.stem}.{name}.npy.gz").write_bytes(gzip.compress(buffer.getvalue(), 6))
    return fused, synced, beats


class Extracting:
    """Processes with librosa imported and compiled, one thread each, for there is one a core."""

    def __init__(self, clips: list[Path]) -> None:
        self._clips = clips
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._pool = multiprocessing.get_context("spawn").Pool(cores())
        self._extract(clips[:1])  # one process alone: what two compile at a time may not fit together
        self._extract(clips[: 2 * cores()])

    def run(self) -> None:
        """Extract all clips."""
        self._extract(self._clips)

    def result(self) -> Results:
        """Both arrays and the beats of every clip."""
        found: dict[str, np.ndarray] = {}
        for path, arrays in zip(self._clips, self._extract(self._clips), strict=True):
            found |= {
                f"{path.stem}/{name}": array
                for name, array in zip(("fused", "synced", "beats"), arrays, strict=True)
            }
        return found

    def _extract(self, clips: list[Path]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        with tempfile.TemporaryDirectory() as folder:
            return self._pool.map(extract, [(clip, Path(folder)) for clip in clips], chunksize=1)


def prepare(inputs: Inputs, clips: int) -> Extracting:
    """Start the processes."""
    return Extracting(inputs.clips(clips))

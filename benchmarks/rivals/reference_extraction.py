"""The reference recipe from clips to gzipped files, in a process a core."""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.rivals.reference_recipe import features, load
from benchmarks.row import Results
from benchmarks.warm_pool import WarmPool


def extract(task: tuple[Path, Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write a clip's two files into a folder."""
    path, folder = task
    fused, synced, beats = features(load(path))
    for name, array in (("fused.full", fused), ("beatsync.fused", synced)):
        buffer = io.BytesIO()
        np.save(buffer, array)
        (folder / f"{path.stem}.{name}.npy.gz").write_bytes(gzip.compress(buffer.getvalue(), 6))
    return fused, synced, beats


class Extracting(WarmPool):
    """Both files of every clip."""

    def result(self) -> Results:
        """Both arrays and the beats of every clip."""
        found: dict[str, np.ndarray] = {}
        for path, arrays in zip(self._clips, self._make(self._clips), strict=True):
            found |= {
                f"{path.stem}/{name}": array
                for name, array in zip(("fused", "synced", "beats"), arrays, strict=True)
            }
        return found

    def _make(self, clips: list[Path]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        with tempfile.TemporaryDirectory() as folder:
            return self._mapped(extract, [(clip, Path(folder)) for clip in clips])


def prepare(inputs: Inputs, clips: int) -> Extracting:
    """Start the processes."""
    return Extracting(inputs.clips(clips))

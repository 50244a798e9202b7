"""`pipelines.extraction.features` from clips to gzipped files, in a process a core."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path

from benchmarks.inputs import Inputs
from benchmarks.machine import cores
from benchmarks.row import Results
from pipelines.extraction.features import Extraction, extract
from pipelines.files import gzip_npy_bytes
from pipelines.spec import FeatureSpec


def extract_to(task: tuple[Path, Path]) -> Extraction:
    """Write a clip's two files into a folder."""
    path, folder = task
    made = extract(path, FeatureSpec())
    (folder / f"{path.stem}.fused.full.npy.gz").write_bytes(gzip_npy_bytes(made.fused))
    (folder / f"{path.stem}.beatsync.fused.npy.gz").write_bytes(gzip_npy_bytes(made.beat_fused))
    return made


class Extracting:
    """Processes that are warm, one thread each, for there is one a core."""

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
        return {
            f"{path.stem}/{name}": array
            for path, made in zip(self._clips, self._extract(self._clips), strict=True)
            for name, array in (("fused", made.fused), ("synced", made.beat_fused), ("beats", made.beats))
        }

    def _extract(self, clips: list[Path]) -> list[Extraction]:
        with tempfile.TemporaryDirectory() as folder:
            return self._pool.map(extract_to, [(clip, Path(folder)) for clip in clips], chunksize=1)


def prepare(inputs: Inputs, clips: int) -> Extracting:
    """Start the processes."""
    return Extracting(inputs.clips(clips))

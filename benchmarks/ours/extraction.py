"""`pipelines.extraction.features` from clips to gzipped files, in a process a core."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.inputs import Inputs
from benchmarks.row import Results
from benchmarks.warm_pool import WarmPool
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


class Extracting(WarmPool):
    """Both files of every clip."""

    def result(self) -> Results:
        """Both arrays and the beats of every clip."""
        return {
            f"{path.stem}/{name}": array
            for path, made in zip(self._clips, self._make(self._clips), strict=True)
            for name, array in (("fused", made.fused), ("synced", made.beat_fused), ("beats", made.beats))
        }

    def _make(self, clips: list[Path]) -> list[Extraction]:
        with tempfile.TemporaryDirectory() as folder:
            return self._mapped(extract_to, [(clip, Path(folder)) for clip in clips])


def prepare(inputs: Inputs, clips: int) -> Extracting:
    """Start the processes."""
    return Extracting(inputs.clips(clips))

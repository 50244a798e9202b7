"""Decompression alone, by zlib in a thread a core: what no reader of these files can do without."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from benchmarks.inputs import Inputs, forget
from benchmarks.machine import cores
from benchmarks.row import Results


class Inflating:
    """A thread a core; zlib lets go of Python's lock."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._threads = ThreadPoolExecutor(cores())

    def run(self) -> float:
        """Decompress all files, which the system has to fetch anew."""
        forget(self._paths)
        start = perf_counter()
        for _ in self._threads.map(_inflate, self._paths):
            pass
        return perf_counter() - start

    def result(self) -> Results:
        """Nothing to compare."""
        return {}


def _inflate(path: Path) -> int:
    return len(zlib.decompress(path.read_bytes(), wbits=31))


def prepare(inputs: Inputs, clips: int) -> Inflating:
    """Start the threads."""
    return Inflating(inputs.fused_files(clips))

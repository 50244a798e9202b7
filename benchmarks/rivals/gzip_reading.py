"""numpy and gzip, in as many processes, or threads, as there are cores."""

from __future__ import annotations

import gzip
import io
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.inputs import Inputs, forget
from benchmarks.machine import cores
from benchmarks.row import Results


def read(path: Path) -> np.ndarray:
    """A spectrogram `(time, bands)` float32."""
    array: np.ndarray = np.load(io.BytesIO(gzip.decompress(path.read_bytes())))
    return np.ascontiguousarray(array.T, np.float32)


class Reading:
    """A pool that reads; the arrays arrive in this process, where a model would take them."""

    def __init__(self, paths: list[Path], how: str) -> None:
        self._paths = paths
        self._pool = None if how == "threads" else multiprocessing.get_context("spawn").Pool(cores())
        self._threads = ThreadPoolExecutor(cores())

    def run(self) -> float:
        """Read all files, which the system has to fetch anew."""
        from time import perf_counter

        forget(self._paths)
        start = perf_counter()
        for _ in self._read():
            pass
        return perf_counter() - start

    def result(self) -> Results:
        """All arrays."""
        return {f"{index:03d}": array for index, array in enumerate(self._read())}

    def _read(self) -> Iterator[np.ndarray]:
        if self._pool is None:
            return iter(self._threads.map(read, self._paths))
        return self._pool.imap(read, self._paths, chunksize=4)


def prepare(inputs: Inputs, clips: int, how: str) -> Reading:
    """Start the pool."""
    return Reading(inputs.fused_files(clips), how)

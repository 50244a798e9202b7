"""The course's data set when it is made: every file read, one after another."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from benchmarks.inputs import Inputs, forget
from benchmarks.rivals.course_loader import Spectrograms
from benchmarks.row import Results


class Reading:
    """Makes the data set anew."""

    def __init__(self, inputs: Inputs, clips: int) -> None:
        self._paths = inputs.fused_files(clips)

    def run(self) -> float:
        """Read all files, which the system has to fetch anew."""
        forget(self._paths)
        start = perf_counter()
        self._data()
        return perf_counter() - start

    def result(self) -> Results:
        """All arrays."""
        arrays = self._data().features
        return {f"{index:03d}": np.asarray(array, np.float32) for index, array in enumerate(arrays)}

    def _data(self) -> Spectrograms:
        return Spectrograms(self._paths, [0] * len(self._paths))


def prepare(inputs: Inputs, clips: int) -> Reading:
    """Find the files."""
    return Reading(inputs, clips)

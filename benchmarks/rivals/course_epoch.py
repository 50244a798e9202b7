"""Epochs of the course's DataLoader, everything in memory."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np
import torch

from benchmarks.inputs import Inputs
from benchmarks.rivals.course_loader import Spectrograms, batches
from benchmarks.row import Results


class Epochs:
    """Epoch after epoch of one data set."""

    def __init__(self, inputs: Inputs, sync: str, batch_size: int, epochs: int, workers: int) -> None:
        folder = "fma_genre_spectrograms_beat" if sync == "beat" else "fma_genre_spectrograms"
        paths = sorted(inputs.features().glob(f"{folder}/*/*.npy.gz"))
        self._epochs = epochs
        self._loader = batches(Spectrograms(paths, [0] * len(paths)), batch_size, workers)

    def run(self) -> float:
        """Go through so many epochs on end; the seconds of one."""
        start = perf_counter()
        for _ in range(self._epochs):
            for _ in self._loader:
                pass
        return (perf_counter() - start) / self._epochs

    def result(self) -> Results:
        """Length and sum of every example, in the order of the sums."""
        lengths, sums = [], []
        epoch: Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = iter(self._loader)
        for features, _, length in epoch:
            lengths += length.tolist()
            sums += features.numpy().sum(axis=(1, 2), dtype=np.float64).tolist()
        order = np.argsort(sums)
        return {"lengths": np.array(lengths, np.int32)[order], "sums": np.array(sums)[order]}


def prepare(inputs: Inputs, sync: str, batch_size: int, epochs: int, workers: int) -> Epochs:
    """Read all into memory."""
    return Epochs(inputs, sync, batch_size, epochs, workers)

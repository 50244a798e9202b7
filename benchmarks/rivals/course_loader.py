"""The course's way: a PyTorch data set that holds everything, padded with zeros, and a DataLoader."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


def read(path: Path) -> np.ndarray:
    """A spectrogram `(time, bands)`, as the course reads it."""
    with gzip.GzipFile(path, "r") as file:
        array: np.ndarray = np.load(file)
    return array.T


class Spectrograms(Dataset):  # type: ignore[type-arg, misc, unused-ignore]
    """All spectrograms in memory, padded with zeros to the longest when one is asked for."""

    def __init__(self, paths: Sequence[Path], labels: Sequence[int]) -> None:
        self.features = [read(path) for path in paths]
        self.labels = torch.tensor(labels, dtype=torch.int64)
        self.lengths = [len(array) for array in self.features]
        self.longest = max(self.lengths)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        array = self.features[index]
        padded = np.zeros((self.longest, array.shape[1]), np.float32)
        padded[: len(array)] = array
        return torch.from_numpy(padded), self.labels[index], self.lengths[index]


def batches(data: Spectrograms, batch_size: int, workers: int) -> DataLoader:  # type: ignore[type-arg, unused-ignore]
    """Shuffled batches."""
    return DataLoader(data, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)

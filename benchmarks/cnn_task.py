"""The paper's CNN as both sides train it: its size, its first weights, and a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FRAMES, BANDS, CLASSES = 1293, 128, 8
FILTERS, POOLS, KERNEL = (32, 64, 128, 256), (2, 2, 4, 4), 3
EMBEDDING = 10_240
EPSILON, LEARNING_RATE = 1e-5, 0.01


@dataclass(frozen=True)
class Task:
    """Weights and a batch, float32; as TensorFlow has them.

    Attributes:
        kernels: `(3, 3, in, out)` of each convolution.
        dense: `(embedding, classes)`; the embedding is flattened from `(time, bands, channels)`.
        features: `(batch, time, bands)`.
        labels: `(batch,)` int64.
    """

    kernels: tuple[np.ndarray, ...]
    dense: np.ndarray
    features: np.ndarray
    labels: np.ndarray


def make_task(batch_size: int) -> Task:
    """The same one for the same size of batch."""
    rng = np.random.default_rng(0)
    kernels = tuple(
        _normal(rng, (KERNEL, KERNEL, given, filters), (2 / (KERNEL**2 * given)) ** 0.5)
        for given, filters in zip((1, *FILTERS[:-1]), FILTERS, strict=True)
    )
    return Task(
        kernels,
        _normal(rng, (EMBEDDING, CLASSES), EMBEDDING**-0.5),
        _normal(rng, (batch_size, FRAMES, BANDS), 1.0),
        rng.integers(0, CLASSES, batch_size),
    )


def _normal(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    return (deviation * rng.standard_normal(shape)).astype(np.float32)

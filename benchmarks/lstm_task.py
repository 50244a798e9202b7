"""The bidirectional LSTM as both sides train it: its size, its first weights, and a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

BATCH_SIZE, BANDS, UNITS, LAYERS, CLASSES = 32, 128, 256, 2, 8
LEARNING_RATE = 0.1

Lengths = Literal["equal", "ragged"]


@dataclass(frozen=True)
class Direction:
    """Weights of one direction of one layer, float32; gates are input, forget, candidate, output.

    Attributes:
        kernel: `(bands, 4 * units)`.
        recurrent_kernel: `(units, 4 * units)`.
        bias: `(4 * units,)`.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Task:
    """Weights and a batch.

    Attributes:
        directions: Weights of each layer forwards, then backwards; the first layer first.
        dense: `(2 * units, classes)` float32.
        features: `(batch, time, bands)` float32, zero past each clip's length.
        lengths: `(batch,)` int32, in steps.
        labels: `(batch,)` int64.
    """

    directions: tuple[Direction, ...]
    dense: np.ndarray
    features: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray


def make_task(lengths: Lengths) -> Task:
    """The same one always: 64 steps each, or from 29 to 129 of them, 60 on average."""
    rng = np.random.default_rng(0)
    steps = np.full(BATCH_SIZE, 64, np.int32)
    if lengths == "ragged":
        # As beats in 30 seconds of music are distributed: most clips near the mean, few long ones.
        steps = np.round(29 + 100 * np.sort(rng.beta(1.5, 3.3, BATCH_SIZE))).astype(np.int32)
        steps[[0, -1]] = 29, 129
        steps[1:-1] += np.round(60 - steps.mean()).astype(np.int32)
        rng.shuffle(steps)
    features = _normal(rng, (BATCH_SIZE, int(steps.max()), BANDS), 1.0)
    features[np.arange(features.shape[1]) >= steps[:, np.newaxis]] = 0.0
    directions = tuple(
        Direction(
            _normal(rng, (given, 4 * UNITS), given**-0.5),
            _normal(rng, (UNITS, 4 * UNITS), UNITS**-0.5),
            _normal(rng, (4 * UNITS,), 0.1),
        )
        for given in (BANDS, BANDS, *(2 * UNITS,) * 2 * (LAYERS - 1))
    )
    dense = _normal(rng, (2 * UNITS, CLASSES), UNITS**-0.5)
    return Task(directions, dense, features, steps, rng.integers(0, CLASSES, BATCH_SIZE))


def _normal(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    return (deviation * rng.standard_normal(shape)).astype(np.float32)


def weight_names() -> tuple[str, ...]:
    """Both sides' names of what the `directions` hold, in their order."""
    return tuple(
        f"layer {layer} {direction} {weight}"
        for layer in range(1, LAYERS + 1)
        for direction in ("forwards", "backwards")
        for weight in ("kernel", "recurrent kernel", "bias")
    )

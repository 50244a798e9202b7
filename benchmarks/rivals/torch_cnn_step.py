"""A training step of the paper's CNN in PyTorch, in either of its memory formats.

Without biases before batch norm, which would do nothing, and with ReLU in place: both save time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import nn

from benchmarks.cnn_task import CLASSES, EMBEDDING, EPSILON, FILTERS, KERNEL, LEARNING_RATE, POOLS, make_task
from benchmarks.inputs import Inputs
from benchmarks.row import Results

Layout = Literal["channels_first", "channels_last"]
_FORMATS = {"channels_first": torch.contiguous_format, "channels_last": torch.channels_last}


class Training:
    """A model and a batch."""

    def __init__(self, batch_size: int, layout: Layout) -> None:
        task = make_task(batch_size)
        blocks: list[nn.Module] = []
        for (given, filters), pool in zip(pairwise((1, *FILTERS)), POOLS, strict=True):
            blocks += [
                nn.Conv2d(given, filters, KERNEL, padding="same", bias=False),
                nn.BatchNorm2d(filters, eps=EPSILON),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(pool),
            ]
        head = nn.Linear(EMBEDDING, CLASSES)
        self._weights = {
            **{f"kernel_{block}": conv.weight for block, conv in enumerate(blocks[::4], start=1)},
            "dense": head.weight,
        }
        self._before = {f"kernel_{block}": kernel for block, kernel in enumerate(task.kernels, start=1)}
        self._before["dense"] = task.dense
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(torch.from_numpy(_to_torch(self._before[name])))
            head.bias.zero_()
        network = nn.Sequential(*blocks).to(memory_format=_FORMATS[layout])
        self._model = nn.Sequential(network, nn.Flatten(), head)
        features = torch.from_numpy(task.features[:, np.newaxis])  # (batch, 1, time, bands)
        self._features = features.contiguous(memory_format=_FORMATS[layout])
        self._labels = torch.from_numpy(task.labels)
        self._optimizer = torch.optim.SGD(self._model.parameters(), LEARNING_RATE)

    def run(self) -> None:
        """Train on the batch."""
        self._step()

    def result(self) -> Results:
        """Loss of the first step, and how it changed the weights; to be asked for before any other step."""
        loss = self._step()
        changes = {
            name: _from_torch(weight.detach().numpy()) - self._before[name]
            for name, weight in self._weights.items()
        }
        return {"loss": np.array(loss), **changes}

    def _step(self) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self._model(self._features), self._labels)
        loss.backward()
        self._optimizer.step()
        return loss.item()


def _to_torch(weight: np.ndarray) -> np.ndarray:
    """A kernel `(3, 3, in, out)` to `(out, in, 3, 3)`; the dense weight from our order of the embedding."""
    if weight.ndim == 4:
        return np.ascontiguousarray(weight.transpose(3, 2, 0, 1))
    cells = weight.reshape(-1, FILTERS[-1], CLASSES)  # (time and bands, channels, classes)
    return np.ascontiguousarray(cells.transpose(2, 1, 0).reshape(CLASSES, EMBEDDING))


def _from_torch(weight: np.ndarray) -> np.ndarray:
    if weight.ndim == 4:
        return weight.transpose(2, 3, 1, 0)
    return weight.reshape(CLASSES, FILTERS[-1], -1).transpose(2, 1, 0).reshape(EMBEDDING, CLASSES)


def prepare(inputs: Inputs, batch_size: int, layout: Layout) -> Training:
    """Build the model."""
    return Training(batch_size, layout)

"""A training step of the bidirectional LSTM in PyTorch, on packed sequences where lengths differ."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.inputs import Inputs
from benchmarks.lstm_task import (
    BANDS,
    CLASSES,
    LAYERS,
    LEARNING_RATE,
    UNITS,
    Lengths,
    make_task,
    weight_names,
)
from benchmarks.row import Results


class Classifier(nn.Module):  # type: ignore[misc, unused-ignore]
    """The last layer's last states, forwards and backwards, to classes."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, UNITS, LAYERS, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * UNITS, CLASSES)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        packed = features
        if lengths is not None:
            packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
        _, (states, _) = self.lstm(packed)
        return self.head(torch.cat([states[-2], states[-1]], dim=1))


class Training:
    """A model and a batch."""

    def __init__(self, lengths: Lengths) -> None:
        task = make_task(lengths)
        self._model = Classifier()
        lstm = self._model.lstm
        weights, values = [], []
        for index, direction in enumerate(task.directions):
            suffix = f"_l{index // 2}" + ("_reverse" if index % 2 else "")
            weights += [getattr(lstm, f"{name}{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih")]
            values += [direction.kernel, direction.recurrent_kernel, direction.bias]
            with torch.no_grad():
                getattr(lstm, f"bias_hh{suffix}").zero_()  # the second bias does what the first one does
        self._weights = {**dict(zip(weight_names(), weights, strict=True)), "dense": self._model.head.weight}
        self._before = {**dict(zip(weight_names(), values, strict=True)), "dense": task.dense}
        with torch.no_grad():
            self._model.head.bias.zero_()
            for name, weight in self._weights.items():
                weight.copy_(torch.from_numpy(self._before[name].T))
        self._features = torch.from_numpy(task.features)
        self._lengths = torch.from_numpy(task.lengths.astype(np.int64)) if lengths == "ragged" else None
        self._labels = torch.from_numpy(task.labels)
        self._optimizer = torch.optim.SGD(self._model.parameters(), LEARNING_RATE)

    def run(self) -> None:
        """Train on the batch."""
        self._step()

    def result(self) -> Results:
        """Loss of the first step, and how it changed the weights; to be asked for before any other step."""
        loss = self._step()
        changes = {
            name: weight.detach().numpy().T - self._before[name] for name, weight in self._weights.items()
        }
        return {"loss": np.array(loss), **changes}

    def _step(self) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self._model(self._features, self._lengths), self._labels)
        loss.backward()
        self._optimizer.step()
        return loss.item()


def prepare(inputs: Inputs, lengths: Lengths) -> Training:
    """Build the model."""
    return Training(lengths)

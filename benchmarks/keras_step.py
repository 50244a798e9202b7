"""A training step of a Keras model on one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.row import Results


class KerasStep:
    """A compiled model and a batch.

    Args:
        model: To be compiled here, with plain gradient descent.
        weights: A variable and the value it starts with, by the name both sides know it by.
        inputs: As the model takes them.
        labels: Class indices, `(batch,)`.
        learning_rate: Learning rate of the optimizer.
        jit_compile: Have XLA compile the step.
    """

    def __init__(
        self,
        model: Any,
        weights: Mapping[str, tuple[Any, np.ndarray]],
        inputs: Mapping[str, np.ndarray],
        labels: np.ndarray,
        *,
        learning_rate: float,
        jit_compile: bool = False,
    ) -> None:
        import keras
        import tensorflow as tf

        self._model, self._weights = model, weights
        for variable, value in weights.values():
            variable.assign(value)
        model.compile(
            optimizer=keras.optimizers.SGD(learning_rate),
            loss={"genre": keras.losses.SparseCategoricalCrossentropy()},
            jit_compile=jit_compile,
        )
        self._inputs = {name: tf.constant(value) for name, value in inputs.items()}
        self._labels = {"genre": tf.constant(labels)}

    def run(self) -> None:
        """Train on the batch."""
        self._step()

    def result(self) -> Results:
        """Loss of the first step, and how it changed the weights; to be asked for before any other step."""
        loss = self._step()
        changes = {name: np.asarray(variable) - value for name, (variable, value) in self._weights.items()}
        return {"loss": np.array(loss), **changes}

    def _step(self) -> float:
        losses: list[float] | float = self._model.train_on_batch(self._inputs, self._labels)
        return float(losses[0] if isinstance(losses, list) else losses)

"""The matrix products of the bidirectional LSTM and its gradient, what no training step can do without.

Every product is done once for all steps, as if none had to wait for the step before.
"""

from __future__ import annotations

from benchmarks.inputs import Inputs
from benchmarks.lstm_task import BANDS, LAYERS, UNITS, Lengths, make_task
from benchmarks.row import Results


class Multiplying:
    """The products of both directions of all layers."""

    def __init__(self, lengths: Lengths) -> None:
        import tensorflow as tf

        frames = int(make_task(lengths).lengths.sum())
        self._gates = tf.random.normal([frames, 4 * UNITS])
        self._outputs = tf.random.normal([frames, UNITS])
        self._recurrent = tf.random.normal([UNITS, 4 * UNITS])
        self._inputs = [tf.random.normal([frames, given]) for given in (BANDS, *(2 * UNITS,) * (LAYERS - 1))]
        self._kernels = [tf.random.normal([x.shape[1], 4 * UNITS]) for x in self._inputs]
        self._multiply = tf.function(self._products)

    def run(self) -> None:
        """Do them all once."""
        self._multiply()

    def result(self) -> Results:
        """Nothing to compare."""
        return {}

    def _products(self) -> list[object]:
        import tensorflow as tf

        done = []
        for layer, (x, kernel) in enumerate(zip(self._inputs, self._kernels, strict=True)):
            for direction in range(2):
                # Not the same numbers in both directions, or they would be multiplied only once.
                x, outputs, gates = (y + direction for y in (x, self._outputs, self._gates))
                done += [tf.matmul(x, kernel), tf.matmul(outputs, self._recurrent)]
                done += [tf.matmul(x, gates, transpose_a=True), tf.matmul(outputs, gates, transpose_a=True)]
                done += [tf.matmul(gates, self._recurrent, transpose_b=True)]
                if layer:
                    done += [tf.matmul(gates, kernel, transpose_b=True)]
        return done


def prepare(inputs: Inputs, lengths: Lengths) -> Multiplying:
    """Fill the matrices."""
    return Multiplying(lengths)

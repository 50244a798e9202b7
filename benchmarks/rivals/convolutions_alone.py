"""The convolutions of the paper's CNN and their gradients, what no training step can do without."""

from __future__ import annotations

from benchmarks.cnn_task import BANDS, FRAMES, POOLS, make_task
from benchmarks.inputs import Inputs
from benchmarks.row import Results


class Convolving:
    """Each convolution, its filter's gradient, and its input's, but for the first."""

    def __init__(self, batch_size: int) -> None:
        import tensorflow as tf

        self._steps = []
        time, bands = FRAMES, BANDS
        for kernel, pool in zip(make_task(batch_size).kernels, POOLS, strict=True):
            given, filters = kernel.shape[2:]
            x = tf.random.normal([batch_size, time, bands, given])
            dy = tf.random.normal([batch_size, time, bands, filters])
            self._steps.append((x, tf.constant(kernel), dy))
            time, bands = time // pool, bands // pool
        self._convolve = tf.function(_convolve)

    def run(self) -> None:
        """Do them all once."""
        for block, (x, kernel, dy) in enumerate(self._steps):
            self._convolve(x, kernel, dy, block > 0)

    def result(self) -> Results:
        """Nothing to compare."""
        return {}


def _convolve(x: object, kernel: object, dy: object, input_gradient: bool) -> object:
    import tensorflow as tf

    same = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    y = tf.raw_ops.Conv2D(input=x, filter=kernel, **same)
    filter_sizes, input_sizes = tf.shape(kernel), tf.shape(x)
    filters = tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=filter_sizes, out_backprop=dy, **same)
    if not input_gradient:
        return y, filters
    inputs = tf.raw_ops.Conv2DBackpropInput(input_sizes=input_sizes, filter=kernel, out_backprop=dy, **same)
    return y, filters, inputs


def prepare(inputs: Inputs, batch_size: int) -> Convolving:
    """Fill the maps."""
    return Convolving(batch_size)

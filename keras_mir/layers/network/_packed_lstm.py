"""Clips of different lengths as one table of frames, without padding, and an LSTM over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

GATES = 4  # input, forget, candidate, output


@dataclass(frozen=True)
class Packing:
    """Where each frame of a padded batch goes.

    Frames are ordered by step, the longest clip first within a step. Those of one step are
    neighbours, and the clips that go on are always the first ones, so that a recurrence works
    on fewer and fewer rows and never on padding.

    Attributes:
        sources: `(frames,)` int32, the row of the batch, as `(batch * time, ...)`, that each
            packed row is taken from.
        places: `(batch, time)` int32, the packed row of each frame; one past the last where it
            is masked.
        sizes: `(steps,)` int32, how many clips have a frame at each step; never rising, and at least
            one step, if of no clip.
        first: `(batch,)` int32, the packed row of each clip's first frame, as in `places`.
        last: The same of its last frame.
    """

    sources: tf.Tensor
    places: tf.Tensor
    sizes: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor

    @classmethod
    def of(cls, mask: tf.Tensor) -> Packing:
        """Pack the frames that a `(batch, time)` bool mask leaves, wherever they are."""
        lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)  # (batch,)
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        rank = tf.argsort(order)  # (batch,)
        steps = tf.range(tf.maximum(tf.reduce_max(lengths), 1))
        sizes = tf.reduce_sum(tf.cast(lengths > steps[:, tf.newaxis], tf.int32), axis=1)
        # One more, so that a clip without a frame finds a number here as well.
        starts = tf.concat([[0], tf.cumsum(sizes)], axis=0)  # (steps + 1,)
        frames = starts[-1]

        step = tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)  # (batch, time)
        places = tf.where(mask, tf.gather(starts, step) + rank[:, tf.newaxis], frames)
        rows = tf.where(tf.reshape(mask, [-1]))  # (frames, 1) int64
        targets = tf.gather(tf.reshape(places, [-1]), rows)  # (frames, 1)
        sources = tf.scatter_nd(targets, tf.cast(rows[:, 0], tf.int32), frames[tf.newaxis])
        last = tf.gather(starts, tf.maximum(lengths - 1, 0)) + rank
        some = lengths > 0
        return cls(sources, places, sizes, tf.where(some, rank, frames), tf.where(some, last, frames))

    def pack(self, x: tf.Tensor) -> tf.Tensor:
        """`(batch, time, bands)` to `(frames, bands)`."""

        # By hand, because the gradient of a gather adds row by row, where here no two rows meet.
        @tf.custom_gradient
        def packed(x: tf.Tensor) -> Any:
            return self._pack(x), self._unpack

        return packed(x)

    def unpack(self, rows: tf.Tensor) -> tf.Tensor:
        """`(frames, bands)` to `(batch, time, bands)`, masked frames zero."""

        @tf.custom_gradient
        def unpacked(rows: tf.Tensor) -> Any:
            return self._unpack(rows), self._pack

        return unpacked(rows)

    def _pack(self, x: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.reshape(x, [-1, x.shape[-1]]), self.sources)

    def _unpack(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.gather(_with_zero(rows), self.places)

    def one_each(self, rows: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
        """The row `first` or `last` of every clip, `(batch, bands)`; zeros for one without frames."""
        return tf.gather(_with_zero(rows), which)


def _with_zero(rows: tf.Tensor) -> tf.Tensor:
    return tf.pad(rows, [[0, 1], [0, 0]])


def packed_lstm(
    x: tf.Tensor,
    sizes: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    *,
    backwards: bool,
    training: bool,
) -> tf.Tensor:
    """Run an LSTM over frames in the order of `Packing`.

    Weights and numbers are those of `keras.layers.LSTM`: gates in the order input, forget,
    candidate, output, with sigmoid and tanh. What does not wait for the step before is one
    product for all steps: the input's share of the gates, ahead of the loop, and after the loop
    of the gradient those of each weight and of the input.

    Each gate has products of its own: those of one step are then small enough for one thread each,
    and the two directions of a layer, which run side by side, need not wait for each other's threads.

    All operations are stock TensorFlow, and shapes may change from call to call. Under XLA the
    same loop was no faster, and every new shape took seconds to compile.

    Args:
        x: `(frames, bands)`, float32 or float64.
        sizes: `(steps,)` int32, how many clips have a frame at each step; at least one step.
        kernel: `(bands, 4 * units)`.
        recurrent_kernel: `(units, 4 * units)`.
        bias: `(4 * units,)`.
        backwards: Begin with each clip's last frame.
        training: Keep what the gradient needs. Where it was not kept, TensorFlow derives one.

    Returns:
        `(frames, units)`, the output after each frame.
    """

    if not training:
        return _forward(_shares(x, kernel, bias), sizes, recurrent_kernel, backwards, kept=0)[0]

    @tf.custom_gradient
    def with_gradient(
        x: tf.Tensor, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
        shares = _shares(x, kernel, bias)
        outputs, arrays = _forward(shares, sizes, recurrent_kernel, backwards, kept=len(_Kept._fields))
        kept = _Kept(*arrays)

        def gradient(d_outputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
            d_gates = _backward(d_outputs, sizes, recurrent_kernel, kept, backwards)
            before = kept.before.concat()
            return (
                _products(d_gates, _transposed_by_gate(kernel)),
                tf.concat([tf.matmul(x, d, transpose_a=True) for d in d_gates], axis=1),
                tf.concat([tf.matmul(before, d, transpose_a=True) for d in d_gates], axis=1),
                tf.concat([tf.reduce_sum(d, axis=0) for d in d_gates], axis=0),
            )

        return outputs, gradient

    return with_gradient(x, kernel, recurrent_kernel, bias)


def _shares(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> list[tf.Tensor]:
    """The input's share of each gate of all steps, `(frames, units)`."""
    gates = zip(_by_gate(kernel), tf.split(bias, GATES), strict=True)
    return [tf.nn.bias_add(tf.matmul(x, kernel), bias) for kernel, bias in gates]


def _by_gate(kernel: tf.Tensor) -> list[tf.Tensor]:
    return tf.split(kernel, GATES, axis=1)


def _transposed_by_gate(kernel: tf.Tensor) -> list[tf.Tensor]:
    return [tf.transpose(each) for each in _by_gate(kernel)]  # a product is quicker than by `transpose_b`


def _products(gates: Iterable[tf.Tensor], kernels: list[tf.Tensor]) -> tf.Tensor:
    """The sum over all gates."""
    return tf.add_n([tf.matmul(gate, kernel) for gate, kernel in zip(gates, kernels, strict=True)])


class _Kept(NamedTuple):
    """What each step of the gradient needs of the same step ahead, each `(size, units)`."""

    before: tf.TensorArray  # the output of the step before
    cell_before: tf.TensorArray
    input_gate: tf.TensorArray
    forget_gate: tf.TensorArray
    candidate: tf.TensorArray
    output_gate: tf.TensorArray
    squashed: tf.TensorArray  # tanh of the cell


def _forward(
    shares: list[tf.Tensor], sizes: tf.Tensor, recurrent_kernel: tf.Tensor, backwards: bool, kept: int
) -> tuple[tf.Tensor, list[tf.TensorArray]]:
    """From the input's shares to outputs, `(frames, units)`, and the first so many of `_Kept`."""
    steps, units, dtype = tf.size(sizes), recurrent_kernel.shape[0], recurrent_kernel.dtype
    by_step = [_array(steps, units, dtype).split(share, sizes) for share in shares]
    kernels = _by_gate(recurrent_kernel)

    def body(
        done: tf.Tensor, output: tf.Tensor, cell: tf.Tensor, written: list[tf.TensorArray]
    ) -> tuple[Any, ...]:
        step = steps - 1 - done if backwards else done
        output, cell = (_first(x, sizes[step], grows=backwards) for x in (output, cell))
        i, f, g, o = (
            share.read(step) + tf.matmul(output, kernel)  # (size, units)
            for share, kernel in zip(by_step, kernels, strict=True)
        )
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        new_cell = f * cell + i * g
        squashed = tf.tanh(new_cell)
        new_output = o * squashed
        values = (new_output, output, cell, i, f, g, o, squashed)
        written = [array.write(step, value) for array, value in zip(written, values, strict=False)]
        return done + 1, new_output, new_cell, written

    arrays = [_array(steps, units, dtype) for _ in range(1 + kept)]
    outputs, *arrays = _loop(body, steps, _start(sizes, units, dtype, grows=backwards), arrays)
    return outputs.concat(), arrays


def _backward(
    d_outputs: tf.Tensor, sizes: tf.Tensor, recurrent_kernel: tf.Tensor, kept: _Kept, backwards: bool
) -> list[tf.Tensor]:
    """From the gradient of the outputs to those of the gates ahead of sigmoid and tanh, `(frames, units)`."""
    steps, units, dtype = tf.size(sizes), recurrent_kernel.shape[0], d_outputs.dtype
    share = _array(steps, units, dtype).split(d_outputs, sizes)
    kernels = _transposed_by_gate(recurrent_kernel)
    tanh_gradient, sigmoid_gradient = tf.raw_ops.TanhGrad, tf.raw_ops.SigmoidGrad

    def body(
        done: tf.Tensor, d_output: tf.Tensor, d_cell: tf.Tensor, written: list[tf.TensorArray]
    ) -> tuple[Any, ...]:
        step = done if backwards else steps - 1 - done
        d_output, d_cell = (_first(x, sizes[step], grows=not backwards) for x in (d_output, d_cell))
        d_output += share.read(step)
        _, cell, i, f, g, o, squashed = (array.read(step) for array in kept)
        d_cell += tanh_gradient(y=squashed, dy=d_output * o)
        d_gates = (
            sigmoid_gradient(y=i, dy=d_cell * g),
            sigmoid_gradient(y=f, dy=d_cell * cell),
            tanh_gradient(y=g, dy=d_cell * i),
            sigmoid_gradient(y=o, dy=d_output * squashed),
        )
        written = [array.write(step, d) for array, d in zip(written, d_gates, strict=True)]
        return done + 1, _products(d_gates, kernels), d_cell * f, written

    arrays = [_array(steps, units, dtype) for _ in range(GATES)]
    d_gates = _loop(body, steps, _start(sizes, units, dtype, grows=not backwards), arrays)
    return [d.concat() for d in d_gates]


def _loop(
    body: Callable[..., tuple[Any, ...]], steps: tf.Tensor, start: tf.Tensor, arrays: list[tf.TensorArray]
) -> list[tf.TensorArray]:
    open_rows = tf.TensorShape([None, start.shape[1]])
    *_, written = tf.while_loop(
        lambda done, *_: done < steps,
        body,
        (tf.constant(0), start, start, arrays),
        shape_invariants=(tf.TensorShape([]), open_rows, open_rows, [tf.TensorShape(None) for _ in arrays]),
    )
    return written


def _array(steps: tf.Tensor, units: int, dtype: tf.DType) -> tf.TensorArray:
    """One `(size, units)` tensor a step."""
    return tf.TensorArray(
        dtype, steps, element_shape=(None, units), infer_shape=False, clear_after_read=False
    )


def _start(sizes: tf.Tensor, units: int, dtype: tf.DType, *, grows: bool) -> tf.Tensor:
    return tf.zeros([0 if grows else sizes[0], units], dtype)


def _first(x: tf.Tensor, size: tf.Tensor, *, grows: bool) -> tf.Tensor:
    """The state of the clips that have a frame at this step; those that begin here start at zero."""
    return tf.pad(x, [[0, size - tf.shape(x)[0]], [0, 0]]) if grows else x[:size]

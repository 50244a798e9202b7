"""Operations of which TensorFlow alone has the quick form, and one that every runtime has.

LiteRT and ONNX Runtime have no complex numbers, no Fourier transforms to rely on, almost nothing in
float64, and no lists of tensors whose shapes are open. What is traced within `portable()` is made of
matrix products, loops over plain tensors, and float32 instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import tensorflow as tf

_ROUNDING = 1e-6  # of the loudest bin: 120 dB

_portable = ContextVar("_portable", default=False)


@contextmanager
def portable() -> Iterator[None]:
    """Trace what follows in operations that LiteRT and ONNX Runtime have, too."""
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def is_portable() -> bool:
    """Whether what is being traced is to run in other runtimes."""
    return _portable.get()


def wide() -> Any:
    """The type for what float32 is too coarse for, where there is one."""
    return tf.float32 if is_portable() else tf.float64


def rfft(frames: tf.Tensor) -> tf.Tensor:
    """The Fourier transform of real frames.

    Args:
        frames: `(..., n)` float32 or float64, n even.

    Returns:
        `(..., 1 + n // 2, 2)`, real and imaginary parts, of the same type.
    """
    n = frames.shape[-1]
    if not is_portable():
        return _parts(tf.signal.rfft(frames))
    spectrum = _dft(tf.expand_dims(frames, -1), n)[..., : 1 + n // 2, :]
    # So far below a frame's loudest bin is the rounding of matrix products, and no sound.
    loudest = tf.reduce_max(tf.abs(spectrum), axis=[-2, -1], keepdims=True)
    return tf.where(tf.abs(spectrum) < _ROUNDING * loudest, 0.0, spectrum)


def irfft(spectrum: tf.Tensor) -> tf.Tensor:
    """The real frames `(..., n)` of a spectrum as `rfft` gives it."""
    if not is_portable():
        return tf.signal.irfft(_complex(spectrum))
    half = spectrum.shape[-2] - 1
    n = 2 * half
    # The other half mirrors this one, conjugated. Of the conjugate of the whole the transform is conjugate,
    # too, and its real part is the frames.
    places = np.concatenate([np.arange(half + 1), np.arange(half - 1, 0, -1)])
    signs = np.ones((n, 2), np.float32)
    signs[: half + 1, 1] = -1.0
    # In three dimensions: within a loop, ONNX's converter must be told how many there are.
    whole = tf.gather(tf.reshape(spectrum, [-1, half + 1, 2]), places, axis=1) * signs
    frames = tf.reshape(_dft(whole, n)[:, :, 0] / n, tf.concat([tf.shape(spectrum)[:-2], [n]], axis=0))
    frames.set_shape([*spectrum.shape[:-2], n])
    return frames


def fft(frames: tf.Tensor) -> tf.Tensor:
    """The Fourier transform of complex frames, `(..., n, 2)` real and imaginary parts."""
    if not is_portable():
        return _parts(tf.signal.fft(_complex(frames)))
    return _dft(frames, frames.shape[-2])


def magnitude(spectrum: tf.Tensor) -> tf.Tensor:
    """`(..., bins)` of `(..., bins, 2)`, real and imaginary parts."""
    if not is_portable():
        return tf.abs(_complex(spectrum))
    return tf.sqrt(tf.reduce_sum(spectrum**2, axis=-1))


def map_each(function: Callable[..., Any], inputs: Any, outputs: Any) -> Any:
    """`tf.map_fn`, whose portable form is a loop over tensors that grow.

    Args:
        function: Takes an entry of each tensor of `inputs`, one after the other.
        inputs: A tuple of tensors with the same first axis.
        outputs: What it returns, as `tf.TensorSpec` in the same structure.
    """
    as_it_is = tf.autograph.experimental.do_not_convert(lambda entry: function(*entry))
    if not is_portable():
        return tf.map_fn(as_it_is, inputs, fn_output_signature=outputs)
    if inputs[0].shape[0] == 1:
        only = function(*(x[0] for x in inputs))
        return tf.nest.map_structure(lambda x: tf.convert_to_tensor(x)[tf.newaxis], only)
    count = tf.shape(inputs[0])[0]
    specs = tf.nest.flatten(outputs)

    def step(at: tf.Tensor, *kept: tf.Tensor) -> tuple[tf.Tensor, ...]:
        made = tf.nest.flatten(function(*(tf.gather(x, at) for x in inputs)))
        grown = (tf.concat([k, m[tf.newaxis]], axis=0) for k, m in zip(kept, made, strict=True))
        return at + 1, *grown

    # LiteRT's loops cannot start with an empty tensor: they start with one that is cut off again, or with
    # the first where its shape is open.
    known = all(spec.shape.is_fully_defined() for spec in specs)
    if known:
        # So many as `minimum` says, for in ONNX what starts with a known size keeps it.
        start = [tf.zeros([tf.minimum(count, 1), *spec.shape], spec.dtype) for spec in specs]
    else:
        first = tf.nest.flatten(function(*(x[0] for x in inputs)))
        start = [x[tf.newaxis] for x in first]
    state = (tf.constant(0 if known else 1), *start)
    shapes = (tf.TensorShape([]), *(tf.TensorShape([None, *spec.shape]) for spec in specs))
    _, *kept = tf.while_loop(lambda at, *_: at < count, step, state, shape_invariants=shapes)
    return tf.nest.pack_sequence_as(outputs, [x[1:] for x in kept] if known else kept)


def overlap_and_add(frames: tf.Tensor, step: int) -> tf.Tensor:
    """The sum `(samples,)` of frames `(n, size)` that begin `step` samples after each other."""
    if not is_portable():
        return tf.signal.overlap_and_add(frames, step)
    pieces = -(-frames.shape[1] // step)
    padded = tf.pad(frames, [[0, 0], [0, pieces * step - frames.shape[1]]])
    cut = tf.reshape(padded, [-1, pieces, step])
    moved = [tf.pad(cut[:, at], [[at, pieces - 1 - at], [0, 0]]) for at in range(pieces)]
    return tf.reshape(tf.add_n(moved), [-1])[: step * (tf.shape(frames)[0] - 1) + frames.shape[1]]


def dilation(row: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The greatest sum of `kernel`, `(1, size, 1)`, and what lies under it in `row`, `(1, 1, width, 1)`.

    Returns:
        `(1, 1, width - size + 1, 1)`.
    """
    if not is_portable():
        return tf.nn.dilation2d(row, kernel, [1, 1, 1, 1], "VALID", "NHWC", [1, 1, 1, 1])
    size = tf.shape(kernel)[1]
    under = tf.range(tf.shape(row)[2] - size + 1)[:, tf.newaxis] + tf.range(size)
    sums = tf.gather(row[0, 0, :, 0], under) + kernel[0, :, 0]
    return tf.reduce_max(sums, axis=1)[tf.newaxis, tf.newaxis, :, tf.newaxis]


def nth_smallest(rows: tf.Tensor, n: tf.Tensor) -> tf.Tensor:
    """The value of each row of `(rows, values)` that `n` others come before."""
    if not is_portable():
        return tf.raw_ops.NthElement(input=rows, n=n)
    return tf.gather(tf.sort(rows, axis=-1), n, axis=1)


def histogram(columns: tf.Tensor, counted: tf.Tensor, n: int) -> tf.Tensor:
    """How many entries of each row are in each of `n` columns.

    Args:
        columns: int32 `(rows, entries)`, from 0 to `n - 1`.
        counted: bool, likewise: which entries count.

    Returns:
        int32 `(rows, n)`.
    """
    if not is_portable():
        rows = tf.shape(columns)[0]
        bins = n * tf.range(rows)[:, tf.newaxis] + columns
        counts = tf.math.unsorted_segment_sum(tf.cast(counted, tf.int32), bins, n * rows)
        return tf.reshape(counts, [-1, n])
    # One matrix product over the entries: the column's first digit against its last, to a base of the root.
    base = math.isqrt(n - 1) + 1
    first, last = (
        tf.cast(tf.expand_dims(digit, -1) == tf.range(base), tf.float32)
        for digit in (columns // base, columns % base)
    )
    first *= tf.cast(tf.expand_dims(counted, -1), tf.float32)
    counts = tf.matmul(first, last, transpose_a=True)  # exact up to 2**24 entries
    return tf.cast(tf.reshape(counts, [-1, base * base])[:, :n], tf.int32)


def log1p(x: tf.Tensor) -> tf.Tensor:
    """`log(1 + x)`."""
    return tf.math.log(1.0 + x) if is_portable() else tf.math.log1p(x)


def _parts(numbers: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(numbers, numbers.dtype.real_dtype)  # a complex number is its two parts


def _complex(parts: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(parts, tf.complex64 if parts.dtype == tf.float32 else tf.complex128)


def _dft(x: tf.Tensor, n: int) -> tf.Tensor:
    """`(..., n, parts)`, one part or two, to `(..., n, 2)`, in two stages of matrix products.

    With n = rows * columns, sample columns * r + c and bin k + rows * m, the transform is one over r, a turn
    by exp(-2 pi i c k / n), and one over c (J. W. Cooley and J. W. Tukey, "An algorithm for the machine
    calculation of complex Fourier series", Mathematics of Computation 19(90), 1965).
    """
    rows = max(r for r in range(1, math.isqrt(n) + 1) if n % r == 0)
    columns = n // rows
    parts = x.shape[-1]
    lead, known = tf.shape(x)[:-2], x.shape[:-2]
    k, c = np.arange(rows), np.arange(columns)
    turn = _roots(np.outer(c, k), n)  # (columns, rows)

    x = tf.reshape(x, [-1, rows, columns, parts])
    x = tf.reshape(tf.transpose(x, [0, 2, 3, 1]), [-1, columns, parts * rows])
    y = tf.matmul(x, _matrix(_roots(np.outer(k, k), rows), parts))  # (frames, columns, 2 * rows)
    real, imaginary = y[..., :rows], y[..., rows:]
    turned = [
        real * turn.real.astype(np.float32) - imaginary * turn.imag.astype(np.float32),
        real * turn.imag.astype(np.float32) + imaginary * turn.real.astype(np.float32),
    ]
    x = tf.reshape(tf.transpose(tf.stack(turned, axis=1), [0, 3, 1, 2]), [-1, rows, 2 * columns])
    y = tf.matmul(x, _matrix(_roots(np.outer(c, c), columns), 2))  # (frames, rows, 2 * columns)
    y = tf.transpose(tf.reshape(y, [-1, rows, 2, columns]), [0, 3, 1, 2])
    y = tf.reshape(y, tf.concat([lead, [n, 2]], axis=0))
    y.set_shape([*known, n, 2])
    return y


def _roots(turns: np.ndarray, n: int) -> np.ndarray:
    return np.exp(-2j * np.pi * (turns % n) / n)


def _matrix(roots: np.ndarray, parts: int) -> tf.Tensor:
    """From parts one after the other to parts one after the other, as a matrix of real numbers."""
    of_real = np.concatenate([roots.real, roots.imag], axis=1)
    of_imaginary = np.concatenate([-roots.imag, roots.real], axis=1)
    both = np.concatenate([of_real, of_imaginary], axis=0)[: parts * len(roots)]
    return tf.constant(both.astype(np.float32))

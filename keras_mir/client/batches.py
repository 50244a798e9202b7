"""Arrays as a signature wants them, cut into batches, and the answers joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_mir.client.codec import STRING, Arrays, Signature, TensorInfo
from pipelines.errors import UserError

_FILL: dict[str, Any] = {"f": np.nan, "i": 0, "u": 0, "b": False, "U": "", "O": b""}


def to_arrays(inputs: Mapping[str, Any], signature: Signature) -> Arrays:
    """What a user gave, in the dtypes and shapes of a signature.

    Args:
        inputs: By name; arrays or nested sequences, for string inputs of bytes or str.
        signature: What the model takes.

    Returns:
        Arrays of the signature's dtypes; strings as object arrays of bytes, text in UTF-8.

    Raises:
        UserError: If names or shapes do not fit, there is nothing in the batch, or values would
            change: fractions for whole numbers, numbers for text, numbers too large.
    """
    expected = signature.inputs
    missing, unknown = sorted(set(expected) - set(inputs)), sorted(set(inputs) - set(expected))
    if missing or unknown:
        wrong = [f"without {', '.join(missing)}"] * bool(missing)
        wrong += [f"with {', '.join(unknown)}"] * bool(unknown)
        raise UserError(f"inputs {' and '.join(wrong)}; give {', '.join(sorted(expected)) or 'none'}")
    arrays = {name: _to_array(name, inputs[name], info.dtype) for name, info in expected.items()}
    for name, array in arrays.items():
        _check_shape(name, array, expected[name])
    return arrays


def _to_array(name: str, value: Any, dtype: str) -> np.ndarray:
    if dtype == STRING:
        return _to_bytes(name, value)
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise UserError(f"input {name!r}: the model takes {dtype}, which cannot be sent") from None
    try:
        given = np.asarray(value)
    except ValueError:
        raise UserError(f"input {name!r}: ragged; give rows of one length") from None
    if given.size and not np.can_cast(given.dtype, wanted, "same_kind"):
        raise UserError(f"input {name!r}: {given.dtype} where the model takes {dtype}; convert it")
    if given.size and _overflows(given, wanted):
        raise UserError(f"input {name!r}: has numbers that {dtype} cannot hold; check them")
    return given.astype(wanted)


def _overflows(given: np.ndarray, wanted: np.dtype) -> bool:
    if given.dtype.kind not in "iuf" or np.can_cast(given.dtype, wanted):
        return False
    if wanted.kind == "f":
        return bool((np.isfinite(given) & (np.abs(given) > np.finfo(wanted).max)).any())
    limits = np.iinfo(wanted)
    return int(given.min()) < limits.min or int(given.max()) > limits.max


def _to_bytes(name: str, value: Any) -> np.ndarray:
    given = np.asarray(value, dtype=object)
    array = np.empty(given.size, dtype=object)
    for position, item in enumerate(given.flat):
        if not isinstance(item, (bytes, str)):
            raise UserError(f"input {name!r}: {type(item).__name__} where the model takes bytes or text")
        array[position] = item.encode("utf-8") if isinstance(item, str) else item
    return array.reshape(given.shape)


def _check_shape(name: str, array: np.ndarray, info: TensorInfo) -> None:
    if info.shape is None:
        return
    fits = array.ndim == len(info.shape) and all(
        wanted in (None, size) for size, wanted in zip(array.shape, info.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in info.shape)
        raise UserError(f"input {name!r}: shape {array.shape} where the model takes ({wanted}); reshape it")
    if array.ndim and len(array) == 0:
        raise UserError(f"input {name!r}: nothing in the batch; give at least one example")


def split(inputs: Arrays, batch_size: int) -> Iterator[Arrays]:
    """Cut inputs into batches along the first axis.

    Raises:
        UserError: If they are longer than a batch and not all of one length.
    """
    lengths = {name: array.shape[0] if array.ndim else 0 for name, array in inputs.items()}
    longest = max(lengths.values(), default=0)
    if longest <= batch_size:
        yield inputs
        return
    if set(lengths.values()) != {longest}:
        sizes = ", ".join(f"{name} {length}" for name, length in sorted(lengths.items()))
        raise UserError(
            f"inputs of different lengths ({sizes}) cannot be cut into batches of {batch_size}; "
            f"give a batch_size of at least {longest}"
        )
    for start in range(0, longest, batch_size):
        yield {name: array[start : start + batch_size] for name, array in inputs.items()}


def join(answers: Sequence[Arrays], batches: Sequence[Arrays]) -> Arrays:
    """Put the answers to several batches behind one another.

    Where an output is as wide as the longest in its batch, such as beat times, batches differ; narrow
    ones are filled up with NaN, 0, False, empty text or empty bytes.

    Args:
        answers: To each batch; not empty.
        batches: As `split` made them.

    Raises:
        UserError: If an output has no batch axis.
    """
    if len(answers) == 1:
        return answers[0]
    sizes = [len(next(iter(batch.values()))) for batch in batches]
    return {name: _join(name, [answer[name] for answer in answers], sizes) for name in answers[0]}


def _join(name: str, parts: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    if any(part.shape[:1] != (size,) for part, size in zip(parts, sizes, strict=True)):
        raise UserError(
            f"output {name!r} is not one for each example and cannot be put together from batches; "
            f"give a batch_size of at least {sum(sizes)}"
        )
    widest = tuple(max(widths) for widths in zip(*(part.shape[1:] for part in parts), strict=True))
    return np.concatenate([_widened(part, widest) for part in parts])


def _widened(part: np.ndarray, widths: tuple[int, ...]) -> np.ndarray:
    if part.shape[1:] == widths:
        return part
    wide = np.full((len(part), *widths), _FILL[part.dtype.kind], dtype=part.dtype)
    wide[tuple(slice(size) for size in part.shape)] = part
    return wide

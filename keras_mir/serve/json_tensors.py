"""Tensors in TF Serving's JSON: requests to arrays, arrays to responses.

The mapping is that of TF Serving's REST API, https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_mir.client.status import Code, StatusError

ROWS = "instances"
COLUMNS = "inputs"

_FLOATS = (tf.float32, tf.float64)
_INTEGERS = (tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64)
_MOST_DIMENSIONS = 32  # of a NumPy 1 array
_BYTES = "_bytes"  # an output whose name ends so is binary, and comes in base64


def parse_request(body: bytes | bytearray) -> dict[str, Any]:
    """Read a predict request's JSON.

    Returns:
        The object, with either `instances` or `inputs`, and a `signature_name` that is a string.

    Raises:
        StatusError: INVALID_ARGUMENT if it is anything else.
    """
    try:
        # NaN and Infinity, which JSON lacks, are in TF Serving's, as in Python's.
        request = json.loads(body.decode("utf-8"))
    except RecursionError:
        raise _invalid("JSON Parse error: nested too deeply") from None
    except ValueError as error:
        raise _invalid(f"JSON Parse error: {error}") from None
    if not isinstance(request, dict):
        raise _invalid("the request is not a JSON object")
    if not isinstance(request.setdefault("signature_name", ""), str):
        raise _invalid("'signature_name' must be a string")
    if (ROWS in request) == (COLUMNS in request):
        raise _invalid("the request must have either 'instances' or 'inputs'")
    return request


def request_tensors(request: Mapping[str, Any], signature: Any) -> dict[str, np.ndarray]:
    """The input tensors of a request.

    Args:
        request: What `parse_request` returned.
        signature: The `SignatureDef` it is for.

    Returns:
        An array for each named input, of the signature's dtype; strings as object arrays of bytes.
        Shapes are as sent: the signature's are not looked at.

    Raises:
        StatusError: INVALID_ARGUMENT if inputs are missing, unknown, ragged or of another type,
            UNIMPLEMENTED if a dtype has no form in JSON.
    """
    if not signature.inputs:
        raise _invalid("this signature takes no inputs")
    columns = _from_rows(request[ROWS], signature) if ROWS in request else _from_columns(request, signature)
    return {name: to_array(value, signature.inputs[name].dtype, name) for name, value in columns.items()}


def _from_rows(rows: Any, signature: Any) -> dict[str, Any]:
    if not isinstance(rows, list):
        raise _invalid("'instances' must be a list")
    if not rows:
        raise _invalid("'instances' is empty")
    names = sorted(signature.inputs)
    if not _is_object(rows[0]):
        if len(names) > 1:
            raise _invalid(f"each item of 'instances' must be an object with {', '.join(names)}")
        return {names[0]: rows}
    for number, row in enumerate(rows):
        if not _is_object(row) or row.keys() != signature.inputs.keys():
            raise _invalid(f"item {number} of 'instances' must be an object with {', '.join(names)}")
    return {name: [row[name] for row in rows] for name in names}


def _from_columns(request: Mapping[str, Any], signature: Any) -> dict[str, Any]:
    names, value = sorted(signature.inputs), request[COLUMNS]
    if not _is_object(value):
        if len(names) > 1:
            raise _invalid(f"'inputs' must be an object with {', '.join(names)}")
        return {names[0]: value}
    if value.keys() != signature.inputs.keys():
        raise _invalid(f"'inputs' must be an object with {', '.join(names)}")
    return dict(value)


def to_array(value: Any, dtype: Any, name: str) -> np.ndarray:
    """A JSON value as an array.

    Args:
        value: A number, string, bool, `{"b64": ...}`, or nested lists of such, all of one length
            at each depth.
        dtype: A `tf.DType` or its enumeration.
        name: Of the input, for messages.

    Returns:
        An array of that dtype; strings as an object array of bytes.

    Raises:
        StatusError: INVALID_ARGUMENT if the lists are ragged or an item is not of the dtype,
            UNIMPLEMENTED if the dtype has no form in JSON.
    """
    shape = []
    inner = value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    if len(shape) > _MOST_DIMENSIONS:
        raise _invalid(f"input {name!r} is nested too deeply")
    items: list[Any] = []
    _flatten(value, shape, items, name)
    return _convert(items, tf.as_dtype(dtype), name).reshape(shape)


def _flatten(value: Any, shape: list[int], items: list[Any], name: str) -> None:
    if not shape:
        items.append(value)
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        raise _invalid(f"input {name!r} is ragged: its lists are not all of one length")
    if len(shape) == 1:
        items.extend(value)
        return
    for inner in value:
        _flatten(inner, shape[1:], items, name)


def _convert(items: list[Any], dtype: Any, name: str) -> np.ndarray:
    if dtype == tf.string:
        array = np.empty(len(items), object)
        array[:] = [_to_bytes(item, name) for item in items]
        return array
    if dtype == tf.bool:
        _check_types(items, {bool}, dtype, name)
        return np.array(items, bool)
    if dtype in _INTEGERS:
        _check_types(items, {int}, dtype, name)
        if items and (min(items) < dtype.min or max(items) > dtype.max):
            raise _invalid(f"input {name!r} has a number that {dtype.name} cannot hold")
        return np.array(items, dtype.as_numpy_dtype)
    if dtype in _FLOATS:
        _check_types(items, {int, float}, dtype, name)
        return _to_floats(items, dtype, name)
    raise StatusError(Code.UNIMPLEMENTED, f"input {name!r} is {dtype.name}, which JSON has no form for")


def _to_floats(items: list[Any], dtype: Any, name: str) -> np.ndarray:
    too_large = _invalid(f"input {name!r} has a number that {dtype.name} cannot hold")
    # TF Serving refuses whole numbers that would be rounded.
    largest_whole = 2 ** np.finfo(dtype.as_numpy_dtype).nmant * 2 - 1
    if any(type(item) is int and abs(item) > largest_whole for item in items):
        raise too_large
    wide = np.array(items, np.float64)
    if (np.isfinite(wide) & (np.abs(wide) > dtype.max)).any():
        raise too_large
    return wide.astype(dtype.as_numpy_dtype)


def _check_types(items: list[Any], allowed: set[type], dtype: Any, name: str) -> None:
    # Exact types, because Python's bool is an int and JSON's is not.
    if not set(map(type, items)) <= allowed:
        wrong = next(item for item in items if type(item) not in allowed)
        if isinstance(wrong, list):
            raise _invalid(f"input {name!r} is ragged: its lists are not all of one length")
        raise _invalid(f"input {name!r} has {_shown(wrong)}, which is not of type {dtype.name}")


def _to_bytes(item: Any, name: str) -> bytes:
    if isinstance(item, list):
        raise _invalid(f"input {name!r} is ragged: its lists are not all of one length")
    if _is_base64(item):
        text = item["b64"]
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError:
            raise _invalid(f"input {name!r} has a b64 that is not standard base64") from None
    if not isinstance(item, str):
        raise _invalid(f'input {name!r} has {_shown(item)}, which is neither a string nor {{"b64": ...}}')
    try:
        return item.encode("utf-8")
    except UnicodeEncodeError:
        raise _invalid(f"input {name!r} has a string that is not Unicode text") from None


def _shown(item: Any) -> str:
    return "an object" if isinstance(item, dict) else json.dumps(item)[:50]


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def response_json(outputs: Mapping[str, np.ndarray], *, rows: bool) -> str:
    """A predict response.

    Args:
        outputs: By name, as `Servable.run` returns them. A single one comes without its name.
        rows: Whether the request had `instances`; the answer then is a list, item by item.

    Returns:
        JSON with `predictions` or `outputs`; float32 in the fewest digits that give it back, NaN
        and infinity as JavaScript spells them, text that is not UTF-8 with replacement characters.

    Raises:
        StatusError: INVALID_ARGUMENT if rows are asked for and the outputs are not of one length,
            UNIMPLEMENTED if a dtype has no form in JSON.
    """
    values = {name: _from_array(array, name) for name, array in sorted(outputs.items())}
    if not rows:
        return json.dumps({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    lengths = {name: len(array) if array.ndim else None for name, array in outputs.items()}
    if None in lengths.values() or len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {length or 'a scalar'}" for name, length in sorted(lengths.items()))
        raise _invalid(f"outputs have no batch in common ({sizes}); ask with 'inputs', not 'instances'")
    if len(values) == 1:
        return json.dumps({"predictions": next(iter(values.values()))})
    items = zip(*values.values(), strict=True)
    return json.dumps({"predictions": [dict(zip(values, item, strict=True)) for item in items]})


def _from_array(array: np.ndarray, name: str) -> Any:
    if array.dtype == object:
        texts = np.empty(array.size, object)
        texts[:] = [_from_bytes(item, name.endswith(_BYTES)) for item in array.ravel()]
        return texts.reshape(array.shape).tolist()
    if array.dtype.kind in "biu":
        return array.tolist()
    if array.dtype.name in ("float16", "bfloat16"):
        array = array.astype(np.float32)
    if array.dtype == np.float32:
        # By way of text, or 0.2 would become the double nearest to it, 0.20000000298023224.
        return array.astype(str).astype(np.float64).tolist()
    if array.dtype == np.float64:
        return array.tolist()
    raise StatusError(Code.UNIMPLEMENTED, f"output {name!r} is {array.dtype}, which JSON has no form for")


def _from_bytes(item: bytes, binary: bool) -> Any:
    if binary:
        return {"b64": base64.b64encode(item).decode("ascii")}
    return item.decode("utf-8", "replace")


def signature_json(signature: Any) -> dict[str, Any]:
    """A `SignatureDef` in protobuf's JSON form with its own field names, as the metadata API gives it."""
    return {
        "inputs": {name: _tensor_json(tensor) for name, tensor in sorted(signature.inputs.items())},
        "outputs": {name: _tensor_json(tensor) for name, tensor in sorted(signature.outputs.items())},
        "method_name": signature.method_name,
    }


def _tensor_json(tensor: Any) -> dict[str, Any]:
    shape = tensor.tensor_shape
    return {
        "dtype": type(tensor)
        .DESCRIPTOR.fields_by_name["dtype"]
        .enum_type.values_by_number[tensor.dtype]
        .name,
        "tensor_shape": {
            "dim": [{"size": str(dim.size), "name": dim.name} for dim in shape.dim],
            "unknown_rank": shape.unknown_rank,
        },
        "name": tensor.name,
    }


def _invalid(message: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, message)

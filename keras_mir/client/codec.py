"""TF Serving's JSON, both ways: requests and answers, what signatures take and give, how versions are.

It is that of TF Serving's REST API, https://www.tensorflow.org/tfx/serving/api_rest; the client and the
server of `keras_mir.serve` read and write it here. It needs NumPy alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]

STRING = "string"

# An output whose name ends so is binary, and comes in base64; other strings are text.
_BINARY = "_bytes"

_WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_DTYPES = {
    "DT_HALF": "float16",
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    **{f"DT_{name.upper()}": name for name in (*_WHOLE, "bool", STRING)},
}

# Of JSON's values, by the kind of dtype they are for. Exact, for NumPy would make numbers of text, and
# Python's bool is an int where JSON's is not.
_TYPES: dict[str, set[type]] = {"f": {int, float}, "i": {int}, "u": {int}, "b": {bool}}

_MOST_DIMENSIONS = 32  # of a NumPy 1 array


class CodecError(ValueError):
    """JSON that is not TF Serving's, or not what a signature takes or gives; one line."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output.

    Attributes:
        dtype: NumPy's name of it, or `string`; TensorFlow's (`DT_BFLOAT16`) for those NumPy lacks.
        shape: None where a size may be any; None altogether where the rank may be.
    """

    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    """What one signature of a model takes and gives, by name."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True)
class ModelMetadata:
    """A served model.

    Attributes:
        name: Name of the model.
        version: The one that was asked.
        signatures: By name.
    """

    name: str
    version: int
    signatures: Mapping[str, Signature]


@dataclass(frozen=True)
class VersionStatus:
    """How one version of a model is.

    Attributes:
        version: Its number.
        state: START, LOADING, AVAILABLE, UNLOADING, END or UNKNOWN.
        error: What went wrong with it, or empty.
    """

    version: int
    state: str
    error: str

    @property
    def available(self) -> bool:
        """Whether it answers."""
        return self.state == "AVAILABLE"


def signature_json(proto: Any) -> dict[str, Any]:
    """A `SignatureDef` in protobuf's JSON form with its own field names, as the metadata API gives it."""

    def tensor(entry: Any) -> dict[str, Any]:
        data_types = entry.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number
        dims = [{"size": str(dim.size), "name": dim.name} for dim in entry.tensor_shape.dim]
        return {
            "dtype": data_types[entry.dtype].name,
            "tensor_shape": {"dim": dims, "unknown_rank": entry.tensor_shape.unknown_rank},
            "name": entry.name,
        }

    inputs, outputs = (
        {name: tensor(entry) for name, entry in sorted(entries.items())}
        for entries in (proto.inputs, proto.outputs)
    )
    return {"inputs": inputs, "outputs": outputs, "method_name": proto.method_name}


def parse_signature(signature: Mapping[str, Any]) -> Signature:
    """Read what `signature_json` gives, and TF Serving.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: If it is something else.
    """

    def tensor(entry: Mapping[str, Any]) -> TensorInfo:
        shape = entry["tensor_shape"]
        sizes = [int(dim["size"]) for dim in shape["dim"]]
        return TensorInfo(
            dtype=_DTYPES.get(entry["dtype"].removesuffix("_REF"), entry["dtype"]),
            shape=None if shape["unknown_rank"] else tuple(None if size < 0 else size for size in sizes),
        )

    inputs, outputs = (
        {name: tensor(entry) for name, entry in signature[side].items()} for side in ("inputs", "outputs")
    )
    return Signature(inputs, outputs)


def parse_metadata(answer: Mapping[str, Any]) -> ModelMetadata:
    """Read the metadata API's answer.

    Raises:
        CodecError: If it is something else.
    """
    try:
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        return ModelMetadata(
            name=answer["model_spec"]["name"],
            version=int(answer["model_spec"]["version"]),
            signatures={name: parse_signature(entry) for name, entry in signatures.items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CodecError("has no signatures") from None


def parse_status(answer: Mapping[str, Any]) -> list[VersionStatus]:
    """Read the status API's answer.

    Raises:
        CodecError: If it is something else.
    """
    try:
        return [
            VersionStatus(int(entry["version"]), entry["state"], entry["status"]["error_message"])
            for entry in answer["model_version_status"]
        ]
    except (KeyError, TypeError, ValueError):
        raise CodecError("has no status of versions") from None


def parse_object(body: bytes | bytearray) -> dict[str, Any]:
    """Read a request's JSON, in which NaN and Infinity may stand, as Python writes them.

    Raises:
        CodecError: If it is not that of an object.
    """
    try:
        request = json.loads(body.decode("utf-8"))
    except RecursionError:
        raise CodecError("JSON Parse error: nested too deeply") from None
    except ValueError as error:
        raise CodecError(f"JSON Parse error: {error}") from None
    if not isinstance(request, dict):
        raise CodecError("the request is not a JSON object")
    return request


def write_request(name: str, inputs: Arrays) -> bytes:
    """A predict request for one signature, column by column; all strings in base64."""
    columns = {key: _to_json(array, binary=True) for key, array in inputs.items()}
    return json.dumps({"signature_name": name, "inputs": columns}).encode("utf-8")


@dataclass(frozen=True)
class PredictRequest:
    """A predict request as it came.

    Attributes:
        signature_name: Empty for `serving_default`.
        rows: Whether it has `instances`, row by row, and not `inputs`, column by column.
        value: What those hold.
    """

    signature_name: str
    rows: bool
    value: Any

    @classmethod
    def parse(cls, body: bytes | bytearray) -> PredictRequest:
        """Read a request; see `parse_object`.

        Raises:
            CodecError: If it is anything else.
        """
        request = parse_object(body)
        name = request.get("signature_name", "")
        if not isinstance(name, str):
            raise CodecError("'signature_name' must be a string")
        rows = "instances" in request
        if rows == ("inputs" in request):
            raise CodecError("the request must have either 'instances' or 'inputs'")
        value = request["instances" if rows else "inputs"]
        if rows and not isinstance(value, list):
            raise CodecError("'instances' must be a list")
        if rows and not value:
            raise CodecError("'instances' is empty")
        return cls(name, rows, value)

    def arrays(self, signature: Signature) -> Arrays:
        """An array for each input of a signature, of its dtype; strings as object arrays of bytes.

        Shapes are as sent: the signature's are not looked at.

        Raises:
            CodecError: If inputs are missing, unknown, ragged or of another type.
        """
        if not signature.inputs:
            raise CodecError("this signature takes no inputs")
        arrays = {}
        for name, value in self._columns(sorted(signature.inputs)).items():
            try:
                arrays[name] = from_json(value, signature.inputs[name].dtype)
            except CodecError as error:
                raise CodecError(f"input {name!r} {error}") from None
        return arrays

    def _columns(self, names: list[str]) -> dict[str, Any]:
        items = self.value if self.rows else [self.value]
        if len(names) == 1 and not _is_object(items[0]):
            return {names[0]: self.value}  # a single input may come without its name
        for number, item in enumerate(items):
            if not _is_object(item) or sorted(item) != names:
                what = f"item {number} of 'instances'" if self.rows else "'inputs'"
                raise CodecError(f"{what} must be an object with {', '.join(names)}")
        if not self.rows:
            return dict(self.value)
        return {name: [item[name] for item in items] for name in names}


def write_answer(outputs: Mapping[str, np.ndarray], *, rows: bool) -> str:
    """The answer to a predict request, as JSON.

    Args:
        outputs: By name; strings as object arrays of bytes. A single one comes without its name.
        rows: Whether the request had `instances`; the answer then is a list, item by item.

    Raises:
        CodecError: If rows are asked for and the outputs are not of one length, or JSON has no form
            for a dtype.
    """
    values = {}
    for name, array in sorted(outputs.items()):
        if array.dtype.name in ("float16", "bfloat16"):
            array = array.astype(np.float32)
        if array.dtype == np.float32:
            # By way of text, or 0.2 would become the double nearest to it, 0.20000000298023224.
            array = array.astype(str).astype(np.float64)
        try:
            values[name] = _to_json(array, binary=name.endswith(_BINARY))
        except CodecError as error:
            raise CodecError(f"output {name!r} {error}") from None
    value: Any = next(iter(values.values())) if len(values) == 1 else values
    if not rows:
        return json.dumps({"outputs": value})
    lengths = {name: len(array) if array.ndim else None for name, array in outputs.items()}
    if None in lengths.values() or len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {length or 'a scalar'}" for name, length in sorted(lengths.items()))
        raise CodecError(f"outputs have no batch in common ({sizes}); ask with 'inputs', not 'instances'")
    if len(values) > 1:
        value = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return json.dumps({"predictions": value})


def parse_answer(answer: Mapping[str, Any], signature: Signature) -> Arrays:
    """Read the answer to a request that `write_request` wrote.

    Returns:
        The outputs by name, in the signature's dtypes; strings as `to_text` has them.

    Raises:
        CodecError: If it has other outputs, of another dtype, or ragged ones.
    """
    outputs = answer.get("outputs")
    if len(signature.outputs) == 1:
        outputs = {next(iter(signature.outputs)): outputs}
    if not isinstance(outputs, dict) or outputs.keys() != signature.outputs.keys():
        raise CodecError(f"does not have the outputs {', '.join(sorted(signature.outputs))}")
    arrays = {}
    for name, info in signature.outputs.items():
        try:
            array = from_json(outputs[name], info.dtype)
        except CodecError:
            raise CodecError(f"has an output {name!r} that is not {info.dtype}") from None
        if array.size == 0 and info.shape is not None:
            # [] may stand for (0, 3) as well.
            array = array.reshape(array.shape + tuple(size or 0 for size in info.shape[array.ndim :]))
        arrays[name] = to_text(array, name)
    return arrays


def to_text(array: np.ndarray, name: str) -> np.ndarray:
    """An output's strings `(...)`, objects of bytes, as text; those of a binary output as they are.

    Bytes that are not UTF-8 become replacement characters.
    """
    if array.dtype != object or name.endswith(_BINARY):
        return array
    return each(_text, array).astype(str)


def _to_json(array: np.ndarray, *, binary: bool) -> Any:
    """An array as nested lists; bytes in base64 if they are binary, otherwise as text."""
    if array.dtype == object:
        return each(_base64 if binary else _text, array).tolist()
    if array.dtype.kind not in _TYPES:
        raise CodecError(f"is {array.dtype}, which JSON has no form for")
    return array.tolist()


def from_json(value: Any, dtype: str) -> np.ndarray:
    """A number, string, bool or `{"b64": ...}`, or nested lists of such, as an array.

    Strings become an object array of bytes.

    Raises:
        CodecError: If it is something else; it is said so that it can stand behind a name.
    """
    items = np.array(value, dtype=object)
    if items.ndim >= _MOST_DIMENSIONS:
        raise CodecError("is nested too deeply")
    types = set(map(type, items.flat))
    if list in types:
        raise CodecError("is ragged: its lists are not all of one length")
    if dtype == STRING:
        return each(_to_bytes, items)
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise CodecError(f"is {dtype}, which JSON has no form for") from None
    if not types <= _TYPES[wanted.kind]:
        wrong = next(item for item in items.flat if type(item) not in _TYPES[wanted.kind])
        raise CodecError(f"has {_shown(wrong)}, which is not of type {dtype}")
    if wanted.kind == "f":
        # TF Serving refuses whole numbers that would be rounded.
        largest_whole = 2 ** (np.finfo(wanted).nmant + 1) - 1
        if any(type(item) is int and abs(item) > largest_whole for item in items.flat):
            raise CodecError(f"has a number that {dtype} cannot hold")
        items = items.astype(np.float64)
    if not in_range(items, wanted):
        raise CodecError(f"has a number that {dtype} cannot hold")
    return items.astype(wanted)


def in_range(numbers: np.ndarray, dtype: np.dtype) -> bool:
    """Whether the largest and smallest of them are within a dtype's range, or it has none."""
    if dtype.kind not in "iuf" or numbers.dtype.kind == "b" or numbers.size == 0:
        return True
    if dtype.kind == "f":
        return not (np.isfinite(numbers) & (np.abs(numbers) > np.finfo(dtype).max)).any()
    limits = np.iinfo(dtype)
    return int(numbers.min()) >= limits.min and int(numbers.max()) <= limits.max


def each(function: Callable[[Any], Any], array: np.ndarray) -> np.ndarray:
    """An object array of a function's results for each item."""
    results = np.empty(array.size, dtype=object)
    results[:] = [function(item) for item in array.flat]
    return results.reshape(array.shape)


def _base64(item: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(item).decode("ascii")}


def _text(item: bytes) -> str:
    return item.decode("utf-8", "replace")


def _to_bytes(item: Any) -> bytes:
    if _is_base64(item):
        text = item["b64"]
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError:
            raise CodecError("has a b64 that is not standard base64") from None
    if not isinstance(item, str):
        raise CodecError(f'has {_shown(item)}, which is neither a string nor {{"b64": ...}}')
    try:
        return item.encode("utf-8")
    except UnicodeEncodeError:
        raise CodecError("has a string that is not Unicode text") from None


def _shown(item: Any) -> str:
    return "an object" if isinstance(item, dict) else json.dumps(item)[:50]


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)

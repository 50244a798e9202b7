"""What a server says of a model: its versions, and what its signatures take and give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STRING = "string"

_DTYPES = {
    "DT_HALF": "float16",
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_INT8": "int8",
    "DT_INT16": "int16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_UINT16": "uint16",
    "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
    "DT_BOOL": "bool",
    "DT_STRING": STRING,
}


@dataclass(frozen=True)
class TensorInfo:
    """An input or output.

    Attributes:
        dtype: NumPy's name of it, or `string`; TensorFlow's (`DT_BFLOAT16`) for those NumPy lacks.
        shape: None where a size may be any; None altogether where the rank may be.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    @classmethod
    def of(cls, data_type: str, shape: tuple[int, ...] | None) -> TensorInfo:
        """From TensorFlow's name of the dtype, and sizes with -1 for any."""
        dtype = _DTYPES.get(data_type.removesuffix("_REF"), data_type)
        return cls(dtype, None if shape is None else tuple(None if size < 0 else size for size in shape))


@dataclass(frozen=True)
class Signature:
    """What one signature of a model takes and gives, by name."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True)
class ModelMetadata:
    """A served model.

    Attributes:
        name: Of the model.
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

"""ONNX, for ONNX Runtime and many others: ``.onnx``."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_mir.serving.convert.format import CannotConvert, Format, Run
from keras_mir.serving.convert.quiet import quiet
from pipelines.errors import UserError

DESCRIPTION = "keras_mir"
_NEEDS = ("tf2onnx", "onnx", "onnxruntime")
# These are no operations of a converted graph: weights become constants, calls are inlined.
_GONE = frozenset(("ReadVariableOp", "PartitionedCall", "StatefulPartitionedCall", "Assert"))
_AXES = ("batch", "time")  # what open axes are called


def check_installed() -> None:
    """Refuse to start without the optional packages.

    Raises:
        UserError: Naming those that are missing.
    """
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"--format onnx needs {', '.join(missing)}: pip install {' '.join(_NEEDS)}")


def _lacks(used: set[str]) -> set[str]:
    from tf2onnx import tfonnx

    known = tfonnx.handler.tf_op.create_mapping(tfonnx.constants.PREFERRED_OPSET, None)
    return used - set(known) - _GONE


def _convert(function: Any, description: Mapping[str, Any]) -> bytes:
    """A model with the description in its metadata, under the key ``keras_mir``."""
    import onnx
    from tf2onnx import convert

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with quiet():
        try:
            model, _ = convert.from_function(function, input_signature=function.input_signature)
        except (ValueError, NotImplementedError) as error:
            raise CannotConvert(f"fails ({str(error).splitlines()[0]})") from None
    for tensor in (*model.graph.input, *model.graph.output):
        for size, axis in zip(tensor.type.tensor_type.shape.dim, _AXES, strict=False):
            if not size.HasField("dim_value"):
                size.dim_param = axis
    onnx.helper.set_model_props(model, {DESCRIPTION: json.dumps(description, ensure_ascii=False)})
    return bytes(model.SerializeToString())


def _load(content: bytes) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: _as_bytes(value) for name, value in zip(names, session.run(None, feed), strict=True)}

    return run


def _as_bytes(value: np.ndarray) -> np.ndarray:
    return np.char.encode(value.astype(str), "utf-8").astype(object) if value.dtype == object else value


ONNX = Format("ONNX", ".onnx", _lacks, _convert, _load)

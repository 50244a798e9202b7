"""ONNX, for ONNX Runtime and many others: `.onnx`."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from tensorflow.python.eager import context

from keras_mir.export.formats.one_file import CannotConvert, OneFile, frozen
from keras_mir.export.verify import Arrays
from pipelines.errors import ArgumentError, reason_of
from pipelines.quiet import quiet

DESCRIPTION = "keras_mir"
_NEEDS = ("tf2onnx", "onnx", "onnxruntime")
# These are no operations of a converted graph: weights become constants, calls are inlined.
_GONE = frozenset(("ReadVariableOp", "PartitionedCall", "StatefulPartitionedCall", "Assert"))
_AXES = ("batch", "time")  # what open axes are called


def check_installed() -> None:
    """Refuse to start without the optional packages.

    Raises:
        ArgumentError: Naming those that are missing.
    """
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ArgumentError("format", "onnx", f"{', '.join(missing)} missing: pip install {' '.join(_NEEDS)}")


def _lacks(used: set[str]) -> set[str]:
    from tf2onnx import tfonnx

    known = tfonnx.handler.tf_op.create_mapping(tfonnx.constants.PREFERRED_OPSET, None)
    return used - set(known) - _GONE


def _convert(function: Any, description: Mapping[str, Any], _quantization: str) -> bytes:
    """A model with the description in its metadata, under the key `keras_mir`."""
    import onnx
    from tf2onnx import convert

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with quiet(), _own_functions():
        try:
            # Frozen: constants that a layer made outside the graph would become inputs.
            model, _ = convert.from_function(frozen(function), input_signature=function.input_signature)
        except (ValueError, NotImplementedError) as error:
            raise CannotConvert(f"fails ({reason_of(error)})") from None
    for tensor in (*model.graph.input, *model.graph.output):
        for size, axis in zip(tensor.type.tensor_type.shape.dim, _AXES, strict=False):
            if not size.HasField("dim_value"):
                size.dim_param = axis
    _shape_counters(model.graph)
    onnx.helper.set_model_props(model, {DESCRIPTION: json.dumps(description, ensure_ascii=False)})
    return bytes(model.SerializeToString())


@contextmanager
def _own_functions() -> Iterator[None]:
    """Forget the functions that a conversion leaves behind: the next would give its own the same names."""
    known = context.context()
    before = known.list_function_names()
    try:
        yield
    finally:
        for name in known.list_function_names() - before:
            if not name.startswith("__"):  # those that are so called go with what they were traced for
                known.remove_function(name)


def _shape_counters(graph: Any) -> None:
    """Say that what counts the turns of a loop is a number: the converter does not, and the runtime asks."""
    for node in graph.node:
        for body in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
            if node.op_type == "Loop":
                body.input[0].type.tensor_type.shape.SetInParent()
            _shape_counters(body)


def _run(content: bytes, feeds: Sequence[Arrays]) -> list[Arrays]:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # nothing: what is wrong comes as an exception
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        answers = [dict(zip(names, session.run(None, feed), strict=True)) for feed in feeds]
    except (
        ValueError,
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.NotImplemented,
        errors.RuntimeException,
    ) as error:
        raise CannotConvert(f"fails ({reason_of(error)})") from None
    return [{name: _as_bytes(value) for name, value in answer.items()} for answer in answers]


def _as_bytes(value: np.ndarray) -> np.ndarray:
    return np.char.encode(value.astype(str), "utf-8").astype(object) if value.dtype == object else value


FORMAT = OneFile("ONNX", ".onnx", {}, check_installed, _lacks, _convert, _run)

"""LiteRT, which was TensorFlow Lite: `.tflite`."""

from __future__ import annotations

import io
import json
import pkgutil
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from keras_mir.export.formats.one_file import CannotConvert, OneFile, frozen
from keras_mir.export.verify import Arrays
from pipelines.errors import reason_of
from pipelines.quiet import quiet

DESCRIPTION = "keras_mir.json"

# Of the front end's operations, those without any counterpart among LiteRT's own. Even with TensorFlow's
# kernels beside it (its "Flex" delegate) three of them do not convert: BesselI0, Log1p and StatelessCase.
_LACKS = frozenset(
    (
        "AsString",
        "BesselI0",
        "BitwiseOr",
        "Complex",
        "DecodeRaw",
        "FFT",
        "IRFFT",
        "LeftShift",
        "Log1p",
        "RaggedTensorFromVariant",
        "RaggedTensorToTensor",
        "RaggedTensorToVariant",
        "StatelessCase",
        "StringJoin",
        "StringLength",
        "Substr",
    )
)


# How far answers may be from the Keras model's, by what was seen of trained models: a few thousandths, and
# a few hundredths.
_QUANTIZATIONS = {"float16": 1e-2, "dynamic-range": 1e-1}


def _convert(function: Any, description: Mapping[str, Any], quantization: str) -> bytes:
    """A model of built-in operations with one signature, and its description zipped to the end.

    That is where TFLite Metadata has associated files: runtimes stop before it, and any unzip reads it.
    """
    module = tf.Module()  # the converter wants to be given what owns a function
    with quiet():
        module.answer = frozen(function)
        concrete = module.answer.get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
        if quantization:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            model = converter.convert()
        except ConverterError as error:
            raise CannotConvert(_reason(error)) from None
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        text = json.dumps(description, indent=2, ensure_ascii=False)
        # With a date of its own the same model would not give the same file.
        archive.writestr(zipfile.ZipInfo(DESCRIPTION), text + "\n")
    return file.getvalue()


def _reason(error: Exception) -> str:
    """The operations that a converter's message is about, or else its first line."""
    message = str(error)
    listed = re.findall(r"^\s*(?:TF Select|Custom) ops: (.+)$", message, re.MULTILINE)
    names = {name for names in listed for name in names.split(", ")}
    names |= set(re.findall(r"'tf\.(\w+)' op", message))
    return f"lacks {', '.join(sorted(names))}" if names else f"fails ({reason_of(error)})"


def _run(content: bytes, feeds: Sequence[Arrays]) -> list[Arrays]:
    try:  # the runtime's own package where it is installed, else the one inside TensorFlow
        interpreter = pkgutil.resolve_name("ai_edge_litert.interpreter:Interpreter")
    except ImportError:
        interpreter = tf.lite.Interpreter
    with quiet():
        try:
            runner = interpreter(model_content=content).get_signature_runner()
            return [dict(runner(**feed)) for feed in feeds]
        except (RuntimeError, ValueError) as error:
            raise CannotConvert(f"fails ({reason_of(error)})") from None


FORMAT = OneFile(
    "LiteRT", ".tflite", _QUANTIZATIONS, lambda: None, lambda used: used & _LACKS, _convert, _run
)

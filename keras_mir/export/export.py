"""Write a trained model in a format, once it answers there as it does in Keras."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keras_mir.models.folders import check_name
from pipelines.errors import ArgumentError
from pipelines.places import check_folder

if TYPE_CHECKING:
    from keras_mir.models.servable import ServableModel

# By name, what writes it: from model, folder, name, signature and quantization to `Written`. Imported when
# asked for.
FORMATS = {
    "savedmodel": "keras_mir.export.savedmodel:write",
    "litert": "keras_mir.export.formats.litert:FORMAT.write",
    "onnx": "keras_mir.export.formats.onnx:FORMAT.write",
    "zip": "keras_mir.export.formats.package:write",
}


@dataclass(frozen=True)
class Written:
    """What an export has written.

    Attributes:
        path: The file, or the folder of the version.
        takes: The inputs of a file's signature with shapes and dtypes; empty where there are several.
        gives: Its outputs, likewise.
        size: Size of a file, in bytes; 0 for a folder.
        difference: The largest there was between a file's answers and the Keras model's, as a share of the
            output's largest or of 1.
    """

    path: Path
    takes: str = ""
    gives: str = ""
    size: int = 0
    difference: float = 0.0


def export(
    model: ServableModel,
    folder: str | Path = "saved_models",
    *,
    format: str = "savedmodel",
    signature: str = "",
    quantization: str = "",
    name: str = "",
) -> Written:
    """Write a model for TF Serving, or in another format.

    Args:
        model: The model.
        folder: Where to write, the export root.
        format: One of `FORMATS`.
        signature: What a file of one signature answers to; empty for `serving_default`.
        quantization: How a LiteRT file's weights are stored, `float16` or `dynamic-range`; empty for float32.
        name: Name of what is written; empty for the model's.

    Raises:
        UserError: If the model cannot be had in that format, or would not answer the same.
    """
    folder = Path(folder)
    check_folder("out", folder)
    if format not in FORMATS:
        raise ArgumentError("format", format, f"choose {', '.join(FORMATS)}")
    check_name(name or model.name)
    write = pkgutil.resolve_name(FORMATS[format])
    written: Written = write(model, folder, name or model.name, signature, quantization)
    return written

"""Write a trained model in a format, once it answers there as it does in Keras."""

from __future__ import annotations

from pathlib import Path

from keras_mir.export.formats import FORMATS, Written, find_format
from keras_mir.models.folders import check_name
from keras_mir.models.trained_model import TrainedModel
from pipelines.errors import ArgumentError


def export(
    model: TrainedModel,
    folder: str | Path = "saved_models",
    *,
    format: str = "savedmodel",
    signature: str = "",
    name: str = "",
) -> Written:
    """Write a model for TF Serving, or in another format.

    Args:
        model: The model.
        folder: Where to write, the export root.
        format: One of `FORMATS`.
        signature: What a file of one signature answers to; empty for `serving_default`.
        name: Of what is written; empty for the model's.

    Raises:
        UserError: If the model cannot be had in that format, or would not answer the same.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ArgumentError("out", folder, "a file, not a folder; choose another name")
    if format not in FORMATS:
        raise ArgumentError("format", format, f"choose {', '.join(FORMATS)}")
    check_name(name or model.name)
    found = find_format(format)
    found.check()
    return found.write(model, folder, name or model.name, signature)

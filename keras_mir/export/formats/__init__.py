"""The formats that a trained model can be exported in: a file a format, and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from keras_mir.models.trained_model import TrainedModel

# By name, the module that has the `Format` as `FORMAT`; it is imported when it is asked for.
FORMATS = {
    "savedmodel": "keras_mir.export.savedmodel",
    "litert": "keras_mir.export.formats.litert",
    "onnx": "keras_mir.export.formats.onnx",
}


@dataclass(frozen=True)
class Written:
    """What an export has written.

    Attributes:
        path: The file, or the folder of the version.
        takes: The inputs of a file's signature with shapes and dtypes; empty where there are several.
        gives: Its outputs, likewise.
    """

    path: Path
    takes: str = ""
    gives: str = ""


class Format(Protocol):
    """What a module of `FORMATS` has as `FORMAT`."""

    def check(self) -> None:
        """Refuse to start without an optional package that is needed."""

    def write(self, model: TrainedModel, folder: Path, name: str, signature: str) -> Written:
        """Write the model, or one signature of it, checked, and at once."""


def find_format(name: str) -> Format:
    """The format of that name."""
    found: Format = import_module(FORMATS[name]).FORMAT
    return found

"""A model as a few files that others can check before they open them: in a `.zip`, or on a model hub.

They hold what the model says of itself and a Keras model, and no SavedModel: its graph could read and write
files. Keras's own safe mode is not enough: what a `model.keras` may be made of is listed here.
"""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import UserError, reason_of

DESCRIPTION = "keras_mir.json"
MODEL = "model.keras"
ZIP = ".zip"
CARD = "README.md"  # where model hubs look for the card

_MEGABYTE = 2**20
MOST_BYTES = {DESCRIPTION: 16 * _MEGABYTE, MODEL: 1024 * _MEGABYTE, CARD: _MEGABYTE}
# Of what is in a model.keras.
_PARTS = {"metadata.json": _MEGABYTE, "config.json": 16 * _MEGABYTE, "model.weights.h5": 1024 * _MEGABYTE}

# By module, the classes of Keras that models of this package are made of. None of them takes a function, a
# path or Python code.
_BY_MODULE = {
    "keras": {"DTypePolicy"},
    "keras.initializers": {"Constant", "GlorotUniform", "Ones", "Zeros"},
    "keras.layers": {
        *("Average", "BatchNormalization", "Concatenate", "Conv1D", "Conv2D", "Dense", "Dropout", "Flatten"),
        *("GlobalAveragePooling1D", "InputLayer", "MaxPooling2D", "Normalization", "ReLU", "Reshape"),
    },
    "keras.regularizers": {"L2"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.core": {"Cast"},
    "keras.src.ops.numpy": {"Clip", "Concatenate", "GetItem"},
    None: {"__keras_tensor__", "__slice__"},
}
_CLASSES = [(module, name) for module, names in _BY_MODULE.items() for name in names]
_CHUNK = _MEGABYTE
# What reading a zip file raises of damaged, encrypted or unknown content.
_DAMAGE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError),
    *(RuntimeError, OSError, ValueError),
)


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zipped model, after a look at what is in it.

    Args:
        path: The file.
        folder: Where to; only files of `MOST_BYTES` are ever written, and no more bytes than there.

    Raises:
        UserError: If it is no zip file, is damaged, or has anything in it that a model has not.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for member in members:
                kind = stat.S_IFMT(member.external_attr >> 16)
                if member.filename not in MOST_BYTES or kind not in (0, stat.S_IFREG):
                    raise UserError(
                        f"{path}: has {member.filename[:80]!r} in it; "
                        f"a zipped model has {', '.join(MOST_BYTES)} alone"
                    )
            if len({member.filename for member in members}) < len(members):
                raise UserError(f"{path}: has a file twice in it; ask for another copy")
            for member in members:
                _copy(archive, member, folder / member.filename, path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the name") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: cannot be unpacked ({reason_of(error)}); ask for another copy") from None


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, path: Path) -> None:
    """Unpack a file, by as many bytes as there may be, whatever it says of its size."""
    left = MOST_BYTES[member.filename]
    with archive.open(member) as source, to.open("xb") as file:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise UserError(
                    f"{path}: {member.filename} has more than {MOST_BYTES[member.filename] // _MEGABYTE} MB; "
                    "it is no model of this package"
                )
            file.write(chunk)


def check_size(name: str, size: int, place: str) -> None:
    """Refuse a file that is larger than a model's may be.

    Args:
        name: Name of the file.
        size: In bytes.
        place: Where it is from, for messages.

    Raises:
        UserError: If it is.
    """
    if size > MOST_BYTES[name]:
        raise UserError(f"{place}: {name} has more than {MOST_BYTES[name] // _MEGABYTE} MB")


def check_package(folder: Path, place: str) -> None:
    """Look at a model's files before any of them is opened as what it says it is.

    Args:
        folder: Where they are.
        place: Where they are from, for messages.

    Raises:
        UserError: If a file is missing or too large, or the Keras model holds anything but layers that models
            of this package are made of.
    """
    for name in (DESCRIPTION, MODEL):
        file = folder / name
        if not file.is_file():
            raise UserError(f"{place}: no {name} in it; give a model that keras_mir has zipped or pushed")
        check_size(name, file.stat().st_size, place)
    try:
        with zipfile.ZipFile(folder / MODEL) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            if sizes.keys() != _PARTS.keys() or len(archive.infolist()) != len(_PARTS):
                raise _refusal(place, f"has {', '.join(sorted(sizes))[:200]} in it")
            for name, most in _PARTS.items():
                if sizes[name] > most:
                    raise _refusal(place, f"{name} has more than {most // _MEGABYTE} MB")
            # Read by no more bytes than that, whatever the archive says.
            with archive.open("config.json") as content:
                config = json.loads(content.read(_PARTS["config.json"]))
            if unknown := next(_unknown(config), None):
                raise _refusal(place, f"holds {unknown[:80]}, which no model of this package does")
            with archive.open("model.weights.h5") as weights:
                _check_weights(weights, place)
    except _DAMAGE as error:
        raise UserError(f"{place}: {MODEL} is damaged ({reason_of(error)}); ask for another copy") from None


def _refusal(place: str, problem: str) -> UserError:
    return UserError(f"{place}: its {MODEL} {problem}; it is not loaded, as it could run code")


def _unknown(config: Any) -> Iterator[str]:
    """The classes in a Keras model's configuration that are not of `_CLASSES` or this package's layers."""
    from keras_mir import layers

    if isinstance(config, dict):
        if "class_name" in config or "module" in config:
            name, module, registered = map(config.get, ("class_name", "module", "registered_name"))
            ours = name in layers.__all__ and registered == f"keras_mir>{name}"
            keras = (module, name) in _CLASSES and registered in (None, name)
            if not ours and not keras:
                yield f"{module}.{name}" if module else str(name)
        for value in config.values():
            yield from _unknown(value)
    elif isinstance(config, list):
        for value in config:
            yield from _unknown(value)


def _check_weights(weights: Any, place: str) -> None:
    """Refuse weights that are not in their file: HDF5 can take them from any other on the machine."""
    import h5py

    with h5py.File(weights, "r") as file:

        def look(group: Any) -> None:
            for name in group:
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise _refusal(place, f"links to another file at {name[:80]!r}")
                item = group[name]
                if isinstance(item, h5py.Group):
                    look(item)
                elif item.external or item.is_virtual:
                    raise _refusal(place, f"takes {name[:80]!r} from another file")

        look(file)

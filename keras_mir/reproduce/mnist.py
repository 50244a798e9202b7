"""MNIST as it lies on a user's disk: Keras's `mnist.npz`, or the four IDX files of its authors.

IDX is a big-endian format: two zero bytes, the type of the values (8 for unsigned bytes), the
number of dimensions, their sizes as 32-bit integers, then the values in C order
(http://yann.lecun.com/exdb/mnist, "the IDX file format").
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.errors import UserError

_WANTED = "give mnist.npz, or the folder of MNIST's four IDX files"
_UNSIGNED_BYTE = 8
_LEAST_SIDE = 4  # pixels; less, and two poolings leave nothing
_LEAST_IMAGES = 10  # of each digit, so that a part of them can validate

# Array in mnist.npz to file without ending, and its number of dimensions.
_IDX_FILES = {
    "x_train": ("train-images-idx3-ubyte", 3),
    "y_train": ("train-labels-idx1-ubyte", 1),
    "x_test": ("t10k-images-idx3-ubyte", 3),
    "y_test": ("t10k-labels-idx1-ubyte", 1),
}

# What zipfile, zlib and numpy raise when an archive, by then in memory, is not as it should be.
_DAMAGED_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
)


class _Found(NamedTuple):
    """An array, and where it was found, as an error names it."""

    place: str
    array: np.ndarray


def read_mnist(path: Path) -> dict[str, np.ndarray]:
    """Read MNIST, or anything in its format.

    Args:
        path: `mnist.npz`, or a folder with the four IDX files, each gzipped or not.

    Returns:
        By the names in `mnist.npz`: images `x_train` and `x_test`, uint8
        `(n, height, width)`, and their digits `y_train` and `y_test`, integer `(n,)`.

    Raises:
        UserError: If a file is missing, damaged, or not of handwritten digits.
    """
    if path.is_dir():
        found = {name: _read_idx(_idx_file(path, stem), n) for name, (stem, n) in _IDX_FILES.items()}
    elif path.is_file():
        found = _read_npz(path)
    else:
        raise UserError(f"--mnist {path}: no such file or folder; {_WANTED}")
    for part in ("train", "test"):
        _check_part(found[f"x_{part}"], found[f"y_{part}"])
    _check_together(found)
    return {name: array for name, (_, array) in found.items()}


def _read_npz(path: Path) -> dict[str, _Found]:
    content = io.BytesIO(_read_bytes(path))
    if not zipfile.is_zipfile(content):
        raise UserError(f"--mnist {path}: not an .npz file; {_WANTED}")
    found = {}
    for name in _IDX_FILES:
        try:
            content.seek(0)
            # Pickles in a file run whatever code they like.
            with np.load(content, allow_pickle=False) as arrays:
                if name not in arrays.files:
                    known = ", ".join(arrays.files) or "nothing"
                    raise UserError(
                        f"--mnist {path}: no array {name!r} in it, only {known}; give MNIST's own mnist.npz"
                    )
                array = arrays[name]
        except _DAMAGED_ARCHIVE as error:
            reason = (str(error).splitlines() or ["ends too early"])[0]
            raise UserError(
                f"--mnist {path}: {name} cannot be read ({reason}); give MNIST's own mnist.npz"
            ) from None
        found[name] = _Found(f"--mnist {path}: {name}", np.asarray(array))
    return found


def _idx_file(folder: Path, stem: str) -> Path:
    for name in (stem, f"{stem}.gz"):
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"--mnist {folder}: no file {stem} or {stem}.gz in it; {_WANTED}")


def _read_idx(path: Path, dimensions: int) -> _Found:
    content = _read_bytes(path)
    # The name does not tell: browsers unzip files and leave the ending.
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserError(f"--mnist {path}: damaged ({error}); copy it again") from None
    magic, start = bytes((0, 0, _UNSIGNED_BYTE, dimensions)), 4 + 4 * dimensions
    if content[:4] != magic:
        raise UserError(
            f"--mnist {path}: starts with {content[:4].hex() or 'nothing'}, not {magic.hex()}, so it is not "
            f"the IDX file its name says; {_WANTED}"
        )
    if len(content) < start:
        raise UserError(f"--mnist {path}: ends within its header; copy it again")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    size, stated = len(content) - start, math.prod(shape)
    if size != stated:
        raise UserError(f"--mnist {path}: {size} values where its header states {stated}; copy it again")
    return _Found(f"--mnist {path}", np.frombuffer(content, np.uint8, offset=start).reshape(shape))


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UserError(f"--mnist {path}: cannot be read ({reason}); {_WANTED}") from None


def _check_part(images: _Found, labels: _Found) -> None:
    shape, dtype = images.array.shape, images.array.dtype
    if dtype != np.uint8 or len(shape) != 3:
        raise UserError(
            f"{images.place} is {dtype} {shape}, not images: uint8 (n, height, width); give MNIST's own"
        )
    if not len(images.array) or min(shape[1:]) < _LEAST_SIDE:
        raise UserError(f"{images.place} has {shape[0]} images of {shape[1]} x {shape[2]}; give MNIST's own")
    if labels.array.dtype.kind not in "iu" or labels.array.ndim != 1:
        raise UserError(
            f"{labels.place} is {labels.array.dtype} {labels.array.shape}, not digits: integer (n,); "
            f"give MNIST's own"
        )
    if len(labels.array) != len(images.array):
        raise UserError(
            f"{labels.place} has {len(labels.array)} labels for {len(images.array)} images; "
            f"give images and labels of one set"
        )
    strange = labels.array[(labels.array < 0) | (labels.array > 9)]
    if len(strange):
        raise UserError(f"{labels.place} has the label {strange[0]}, which is no digit; give MNIST's own")


def _check_together(found: dict[str, _Found]) -> None:
    sizes = [found[name].array.shape[1:] for name in ("x_train", "x_test")]
    if sizes[0] != sizes[1]:
        (a, b), (c, d) = sizes
        raise UserError(
            f"{found['x_test'].place} has images of {c} x {d}, those for training are {a} x {b}; "
            f"give both of one set"
        )
    counts = np.bincount(found["y_train"].array, minlength=10)
    if counts.min() < _LEAST_IMAGES:
        raise UserError(
            f"{found['y_train'].place} has {counts.min()} images of a {counts.argmin()}; "
            f"give at least {_LEAST_IMAGES} of each digit"
        )
    if not np.any(found["y_test"].array == 6):
        raise UserError(
            f"{found['y_test'].place} has no 6, the digit that is pictured; give the whole test set"
        )

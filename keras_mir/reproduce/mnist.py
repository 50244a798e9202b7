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
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.errors import ArgumentError

_WANTED = "give mnist.npz, or the folder of MNIST's four IDX files"
_OWN, _AGAIN = "give MNIST's own", "copy it again"
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
# What gzip, zipfile and numpy raise when an archive, by then in memory, is not as it should be.
_FORMATS = (zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError)
_DAMAGED = (*_FORMATS, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)


class _Found(NamedTuple):
    """An array, the file it was found in, and how an error names it there."""

    array: np.ndarray
    path: Path
    name: str = ""


def read_mnist(path: Path) -> dict[str, np.ndarray]:
    """Read MNIST, or anything in its format; refuse what is missing, damaged, or not handwritten digits.

    Args:
        path: `mnist.npz`, or a folder with the four IDX files, each gzipped or not.

    Returns:
        By the names in `mnist.npz`: images `x_train` and `x_test`, uint8
        `(n, height, width)`, and their digits `y_train` and `y_test`, integer `(n,)`.
    """
    if path.is_dir():
        found = {name: _read_idx(path, stem, n) for name, (stem, n) in _IDX_FILES.items()}
    elif path.is_file():
        found = _read_npz(path)
    else:
        raise ArgumentError("mnist", path, f"no such file or folder; {_WANTED}")
    arrays = {name: one.array for name, one in found.items()}
    for name, problem in _problems(arrays):
        raise ArgumentError("mnist", found[name].path, f"{found[name].name}{problem}")
    return arrays


def _problems(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, str]]:
    """What is wrong with which array; all that comes later counts on what came before."""
    for part in ("train", "test"):
        (x, images), (y, digits) = ((name, arrays[name]) for name in (f"x_{part}", f"y_{part}"))
        shape = images.shape
        if images.dtype != np.uint8 or len(shape) != 3:
            yield x, f"is {images.dtype} {shape}, not images: uint8 (n, height, width); {_OWN}"
        if not shape[0] or min(shape[1:]) < _LEAST_SIDE:
            yield x, f"has {shape[0]} images of {shape[1]} x {shape[2]}; {_OWN}"
        if digits.dtype.kind not in "iu" or digits.ndim != 1:
            yield y, f"is {digits.dtype} {digits.shape}, not digits: integer (n,); {_OWN}"
        if len(digits) != shape[0]:
            yield y, f"has {len(digits)} labels for {shape[0]} images; give images and labels of one set"
        for strange in digits[(digits < 0) | (digits > 9)]:
            yield y, f"has the label {strange}, which is no digit; {_OWN}"
    (_, a, b), (_, c, d) = arrays["x_train"].shape, arrays["x_test"].shape
    if (a, b) != (c, d):
        sizes = f"images of {c} x {d}, those for training are {a} x {b}"
        yield "x_test", f"has {sizes}; give both of one set"
    counts = np.bincount(arrays["y_train"], minlength=10)
    if counts.min() < _LEAST_IMAGES:
        few = f"has {counts.min()} images of a {counts.argmin()}"
        yield "y_train", f"{few}; give at least {_LEAST_IMAGES} of each digit"
    if not np.any(arrays["y_test"] == 6):
        yield "y_test", "has no 6, the digit that is pictured; give the whole test set"


def _read_npz(path: Path) -> dict[str, _Found]:
    content = io.BytesIO(_read_bytes(path))
    if not zipfile.is_zipfile(content):
        raise ArgumentError("mnist", path, f"not an .npz file; {_WANTED}")
    found = {}
    for name in _IDX_FILES:
        try:
            content.seek(0)
            # Pickles in a file run whatever code they like.
            with np.load(content, allow_pickle=False) as arrays:
                if name not in arrays.files:
                    problem = f"no array {name!r} in it, only {', '.join(arrays.files) or 'nothing'}"
                    raise ArgumentError("mnist", path, f"{problem}; {_OWN} mnist.npz")
                found[name] = _Found(np.asarray(arrays[name]), path, f"{name} ")
        except _DAMAGED as error:
            reason = (str(error).splitlines() or ["ends too early"])[0]
            problem = f"{name} cannot be read ({reason})"
            raise ArgumentError("mnist", path, f"{problem}; {_OWN} mnist.npz") from None
    return found


def _read_idx(folder: Path, stem: str, dimensions: int) -> _Found:
    path = folder / stem if (folder / stem).is_file() else folder / f"{stem}.gz"
    if not path.is_file():
        raise ArgumentError("mnist", folder, f"no file {stem} or {stem}.gz in it; {_WANTED}")
    content = _read_bytes(path)
    # The name does not tell: browsers unzip files and leave the ending.
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except _DAMAGED as error:
            raise ArgumentError("mnist", path, f"damaged ({error}); {_AGAIN}") from None
    magic, start = bytes((0, 0, _UNSIGNED_BYTE, dimensions)), 4 + 4 * dimensions
    if content[:4] != magic:
        starts = f"starts with {content[:4].hex() or 'nothing'}, not {magic.hex()}"
        raise ArgumentError("mnist", path, f"{starts}, so it is not the IDX file its name says; {_WANTED}")
    if len(content) < start:
        raise ArgumentError("mnist", path, f"ends within its header; {_AGAIN}")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    size, stated = len(content) - start, math.prod(shape)
    if size != stated:
        raise ArgumentError("mnist", path, f"{size} values where its header states {stated}; {_AGAIN}")
    return _Found(np.frombuffer(content, np.uint8, offset=start).reshape(shape), path)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ArgumentError("mnist", path, f"cannot be read ({reason}); {_WANTED}") from None

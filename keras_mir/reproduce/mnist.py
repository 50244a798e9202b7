"""MNIST as it lies on a user's disk: Keras's `mnist.npz`, or the four IDX files of its authors.

IDX is a big-endian format: two zero bytes, the type of the values (8 for unsigned bytes), the
number of dimensions, their sizes as 32-bit integers, then the values in C order
(http://yann.lecun.com/exdb/mnist, "the IDX file format").
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pipelines.errors import ArgumentError, reason_of

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


def read_mnist(path: Path) -> dict[str, np.ndarray]:
    """Read MNIST, or anything in its format; refuse what is missing, damaged, or not handwritten digits.

    Args:
        path: `mnist.npz`, or a folder with the four IDX files, each gzipped or not.

    Returns:
        By the names in `mnist.npz`, images before their digits, training before test: images `x_train`
        and `x_test`, uint8 `(n, height, width)`, and digits `y_train` and `y_test`, integer `(n,)`.
    """
    if not path.is_dir() and not path.is_file():
        raise ArgumentError("mnist", path, f"no such file or folder; {_WANTED}")
    files = {name: _idx_file(path, stem) if path.is_dir() else path for name, (stem, _) in _IDX_FILES.items()}
    try:
        if path.is_dir():
            arrays = {name: _read_idx(files[name], n) for name, (_, n) in _IDX_FILES.items()}
        else:
            arrays = _read_npz(path)
    except OSError as error:
        problem = f"cannot be read ({reason_of(error)}); {_WANTED}"
        raise ArgumentError("mnist", error.filename or path, problem) from None
    for name, problem in _problems(arrays):
        raise ArgumentError("mnist", files[name], problem if path.is_dir() else f"{name} {problem}")
    return arrays


def _problems(arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str]]:
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


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    content = io.BytesIO(path.read_bytes())
    if not zipfile.is_zipfile(content):
        raise ArgumentError("mnist", path, f"not an .npz file; {_WANTED}")
    content.seek(0)
    arrays: dict[str, np.ndarray] = {}
    name = "x_train"
    try:
        # Pickles in a file run whatever code they like.
        with np.load(content, allow_pickle=False) as archive:
            there = archive.files
            for name in filter(there.__contains__, _IDX_FILES):
                arrays[name] = np.asarray(archive[name])
    except Exception as error:  # of any class, as archives are damaged in many ways
        problem = f"{name} cannot be read ({reason_of(error)}); {_OWN} mnist.npz"
        raise ArgumentError("mnist", path, problem) from None
    if missing := [name for name in _IDX_FILES if name not in there]:
        problem = f"no array {missing[0]!r} in it, only {', '.join(there) or 'nothing'}"
        raise ArgumentError("mnist", path, f"{problem}; {_OWN} mnist.npz")
    return arrays


def _idx_file(folder: Path, stem: str) -> Path:
    for path in (folder / stem, folder / f"{stem}.gz"):
        if path.is_file():
            return path
    raise ArgumentError("mnist", folder, f"no file {stem} or {stem}.gz in it; {_WANTED}")


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    content = path.read_bytes()
    # The name does not tell: browsers unzip files and leave the ending.
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ArgumentError("mnist", path, f"damaged ({error}); {_AGAIN}") from None
    magic, start = bytes((0, 0, _UNSIGNED_BYTE, dimensions)), 4 + 4 * dimensions
    if content[:4] != magic:
        starts = f"starts with {content[:4].hex() or 'nothing'}, not {magic.hex()}"
        raise ArgumentError("mnist", path, f"{starts}, so it is not the IDX file its name says; {_WANTED}")
    if len(content) < start:
        raise ArgumentError("mnist", path, f"ends within its header; {_AGAIN}")
    shape = np.frombuffer(content[4:start], ">u4").tolist()
    size, stated = len(content) - start, math.prod(shape)
    if size != stated:
        raise ArgumentError("mnist", path, f"{size} values where its header states {stated}; {_AGAIN}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)

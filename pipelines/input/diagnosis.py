"""Say in plain words what is wrong with a feature file.

The graph that reads files (`pipelines.ops.npy`) only refuses; this module, which runs in Python
once a file has been refused, finds the reason and the remedy.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np

from pipelines.limits import MAX_FRAMES
from pipelines.ops.npy import FIELDS, FLOATS, HEADER, INTEGERS, MAGIC, MAX_HEADER, VERSIONS
from pipelines.spec import Spec

_REWRITE = "features are written with numpy.save or keras_mir.prepare"


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran_order: bool
    descr: str


def diagnose(path: Path, widths: tuple[int, ...], max_frames: int, spec: Spec | None = None) -> str:
    """Why `path` is no spectrogram.

    Args:
        path: A `.npy` or `.npy.gz` file.
        widths: The numbers of rows that are allowed.
        max_frames: The longest array that is allowed, in frames.
        spec: What its values should be; `None` if any will do.

    Returns:
        One sentence with the remedy, without the file's name; `""` if nothing is wrong.
    """
    return _explain(path, lambda file: _diagnose_spectrogram(file, widths, max_frames, spec))


def diagnose_beats(path: Path, frames: int) -> str:
    """Why `path` is no file of a clip's beats, as frames: one sentence with the remedy, or `""`."""
    return _explain(path, lambda file: _diagnose_beats(file, frames))


def stated_frames(path: Path) -> int:
    """How many frames a spectrogram has by its header alone; 0 where it cannot be read."""
    try:
        with _open(path) as file:
            header = _read_header(file)
    except (OSError, EOFError, zlib.error):  # it will be refused, with the reason, where it is used
        return 0
    return header.shape[-1] if header and header.shape else 0


def _explain(path: Path, diagnose_content: Callable[[IO[bytes]], str]) -> str:
    if not path.exists():
        return "the file is not there; correct the label file or restore the file"
    if not path.is_file():
        return "it is a folder, not a file; move it away"
    if path.stat().st_size == 0:
        return "the file is empty; copy or extract it again"
    try:
        with _open(path) as file:
            reason = diagnose_content(file)
            if reason or path.suffix != ".gz":
                return reason
            content = path.read_bytes()
            # Python's own gzip passes over a header that zlib, and so the graph, refuses.
            zlib.decompressobj(zlib.MAX_WBITS + 16).decompress(content, 1)
            # How long its content is, a gzip file states in its last bytes (RFC 1952, ISIZE).
            if file.tell() != int.from_bytes(content[-4:], "little"):
                return "something follows the compressed data, or they are in several parts; write it anew"
            return ""
    except (EOFError, zlib.error):
        return "the compressed data end early or are damaged; copy or extract it again"
    except gzip.BadGzipFile as error:
        reason = str(error).lower()
        if "not a gzipped" in reason:
            return "the name ends in .gz but the content is not gzip; rename or extract it again"
        return "the compressed data are damaged (checksum); copy or extract it again"


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _read_header(file: IO[bytes]) -> _Header | None:
    """What a `.npy` file says of itself; `None` if that is not as `pipelines.ops.npy` reads it."""
    magic, version = file.read(len(MAGIC)), file.read(2)
    if magic != MAGIC or version not in VERSIONS:
        return None
    length = int.from_bytes(file.read(VERSIONS[version]), "little")
    text = file.read(min(length, MAX_HEADER)).decode("latin-1")
    found = {key: re.fullmatch(pattern, text) for key, pattern in FIELDS.items()}
    if len(text) != length or not re.fullmatch(HEADER, text) or not all(found.values()):
        return None
    shape, order, descr = (
        "".join(group or "" for group in cast(re.Match[str], found[key]).groups())
        for key in ("shape", "fortran_order", "descr")
    )
    return _Header(tuple(map(int, shape.replace(",", " ").split())), order == "True", descr)


def _name(descr: str) -> str:
    """A type by the name that people know, if there is one of that name."""
    try:
        return str(np.dtype(descr))
    except TypeError:
        return repr(descr)


def _values(file: IO[bytes], header: _Header, types: Mapping[str, str]) -> np.ndarray | str:
    """The values of a file that is read up to its header, or what is wrong with their bytes."""
    dtype = np.dtype(types[header.descr])
    claimed = dtype.itemsize * math.prod(header.shape)
    data = file.read(claimed)
    if len(data) < claimed:
        return f"it ends after {len(data)} of {claimed} bytes of values; copy or extract it again"
    if file.read(1):
        return f"it goes on after the {claimed} bytes its header claims; copy or extract it again"
    return np.frombuffer(data, dtype).reshape(header.shape, order="F" if header.fortran_order else "C")


def _diagnose_spectrogram(
    file: IO[bytes], widths: tuple[int, ...], max_frames: int, spec: Spec | None
) -> str:
    header = _read_header(file)
    if header is None:
        return f"it is not a .npy file, or its header is not as numpy writes it; {_REWRITE}"
    shape = header.shape
    if header.descr == "|O":
        return "it holds Python objects (a pickle), which are never loaded; save a float array"
    if header.descr not in FLOATS:
        return f"its type is {_name(header.descr)}, not a float of 16, 32 or 64 bits; save it as float32"
    if len(shape) != 2 or shape[0] not in widths:
        allowed = " or ".join(str(width) for width in widths)
        return f"its shape is {shape}, not ({allowed}, time); extract it again, or transpose it"
    if shape[1] < 1:
        return "it has no frames; extract it again from longer audio"
    if shape[1] > max_frames:
        return f"its header claims {shape[1]} frames, more than the {max_frames} allowed; cut the clip"
    values = _values(file, header, FLOATS)
    if isinstance(values, str):
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        bad = np.argwhere(~np.isfinite(values.astype(np.float32)))
    if len(bad):
        row, frame = bad[0]
        return (
            f"{len(bad)} values are NaN, infinite or beyond float32 (first: row {row}, frame {frame}); "
            f"extract it again"
        )
    return "" if spec is None else _diagnose_values(values.astype(np.float32), spec.limits(len(values)))


def _diagnose_values(values: np.ndarray, limits: np.ndarray) -> str:
    lowest, highest = limits[:, :, None]
    bad = np.argwhere((values < lowest) | (values > highest))
    if not len(bad):
        return ""
    row, frame = bad[0]
    return (
        f"{len(bad)} values are beyond what the feature spec allows (first: row {row}, frame {frame}: "
        f"{values[row, frame]:g}, not {lowest[row, 0]:g} to {highest[row, 0]:g}); extract it again: "
        f"mel in dB below the clip's loudest, chroma from 0 to 1"
    )


def _diagnose_beats(file: IO[bytes], frames: int) -> str:
    header = _read_header(file)
    if header is None:
        return f"it is not a .npy file, or its header is not as numpy writes it; {_REWRITE}"
    if len(header.shape) != 1 or header.descr not in INTEGERS:
        what = f"{_name(header.descr)} of shape {header.shape}"
        return f"it is {what}, not a row of frame numbers; save them as int64"
    if header.shape[0] > MAX_FRAMES:
        return (
            f"its header claims {header.shape[0]} beats, more than the {MAX_FRAMES} allowed; write it again"
        )
    values = _values(file, header, INTEGERS)
    if isinstance(values, str):
        return values
    outside = values[(values < 0) | (values > frames)]
    if len(outside):
        return (
            f"frame {outside[0]} is not in the clip, which has {frames}; give frames, not samples or seconds"
        )
    if (values[1:] <= values[:-1]).any():
        return "its frame numbers do not increase; sort them, each once"
    return ""

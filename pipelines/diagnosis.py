"""Say in plain words what is wrong with a feature file.

The graph that reads files (``pipelines.npy``) only refuses; this module, which runs in Python
once a file has been refused, finds the reason and the remedy.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

_CHUNK = 1 << 20


def diagnose(path: Path, widths: tuple[int, ...], max_frames: int) -> str:
    """Why ``path`` is no spectrogram.

    Args:
        path: A ``.npy`` or ``.npy.gz`` file.
        widths: The numbers of rows that are allowed.
        max_frames: The longest array that is allowed, in frames.

    Returns:
        One sentence with the remedy, without the file's name; ``""`` if nothing is wrong.
    """
    if not path.exists():
        return "the file is not there; correct the label file or restore the file"
    if path.stat().st_size == 0:
        return "the file is empty; copy or extract it again"
    try:
        with _open(path) as file:
            return _diagnose_content(file, widths, max_frames)
    except (EOFError, zlib.error):
        return "the compressed data end early or are damaged; copy or extract it again"
    except gzip.BadGzipFile as error:
        reason = str(error).lower()
        if "not a gzipped" in reason:
            return "the name ends in .gz but the content is not gzip; rename or extract it again"
        return "the compressed data are damaged (checksum); copy or extract it again"


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return path.open("rb")


def _diagnose_content(file: IO[bytes], widths: tuple[int, ...], max_frames: int) -> str:
    try:
        version = npy_format.read_magic(file)
        read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, fortran_order, dtype = read(file)
    except ValueError:
        return "it is not a .npy file; features are written with numpy.save or keras_mir.prepare"
    if dtype.hasobject:
        return "it holds Python objects (a pickle), which are never loaded; save a float array"
    if dtype.kind != "f" or dtype.itemsize > 8:
        return f"its type is {dtype}, not a float of 16, 32 or 64 bits; save it as float32"
    if len(shape) != 2 or shape[0] not in widths:
        allowed = " or ".join(str(width) for width in widths)
        return f"its shape is {shape}, not ({allowed}, time); extract it again, or transpose it"
    if shape[1] == 0:
        return "it has no frames; extract it again from longer audio"
    if shape[1] > max_frames:
        return f"its header claims {shape[1]} frames, more than the {max_frames} allowed; cut the clip"
    return _diagnose_values(file, shape, fortran_order, dtype)


def _diagnose_values(
    file: IO[bytes], shape: tuple[int, ...], fortran_order: bool, dtype: np.dtype[np.generic]
) -> str:
    claimed = dtype.itemsize * shape[0] * shape[1]
    data = file.read(claimed)
    if len(data) < claimed:
        return f"it ends after {len(data)} of {claimed} bytes of values; copy or extract it again"
    surplus = file.read(_CHUNK)
    if surplus:
        return f"it goes on after the {claimed} bytes its header claims; copy or extract it again"
    values = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, frame = bad[0]
        return f"{len(bad)} values are NaN or infinite (first: row {row}, frame {frame}); extract it again"
    return ""

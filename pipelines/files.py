"""Files that appear whole or not at all."""

from __future__ import annotations

import io
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, and the folders to it, under another name first."""
    with _under_another_name(path) as unfinished:
        unfinished.write_bytes(content)


def link_or_copy(source: Path, path: Path) -> None:
    """Give a file a second name, or copy it where the file system knows no such thing."""
    with _under_another_name(path) as unfinished:
        try:
            unfinished.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, unfinished)


def remove_temporary(folders: Iterable[Path]) -> None:
    """Remove what a killed process was writing there."""
    for folder in folders:
        for path in folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON object as a file of readable lines."""
    write_atomically(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())


def npy_bytes(array: np.ndarray) -> bytes:
    """The content of a `.npy` file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def gzip_npy_bytes(array: np.ndarray) -> bytes:
    """The content of a `.npy.gz` file, without name and time: the same for the same array.

    Floats from measurements hardly repeat: the search for earlier copies takes four fifths of
    gzip's time and saves 3 % of the size, so only runs are looked for.
    """
    gzip_format = zlib.MAX_WBITS + 16
    deflate = zlib.compressobj(wbits=gzip_format, strategy=zlib.Z_RLE)
    return deflate.compress(npy_bytes(array)) + deflate.flush()


@contextmanager
def _under_another_name(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not longer than the name it is to have: systems allow 255 bytes.
    unfinished = path.with_name(f".{path.name[-40:]}.{os.getpid()}.tmp")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        if error.filename is not None:
            raise
        # A write that fails does not say where.
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        unfinished.unlink(missing_ok=True)

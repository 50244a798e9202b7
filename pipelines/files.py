"""Files that appear whole or not at all, and folders that one process works in at a time."""

from __future__ import annotations

import fcntl
import io
import json
import os
import platform
import shutil
import tomllib
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipelines.errors import UserError

LOCK = ".lock"
DEVICE = "a device or a pipe, not a file; choose another name"


def write_atomically(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Write a file, and the folders to it, under another name first.

    That name is always the same, so that what a killed process was writing is gone once somebody has
    written the file. The permissions of a file that was there stay.

    Args:
        path: The file.
        content: Content of the file.
        lasting: Whether it is to be there after a loss of power, too; that takes milliseconds.

    Raises:
        UserError: If that is the name of a device or a pipe.
    """
    if is_device(path):  # which would be there no more
        raise UserError(f"{path}: {DEVICE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = beside(path, "tmp")
    with place_named(path), _held(unfinished) as file:
        try:
            unfinished.write_bytes(content)
            with suppress(FileNotFoundError):
                shutil.copymode(path, unfinished)
            if lasting:
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    if lasting:
        _flush(path.parent)


def is_device(path: Path) -> bool:
    """Whether there is something that a file must not take the place of."""
    return path.exists() and not path.is_file() and not path.is_dir()


def beside(path: Path, ending: str) -> Path:
    """A hidden name beside a file, of this file alone, and short: systems allow names of 255 bytes."""
    return path.with_name(f".{path.name[-40:]}.{zlib.crc32(os.fsencode(path.name)):08x}.{ending}")


def link_or_copy(source: Path, path: Path) -> None:
    """Give a file a second name, or copy it where the file system knows no such thing.

    Nobody else may do so at the same time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = beside(path, "tmp")
    unfinished.unlink(missing_ok=True)
    with place_named(path):
        try:
            try:
                unfinished.hardlink_to(source)
            except OSError:
                shutil.copyfile(source, unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def remove_temporary(folders: Iterable[Path]) -> None:
    """Remove what a killed process was writing in folders that are `locked`."""
    for folder in folders:
        for path in folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or what a folder holds at any depth, would outlive a loss of power."""
    for inside in (path, *path.rglob("*")):
        _flush(inside)


@contextmanager
def locked(folder: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Work in a folder alone: the file `.lock` in it is held by this process, and names it.

    The operating system gives up what a process holds when it ends, in whatever way; so there is nothing
    to take back from the dead, which a library that goes by the file's being there would have to.

    Args:
        folder: Made if it is not there.
        waiting: Is told who works there before that is waited for; None to refuse at once.

    Raises:
        UserError: If another process works there.
    """

    def blocked(file: IO[bytes]) -> None:
        file.seek(0)
        who = file.read().decode("utf-8", "replace") or "another process"
        if waiting is None:
            raise UserError(f"{folder}: {who} is at work in it; wait for its end, or stop it")
        waiting(f"{folder}: waiting for {who}, which is at work in it")

    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder / LOCK, blocked) as file:
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        try:
            with place_named(folder):
                file.write(f"process {os.getpid()} on {platform.node()} (since {since})".encode())
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON object as a file of readable lines."""
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    # What is no text in the name of a file becomes an escape that JSON knows.
    write_atomically(path, text.encode(errors="backslashreplace"))


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: The file.
        remedy: What a user is to do if it is damaged.

    Raises:
        UserError: If it is no JSON object.
        FileNotFoundError: If it is not there.
    """
    try:
        values = json.loads(path.read_bytes())
    except IsADirectoryError:
        raise UserError(f"{path}: a folder, not a file; {remedy}") from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one of the first
        raise UserError(f"{path}: damaged, not JSON ({error}); {remedy}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: damaged, not a JSON object; {remedy}")
    return values


def read_toml(path: Path, remedy: str) -> dict[str, Any]:
    """Read a file that somebody wrote in TOML, perhaps with a byte order mark, as some editors put one.

    Args:
        path: The file.
        remedy: What a user is to do if it is something else.

    Raises:
        UserError: If it is not TOML.
        OSError: If it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: not TOML ({error}); {remedy}") from None


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
def _held(path: Path, blocked: Callable[[IO[bytes]], None] | None = None) -> Iterator[IO[bytes]]:
    """An empty file, to write, that no other process has in hand.

    Args:
        path: The file; made if it is not there.
        blocked: Called with the file if another process has it, before it is waited for.
    """
    while True:
        with path.open("a+b", buffering=0) as file:  # or closing it would meet a full disk again
            if not _lock(file, fcntl.LOCK_NB):
                if blocked:
                    blocked(file)
                _lock(file)
            # Who had it may have renamed or removed it: then the name is of another file, or of none.
            if _is_named(file, path):
                file.truncate(0)
                yield file
                return


def _is_named(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: IO[bytes], how: int = 0) -> bool:
    """Whether this process now holds an open file; where files cannot be held, everyone does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | how)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems know no locks
        return True
    return True


def _flush(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def place_named(path: Path) -> Iterator[None]:
    """An error of the file system names the file that was to be written, not a passing one, or none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None

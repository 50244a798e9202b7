"""Files and folders that a user names: what cannot be one is refused before any work begins."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import ArgumentError, reason_of
from pipelines.files import DEVICE, is_device


def check_folder(argument: str, folder: Path) -> None:
    """Refuse a file where a folder is wanted.

    Raises:
        ArgumentError: For the argument of that name.
    """
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(argument, folder, "a file, not a folder; choose another name")


def check_file(argument: str, file: Path) -> None:
    """Refuse a place where no file can be written, or that is something else.

    Raises:
        ArgumentError: For the argument of that name.
    """
    try:
        file.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ArgumentError(argument, file, f"{reason_of(error)}; choose another name") from None
    if file.is_dir():
        raise ArgumentError(argument, file, "a folder, not a file; choose another name")
    if is_device(file):
        raise ArgumentError(argument, file, DEVICE)


def check_utf8(argument: str, path: Path) -> None:
    """Refuse a path that TensorFlow, and a run's own files, cannot name.

    Raises:
        ArgumentError: For the argument of that name.
    """
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise ArgumentError(
            argument, path, "a name that is not UTF-8, which TensorFlow wants; rename it"
        ) from None

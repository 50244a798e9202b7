"""Checksums: in the names of what a cache holds, and in lists that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from pipelines.files import write_atomically

FEATURES, SOURCES = "features.sha256", "sources.sha256"  # the lists of a prepared data set
_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")


def find_cached(folder: Path, keys: Iterable[str], suffix: str) -> dict[str, Path]:
    """The files of a cache, by key, that still hold what `write_cached` gave them."""
    wanted, found = set(keys), {}
    for part in sorted({key[:2] for key in wanted}):
        for path in sorted((folder / part).glob(f"[!.]*{suffix}")):
            key, _, checksum = path.name.removesuffix(suffix).rpartition("-")
            if key in wanted and checksum == _crc(path.read_bytes()):
                found[key] = path
    return found


def write_cached(folder: Path, key: str, suffix: str, content: bytes) -> Path:
    """Write a file of a cache, under a name that says what it follows from and, by CRC-32, what it holds."""
    path = folder / key[:2] / f"{key}-{_crc(content)}{suffix}"
    # It is checked when it is found: what a loss of power took is made again.
    write_atomically(path, content, lasting=False)
    return path


def sha256(content: bytes | Path) -> str:
    """The SHA-256 of bytes, or of what is in a file, in hexadecimal digits."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checksums(dict[str, str]):
    """The SHA-256 of files by name, relative to a folder, as a list says that is kept in a file.

    Args:
        path: The list; lines of it that are damaged count for nothing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        if path.is_file():
            for line in path.read_text("utf-8", "surrogateescape").split("\n"):
                if found := _LINE.fullmatch(line):
                    self[_unescaped(found[3]) if found[1] else found[3]] = found[2]

    def name_of(self, path: Path) -> str:
        """What a file is called in the list, if that is of the folder it is kept in."""
        return path.relative_to(self.path.parent).as_posix()

    def holds(self, path: Path) -> bool | None:
        """Whether a file of that folder is as the list says; None if the list does not say."""
        if not path.is_file():
            return False
        known = self.get(self.name_of(path))
        return None if known is None else sha256(path) == known

    def append(self, entries: dict[str, str]) -> None:
        """Add files, in the list too."""
        self.update(entries)
        with self.path.open("ab") as file:
            file.write(_lines(entries))

    def write(self) -> None:
        """Write the list anew."""
        write_atomically(self.path, _lines(dict(sorted(self.items()))))


def _lines(entries: dict[str, str]) -> bytes:
    lines = []
    for name, digest in entries.items():
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def _unescaped(name: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], name)


def _crc(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"

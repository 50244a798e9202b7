"""Files by their names, on this machine or where Beam has a file system for it: `s3://bucket/song.mp3`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata, FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.errors import UserError
from pipelines.files import write_atomically

_AS_IT_IS = CompressionTypes.UNCOMPRESSED  # Beam would zip what is called .gz
# By scheme, Beam's extra, and the module without which Beam does not say what is lacking.
_EXTRAS = {
    "s3": ("aws", "boto3"),
    "gs": ("gcp", "google.cloud.storage"),
    "azfs": ("azure", "azure.storage.blob"),
}


def use_options(options: Sequence[str]) -> None:
    """Let Beam's file systems know options, such as `--s3_endpoint_url`."""
    FileSystems.set_options(PipelineOptions(list(options)))


class Found(NamedTuple):
    """A file: its name, its size in bytes, and when it was changed, in nanoseconds since 1970."""

    path: str
    bytes: int
    modified: int


def is_remote(place: str) -> bool:
    """Whether a name is of no file of this machine."""
    return "://" in place


def everywhere(place: str) -> str:
    """A name that is the same wherever on a machine a process was started."""
    return place if is_remote(place) else os.path.abspath(place)  # noqa: PTH100 (links are not followed)


def inside(folder: str, name: str) -> str:
    """The name of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}"


def found_here(path: Path) -> Found:
    """A file of this machine."""
    status = path.stat()
    return Found(everywhere(str(path)), status.st_size, status.st_mtime_ns)


def files_in(folder: str, ending: str = "") -> list[Found]:
    """The files in a folder, sorted: of a remote one at any depth; none if there is no such folder.

    Those that are hidden, or in hidden folders, are left out.
    """
    if not is_remote(folder):
        return [found_here(path) for path in sorted(Path(folder).glob(f"[!.]*{ending}")) if path.is_file()]
    start = inside(folder, "")
    found = sorted(map(_found, _matching(f"{start}**")))
    return [
        file
        for file in found
        if file.path.endswith(ending)
        and not any(part.startswith(".") for part in file.path.removeprefix(start).split("/"))
    ]


def exists(place: str) -> bool:
    """Whether there is such a file."""
    if not is_remote(place):
        return Path(place).is_file()
    with _asked(place):
        return bool(_system(place).exists(place))


@contextmanager
def local_copy(place: str) -> Iterator[Path]:
    """A file as one of this machine, for as long as it is wanted; as old as the one it is of.

    Raises:
        UserError: If a remote one is not there.
    """
    if not is_remote(place):
        yield Path(place)
        return
    found = [file for file in map(_found, _matching(place)) if file.path == place]
    if not found:
        raise UserError(f"{place}: no such file or directory; check the file")
    with TemporaryDirectory(prefix="keras_mir-") as folder:
        path = Path(folder) / place.rpartition("/")[2]
        download(place, path)
        os.utime(path, ns=(found[0].modified, found[0].modified))
        yield path


def download(place: str, path: Path) -> None:
    """Copy a remote file to this machine."""
    with _system(place).open(place, compression_type=_AS_IT_IS) as source, path.open("wb") as file:
        while block := source.read(2**20):
            file.write(block)


def read_part(place: str, start: int, length: int) -> bytes:
    """Some of a file's bytes."""
    with _system(place).open(place, compression_type=_AS_IT_IS) as file:
        file.seek(start)
        return bytes(file.read(length))


def write(place: str, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    if not is_remote(place):
        write_atomically(Path(place), content)
        return
    folder, _, name = place.rpartition("/")
    unfinished = f"{folder}/.{uuid.uuid4().hex}.{name}.tmp"  # several may be at it after a worker was lost
    with _system(place).create(unfinished, compression_type=_AS_IT_IS) as file:
        file.write(content)
    FileSystems.rename([unfinished], [place])


def delete(places: list[str]) -> None:
    """Remove files that are there."""
    for place in places:
        if not is_remote(place):
            Path(place).unlink(missing_ok=True)
    if remote := [place for place in places if is_remote(place)]:
        FileSystems.delete(remote)


def _system(place: str) -> FileSystem:
    """Beam's file system for a remote place; that of another scheme is refused, and what is in no bucket."""
    scheme, _, inside = place.partition("://")
    if scheme in _EXTRAS and not inside.partition("/")[0]:
        raise UserError(f"{place}: it names no bucket; write {scheme}://BUCKET/NAME")
    extra, module = _EXTRAS.get(scheme, ("", ""))
    try:
        if module:
            import_module(module)
        return FileSystems.get_filesystem(place)
    except (ImportError, ValueError) as error:
        install = f"pip install 'apache-beam[{extra}]', or " if extra else ""
        raise UserError(
            f"{place}: Beam has no file system for {scheme}://; {install}copy the files to this machine"
        ) from error


@contextmanager
def _asked(place: str) -> Iterator[None]:
    """Where a place may be one that nobody may ask about, or does not answer."""
    try:
        yield
    except BeamIOError as error:
        reason = next(iter((error.exception_details or {}).values()), error)
        raise UserError(
            f"{place}: Beam cannot look there ({reason}); check the name, the region and what lets you in"
        ) from error


def _matching(pattern: str) -> list[FileMetadata]:
    with _asked(pattern):
        (result,) = _system(pattern).match([pattern])
        return list(result.metadata_list)


def _found(metadata: FileMetadata) -> Found:
    seconds = metadata.last_updated_in_seconds or 0
    return Found(metadata.path, metadata.size_in_bytes, round(seconds * 1000) * 1_000_000)

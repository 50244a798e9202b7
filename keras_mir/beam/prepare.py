"""Clips to a data set, extracted by Beam: all else is as `python -m keras_mir.prepare` does it.

Where audio or the data set are not on this machine, files that are empty, but called as they are, stand for
them here while the labels are read and the lists are written.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from keras_mir.beam.files import (
    Found,
    delete,
    download,
    everywhere,
    exists,
    files_in,
    found_here,
    inside,
    is_remote,
    local_copy,
    write,
)
from keras_mir.beam.one_song import files_of
from keras_mir.beam.shards import (
    SHARD,
    ToShards,
    chunks_of,
    dead_letters,
    forget_dead_letters,
    keep_rows,
    read_shard,
    run_chunks,
)
from keras_mir.beam.transforms import DeadLetter, Work
from keras_mir.prepare.__main__ import prepare
from pipelines.checksums import sha256
from pipelines.datasets.course import FOLDERS
from pipelines.errors import ArgumentError, UserError
from pipelines.extraction.dataset import DATASET, Clip, Made
from pipelines.extraction.workers import Worker
from pipelines.levels import LEVELS
from pipelines.processes import Died
from pipelines.spec import FeatureSpec
from pipelines.wording import clock, path_text

_EXTRACTED = "extracted"  # the folder of the shards: what was made of each clip
_MADE = tuple(field.name for field in fields(Made) if field.name != "before")


def prepare_by_beam(arguments: argparse.Namespace, chunk: int, options: Sequence[str]) -> int:
    """Extract clips by Beam, and write their labels and lists.

    Args:
        arguments: As `keras_mir.prepare` has them, with places as text.
        chunk: How many clips are in one.
        options: Options of Beam.

    Returns:
        0, or 1 if some clips failed.
    """
    out = everywhere(arguments.out)
    with TemporaryDirectory(prefix="keras_mir-") as folder:
        here = _StandIns(Path(folder))
        arguments.audio_dir = here.of_folder(arguments.audio_dir)
        if arguments.labels is not None:
            arguments.labels = here.copy(arguments.labels)
        if arguments.split_lists is not None:
            arguments.split_lists = [here.copy(place) for place in arguments.split_lists]
        arguments.out = here.path(arguments.out)
        for name in (DATASET, LEVELS):  # what it is of is checked, and levels are added to those of others
            if is_remote(out) and exists(inside(out, name)):
                here.copy(inside(out, name))
        work = _Beam(here, arguments.out, out, chunk, options)
        try:
            status = prepare(arguments, work, out if is_remote(out) else "")
        except ArgumentError:
            raise
        except UserError as error:
            raise UserError(here.named(str(error))) from None
        print(f"{clock(work.seconds)} of music extracted")
        if is_remote(out):
            _send(arguments.out, out)
    return status


class _StandIns:
    """Paths of this machine for whatever places there are; those of this machine stand for themselves.

    Args:
        folder: For the others.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[Path, Found] = {}

    def path(self, place: str) -> Path:
        """The path that stands for a place, whether or not there is something yet."""
        return self._folder / place.replace("://", "/") if is_remote(place) else Path(place)

    def of_folder(self, place: str) -> Path:
        """A folder in which an empty file stands for each of a remote folder's."""
        if is_remote(place):
            for found in files_in(place):
                path = self.path(found.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                self._found[path] = found
        return self.path(place)

    def copy(self, place: str) -> Path:
        """A file, with what is in it; a remote one that is not there is refused."""
        path = self.path(place)
        if is_remote(place):
            if not exists(place):
                raise UserError(f"{place}: no such file or directory; check the file")
            path.parent.mkdir(parents=True, exist_ok=True)
            download(place, path)
        return path

    def facts(self, path: Path) -> Found:
        """What is known of the file that a path stands for."""
        if path in self._found:
            return self._found[path]
        return found_here(path)

    def named(self, text: str) -> str:
        """A text that speaks of places, and not of what stands for them."""
        return re.sub(rf"{re.escape(str(self._folder))}/([^/]+)/", r"\1://", text)


class _ClipWork(Work):
    """Writes the files of clips into the data set."""

    def __init__(self, spec: FeatureSpec, out: str) -> None:
        self.function = partial(files_of, spec=spec)
        self._out, self._spec = out, spec

    def outcome(self, worker: Worker[Any, Any], item: Sequence[Any]) -> dict[str, Any] | DeadLetter:
        identity, (audio, size, modified), full, synced, beats = item
        with self._folder() as folder:
            try:
                with local_copy(audio) as sound:
                    named = [tuple(folder / name for name in names) for names in (full, synced)]
                    clip = Clip(identity, sound, named[0], named[1], folder / beats)
                    made = worker.apply(clip)
            except UserError as error:
                return DeadLetter(audio, str(error).removeprefix(f"{audio}: "))
            if isinstance(made, OSError):
                raise made
            if not isinstance(made, Made):
                return DeadLetter(audio, made.reason if isinstance(made, Died) else made)
            if is_remote(self._out):
                for path in clip.features:
                    write(inside(self._out, path.relative_to(folder).as_posix()), path.read_bytes())
        facts = {"id": identity, "path": path_text(audio), "bytes": size, "modified": modified}
        return {**facts, "spec": _said(self._spec), **{name: getattr(made, name) for name in _MADE}}

    def seconds(self, made: dict[str, Any]) -> float:
        return float(made["seconds"])

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        if is_remote(self._out):
            with TemporaryDirectory(prefix="keras_mir-") as folder:
                yield Path(folder)
        else:
            yield Path(self._out)


class _Beam:
    """As `pipelines.extraction.dataset.Outcomes`.

    Args:
        here: What stands for audio that is elsewhere.
        folder: The data set, or what stands for it.
        out: The data set.
        chunk: How many clips are in one.
        options: Options of Beam.

    Attributes:
        seconds: Length of the sound that was extracted.
    """

    def __init__(self, here: _StandIns, folder: Path, out: str, chunk: int, options: Sequence[str]) -> None:
        self._here, self._folder, self._out = here, folder, out
        self._chunk, self._options = chunk, options
        self.seconds = 0.0

    def __call__(
        self, clips: Sequence[Clip], spec: FeatureSpec
    ) -> Generator[tuple[Clip, Made | str | OSError | Died]]:
        known, names = self._known(spec), self._names()
        waiting = []
        for clip in clips:
            made = known.get(self._known_by(clip))
            if made is not None and self._is_there(clip, made, names):
                yield clip, self._put_here(clip, replace(made, before=True))
            else:
                waiting.append(clip)
        forget_dead_letters(self._out)
        if not waiting:
            return
        self._forget({clip.id for clip in waiting})
        shards = inside(self._out, _EXTRACTED)
        items = [self._item(clip) for clip in waiting]
        do = ToShards(_ClipWork(spec, self._out), _table, shards=shards, out=self._out)
        run_chunks(do, chunks_of(items, items, spec.to_dict(), self._chunk), self._options)
        known = self._known(spec)
        reasons = dict(dead_letters(self._out))
        for clip in waiting:
            made = known.get(self._known_by(clip))
            if made is None:
                yield clip, reasons[path_text(self._here.facts(clip.audio).path)]
            else:
                self.seconds += made.seconds
                yield clip, self._put_here(clip, made)

    def _item(self, clip: Clip) -> list[Any]:
        """A clip as `_ClipWork` takes it."""
        names = [self._name(path) for path in clip.features]
        full = len(clip.full)
        return [clip.id, list(self._here.facts(clip.audio)), names[:full], names[full:-1], names[-1]]

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _known_by(self, clip: Clip) -> tuple[Any, ...]:
        audio, size, modified = self._here.facts(clip.audio)
        return clip.id, path_text(audio), size, modified

    def _known(self, spec: FeatureSpec) -> dict[tuple[Any, ...], Made]:
        """What has been made of clips, by what they are known by."""
        known = {}
        for shard in files_in(inside(self._out, _EXTRACTED), SHARD):
            for row in read_shard(shard.path).to_pylist():
                if row["spec"] == _said(spec):
                    made = Made(**{name: row[name] for name in _MADE})
                    known[row["id"], row["path"], row["bytes"], row["modified"]] = made
        return known

    def _forget(self, ids: set[str]) -> None:
        """Take clips out of the shards that are to be made again: their files are damaged or gone."""
        for shard in files_in(inside(self._out, _EXTRACTED), SHARD):
            keep_rows(
                shard.path, [row not in ids for row in read_shard(shard.path, ["id"])["id"].to_pylist()]
            )

    def _names(self) -> set[str]:
        """The files of a data set that is elsewhere."""
        start = inside(self._out, "")
        return {file.path.removeprefix(start) for file in files_in(self._out)} if is_remote(start) else set()

    def _is_there(self, clip: Clip, made: Made, names: set[str]) -> bool:
        """Whether a clip's files are: on this machine, as they were made."""
        if is_remote(self._out):
            return all(self._name(path) in names for path in clip.features)
        digests = [made.full] * len(clip.full) + [made.synced] * len(clip.synced) + [made.beats]
        return all(
            path.is_file() and sha256(path) == digest
            for path, digest in zip(clip.features, digests, strict=True)
        )

    def _put_here(self, clip: Clip, made: Made) -> Made:
        if is_remote(self._out):
            for path in clip.features:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        return made


def _table(made: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(made)


def _said(spec: FeatureSpec) -> str:
    return json.dumps(spec.to_dict(), sort_keys=True)


def _send(folder: Path, out: str) -> None:
    """Write labels and lists, and remove features that they do not list."""
    here = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name, path in here.items():
        if path.stat().st_size:
            write(inside(out, name), path.read_bytes())
    start = inside(out, "")
    there = [file.path.removeprefix(start) for file in files_in(out)]
    delete([start + name for name in there if name.split("/")[0] in FOLDERS.values() and name not in here])

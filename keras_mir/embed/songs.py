"""Many songs to one table, in several processes; what was stopped goes on where it was."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self, cast

from rich.console import Console

from keras_mir.command_line.lines import say, tally
from keras_mir.command_line.progress import progress
from keras_mir.embed.embed import Embedder, load_embedder
from keras_mir.embed.table import (
    PATH,
    Row,
    VectorTable,
    check_parquet,
    joined,
    key,
    read_table,
    table_of,
    write_table,
)
from keras_mir.models.embedding import Maker
from keras_mir.predict.models import choose_local
from keras_mir.predict.predictor import find_songs
from keras_mir.predict.songs import left_out
from pipelines.checksums import sha256
from pipelines.errors import ArgumentError, UserError, reason_of
from pipelines.extraction.workers import Workers
from pipelines.files import beside, flush_to_disk, locked, place_named
from pipelines.limits import TOO_LONG
from pipelines.places import check_file
from pipelines.processes import Died

if TYPE_CHECKING:
    import pyarrow as pa

_SECONDS_BETWEEN_PARTS = 10.0  # as much work is lost when a process is killed


def embed_songs(
    songs: Sequence[Path], *, model: str, out: Path, models: Path = Path("saved_models"), jobs: int = 0
) -> int:
    """Write the vectors of songs to a table; those that are in it, and have not changed, stay.

    So do songs in it from elsewhere. What was in a given folder, and is there no more, leaves it.

    Args:
        songs: Audio files, and folders of them.
        model: As `load` takes it.
        out: The table.
        models: The export root.
        jobs: Number of processes; 0 for all cores.

    Returns:
        0 if all songs are in the table, 1 if some failed.

    Raises:
        UserError: If something is missing, the table is of another model, or another process works on it.
    """
    check_parquet()
    check_file("out", out)
    found, others = find_songs(songs)
    before = read_table(out) if out.exists() else None
    choose_local(model, models)  # what is no model is refused at once, without TensorFlow
    errors = Console(stderr=True)
    work = partial(_answer, model=model, models=models)
    with _workplace(out) as folder, Workers(work, jobs or os.cpu_count() or 1) as workers:
        tables = [*([before] if before else []), *_read_parts(folder)]
        likely = tables[0].maker.fingerprint if tables else ""
        known = _Known(tables, likely)
        done, waiting = known.sort(found)
        maker = _maker(workers, len(waiting))
        if before is not None and before.maker.fingerprint != maker.fingerprint:
            problem = f"its vectors are of {before.maker}, and these would be of {maker}"
            raise ArgumentError("out", out, f"{problem}; name another file")
        for note in filter(None, (others and left_out(others), maker.note)):
            say(errors, f"note: {note}")
        if maker.fingerprint != likely:
            known = _Known(tables, maker.fingerprint)
            done, waiting = known.sort(found)
        elsewhere = known.elsewhere(found, [Path(key(song)) for song in songs if song.is_dir()])
        counts = Counter({"embedded": 0, "failed": 0, "already there": len(found) - len(waiting)})
        requests = [_Request(song, maker.fingerprint) for song in waiting]
        with _Parts(folder, maker, out) as parts, progress("embedding", errors) as report:
            answers = workers.map(requests)
            for number, ((song, _), outcome) in enumerate(answers, len(found) - len(waiting) + 1):
                if isinstance(outcome, Row):
                    parts.add(outcome)
                    counts["embedded"] += 1
                else:
                    reason = f"{song}: {outcome.reason}" if isinstance(outcome, Died) else outcome
                    say(errors, f"error: {reason}")
                    counts["failed"] += 1
                report(number, len(found))
        parts.to_one_table([*elsewhere, *done])
    say(errors, tally(counts))
    return 1 if counts["failed"] else 0


@contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """A folder beside a table, for what is done of it, and for one process; it goes when it is empty."""
    folder = beside(out, "parts")
    with place_named(out):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            yield folder
    finally:
        with suppress(OSError):  # the next one works there already
            folder.rmdir()


class _Known:
    """Songs whose vectors are known, by their files and by what is in them.

    Args:
        tables: Songs; of one that is in several, the last counts.
        fingerprint: Fingerprint of the model; tables of other models do not count.
    """

    def __init__(self, tables: Sequence[VectorTable], fingerprint: str) -> None:
        import pyarrow as pa

        songs = [table.songs for table in tables if table.maker.fingerprint == fingerprint]
        self._songs = pa.concat_tables(songs, promote_options="default") if songs else None
        facts = ("bytes", "modified", "sha256", PATH)
        columns = [self._songs[name].to_pylist() if self._songs else [] for name in facts]
        self._sizes, self._modified, self._digests, paths = columns
        self._by_path = {path: row for row, path in enumerate(paths)}
        self._by_digest = {digest: row for row, digest in enumerate(self._digests)}
        self._all_sizes = set(self._sizes)

    def sort(self, songs: Sequence[Path]) -> tuple[list[pa.Table], list[Path]]:
        """Songs whose vectors are known, as they are named now, and those that are to be embedded."""
        import pyarrow as pa

        rows, names, times, waiting = [], [], [], []
        for song in songs:
            try:
                status = song.stat()
                row = self._row_of(song, status)
            except OSError:  # whoever is to embed it says what is wrong
                row = None
            if row is None:
                waiting.append(song)
            else:
                rows.append(row)
                names.append(key(song))
                times.append(status.st_mtime_ns)
        if not rows or self._songs is None:
            return [], waiting
        done = self._songs.take(rows)
        for name, values in ((PATH, pa.array(names, pa.string())), ("modified", pa.array(times, pa.int64()))):
            done = done.set_column(done.column_names.index(name), name, values)
        return [done], waiting

    def elsewhere(self, songs: Sequence[Path], folders: Sequence[Path]) -> list[pa.Table]:
        """What is known of songs that are neither among those given nor in these folders."""
        given = {key(song) for song in songs}
        rows = [
            row
            for path, row in self._by_path.items()
            if path not in given and not any(Path(path).is_relative_to(folder) for folder in folders)
        ]
        return [self._songs.take(rows)] if rows and self._songs is not None else []

    def _row_of(self, song: Path, status: os.stat_result) -> int | None:
        row = self._by_path.get(key(song))
        if row is not None:
            same = (self._sizes[row], self._modified[row]) == (status.st_size, status.st_mtime_ns)
            if same:
                return row
        # Moved, copied, or written anew: what is in it counts, and only a file of that size can have that.
        return self._by_digest.get(sha256(song)) if status.st_size in self._all_sizes else None


def _read_parts(folder: Path) -> list[VectorTable]:
    """What processes that were stopped have left in a folder; damaged and other files go."""
    tables = []
    for file in sorted(folder.glob("[!.]*")):
        try:
            int(file.stem)
            tables.append(read_table(file))
        except (UserError, ValueError):
            file.unlink()
    return tables


class _Parts:
    """What has been embedded while a table is being made, in files that outlive this process.

    Args:
        folder: Which is locked, and has nothing but such files.
        maker: The model.
        out: The table.
    """

    def __init__(self, folder: Path, maker: Maker, out: Path) -> None:
        self._folder, self._maker, self._out = folder, maker, out
        self._waiting: list[Row] = []
        self._made: list[pa.Table] = []
        self._written = time.monotonic()
        self._number = max((int(file.stem) for file in folder.glob("[!.]*")), default=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def add(self, row: Row) -> None:
        """Keep a song's vector, from now on or soon."""
        self._waiting.append(row)
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_PARTS:
            self._write()

    def to_one_table(self, others: Sequence[pa.Table]) -> None:
        """Write the table, sorted by path, from other songs and these; then these files go."""
        if tables := [*others, *self._made]:
            self._replace(joined(tables, self._maker), self._out)
        for file in self._folder.glob("[!.]*"):
            file.unlink()

    def _write(self) -> None:
        if self._waiting:
            table = table_of(self._waiting, self._maker)
            self._number += 1
            self._replace(table, self._folder / f"{self._number:06}.parquet")
            self._made.append(table)
            self._waiting = []
        self._written = time.monotonic()

    def _replace(self, songs: pa.Table, path: Path) -> None:
        unfinished = self._folder / ".unfinished"
        with place_named(self._out):
            write_table(songs, unfinished)
            flush_to_disk(unfinished)
            unfinished.replace(path)


class _Request(NamedTuple):
    """A song, and the fingerprint of the model that is to embed it."""

    song: Path
    fingerprint: str


def _maker(workers: Workers[_Request | None, Maker | UserError | Row | str], songs: int) -> Maker:
    """The model, which the processes that so many songs need load at the same time, before they get one."""
    answers = workers.start(max(1, songs), None)
    for answer in answers:
        if isinstance(answer, UserError):
            raise answer
        if isinstance(answer, Died):
            raise UserError(f"the model cannot be loaded: {answer.reason}")
    return cast(Maker, answers[0])


def _answer(request: _Request | None, model: str, models: Path) -> Maker | UserError | Row | str:
    if request is not None:
        return row_of(request.song, model, models, request.fingerprint)
    try:
        return _embedder(model, models).maker
    except UserError as error:
        return error


@lru_cache(maxsize=1)
def _embedder(model: str, models: Path) -> Embedder:
    """In a process of its own: one thread is its share of the cores, and rounds alike each time."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return load_embedder(model, models)


def row_of(song: Path, model: str, models: Path, fingerprint: str) -> Row | str:
    """A song's row, or the reason why it has none; for a process that does nothing else.

    Args:
        song: An audio file.
        model: As `load` takes it; it stays loaded.
        models: The export root.
        fingerprint: Fingerprint of the model, which may have been replaced since the work began.
    """
    try:
        embedder = _embedder(model, models)
        if embedder.maker.fingerprint != fingerprint:
            return f"{song}: not embedded, for {model} has changed meanwhile; run the same again"
        status, digest = song.stat(), sha256(song)
        made = embedder.embed_file(song)
    except UserError as error:
        return str(error)
    except MemoryError:
        return f"{song}: {TOO_LONG}"
    except OSError as error:
        return f"{song}: {reason_of(error)}; check the file"
    tempo = None if made.tempo is None else round(made.tempo, 2)
    return Row(
        key(song), round(made.duration, 3), tempo, made.vector, status.st_size, status.st_mtime_ns, digest
    )

"""Many songs to a folder of shards: their vectors, or what a model says of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from keras_mir.beam.files import Found, everywhere, files_in, found_here, inside, is_remote
from keras_mir.beam.shards import (
    SHARD,
    Chunk,
    ToShards,
    chunks_of,
    dead_letters,
    forget_dead_letters,
    keep_rows,
    read_shard,
    run_chunks,
)
from keras_mir.beam.transforms import PredictionsOfSongs, VectorsOfSongs, Work
from keras_mir.command_line.lines import say, tally
from keras_mir.embed.table import is_by, table_of
from keras_mir.predict.predictor import find_songs
from keras_mir.predict.songs import left_out
from pipelines.errors import ArgumentError, UserError
from pipelines.extraction.audio_files import AUDIO_SUFFIXES
from pipelines.files import locked
from pipelines.wording import clock, path_text

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_NAMED = 30  # of songs that failed; all of them are in a table


class _Kind(ABC):
    """What is made of songs.

    Attributes:
        done: What a song then is, in a word.
        work: Makes it.
        made_by: The model, as text.
        facts: The columns by which a song is known, of those of `Found`.
    """

    done: str
    work: Work
    made_by: str
    facts: tuple[str, ...]

    @abstractmethod
    def table(self, made: list[Any]) -> pa.Table:
        """What is written of songs of which something was made."""

    @abstractmethod
    def is_ours(self, model: str) -> bool:
        """Whether what stands in a shard's column `model` is this one."""


class Vectors(_Kind):
    """Vectors, in tables as `python -m keras_mir.embed` writes them."""

    done, facts = "embedded", ("path", "bytes", "modified")

    def __init__(self, model: str, models: Path) -> None:
        self.work = VectorsOfSongs(model, models)
        self._maker = self.work.maker
        self.made_by = str(self._maker)

    def table(self, made: list[Any]) -> pa.Table:
        return table_of(made, self._maker)

    def is_ours(self, model: str) -> bool:
        return is_by(model, self._maker)


class Predictions(_Kind):
    """Predictions, in tables with the columns of `python -m keras_mir.predict --csv`, and the model."""

    done, facts = "answered", ("path",)

    def __init__(self, model: str, models: Path) -> None:
        self.work = PredictionsOfSongs(model, models)
        self.made_by = self.work.model

    def table(self, made: list[Any]) -> pa.Table:
        import pyarrow as pa

        rows = [
            {**prediction.rows()[0], "path": path_text(name), "model": self.made_by}
            for name, prediction in made
        ]
        types = {str: pa.string(), float: pa.float64(), int: pa.int64(), type(None): pa.float64()}
        return pa.table(
            {
                name: pa.array([row[name] for row in rows], types[type(value)])
                for name, value in rows[0].items()
            }
        )

    def is_ours(self, model: str) -> bool:
        return model == self.made_by


def songs_to_shards(
    kind: _Kind, songs: Sequence[str], out: str, *, chunk: int, options: Sequence[str]
) -> int:
    """Have Beam make shards of songs; songs that are in a shard, and have not changed, are left out.

    Songs in it from elsewhere stay. What was in a given folder, and is there no more, leaves it.

    Args:
        kind: What is made.
        songs: Names of audio files, and of folders of them.
        out: The folder for the shards.
        chunk: How many songs are in one.
        options: Options of Beam.

    Returns:
        0 if something was made of all songs, 1 if some failed.

    Raises:
        UserError: If something is missing, or the shards are of another model.
    """
    if not is_remote(out) and Path(out).is_file():
        raise ArgumentError("out", out, "a file, not a folder; name a folder for shards")
    out = everywhere(out)
    errors = Console(stderr=True)
    found, others = _find(songs)
    if others:
        say(errors, f"note: {left_out(others)}")
    # On a disk that knows locks, one run at a time.
    with nullcontext() if is_remote(out) else locked(Path(out)):
        there = _tidy(kind, found, [place for place in songs if _is_folder(place)], out)
        waiting = [song for song in found if _known_by(song, kind) not in there]
        forget_dead_letters(out)
        names = [song.path for song in waiting]
        chunks = chunks_of(names, [list(song) for song in waiting], kind.made_by, chunk)
        if chunks:
            run_chunks(ToShards(kind.work, kind.table, shards=out, out=out), chunks, options)
    failed = dead_letters(out)
    for letter in failed[:_MOST_NAMED]:
        say(errors, f"error: {letter.reason}")
    if len(failed) > _MOST_NAMED:
        say(errors, f"and {len(failed) - _MOST_NAMED} more, in {inside(out, 'dead_letters')}")
    lengths = _lengths(chunks, out)
    counts = {kind.done: len(lengths), "failed": len(failed), "already there": len(found) - len(waiting)}
    say(errors, f"{tally(counts)}; {clock(sum(lengths))} of music")
    return 1 if failed else 0


def _find(given: Sequence[str]) -> tuple[list[Found], list[Path]]:
    """Songs, by their names in order, and what else is in folders of this machine."""
    here = find_songs([Path(place) for place in given if not is_remote(place)])
    found = [found_here(song) for song in here.audio]
    for place in filter(is_remote, given):
        inside_it = [song for song in files_in(place) if song.path.lower().endswith(AUDIO_SUFFIXES)]
        if not inside_it:
            raise UserError(f"{place}: no audio file in it; give a folder that has some")
        found += inside_it
    return sorted({song.path: song for song in found}.values()), here.others


def _is_folder(place: str) -> bool:
    return is_remote(place) or Path(place).is_dir()


def _known_by(song: Found, kind: _Kind) -> tuple[Any, ...]:
    return (path_text(song.path), *song[1 : len(kind.facts)])


def _tidy(kind: _Kind, found: Sequence[Found], folders: Sequence[str], out: str) -> set[tuple[Any, ...]]:
    """What is known of songs, once rows of those that have changed or gone are out of the shards."""
    songs = {path_text(song.path): _known_by(song, kind) for song in found}
    starts = tuple(inside(everywhere(place), "") for place in folders)
    known: set[tuple[Any, ...]] = set()
    for shard in files_in(out, SHARD):
        if shard.path.removeprefix(inside(out, "")).count("/"):
            continue  # of dead letters
        table = read_shard(shard.path, [*kind.facts, "model"])
        models = table["model"].unique().to_pylist() if "model" in table.column_names else ["another program"]
        if others := [model for model in models if not kind.is_ours(model)]:
            problem = f"its shards are of {others[0]}, and these would be of {kind.made_by}"
            raise ArgumentError("out", out, f"{problem}; name another folder")
        rows = list(zip(*(table[name].to_pylist() for name in kind.facts), strict=True))
        kept = []
        for row in rows:
            path = row[0]
            wanted = songs[path] == row if path in songs else not path.startswith(starts)
            kept.append(wanted and row not in known)
            if kept[-1]:
                known.add(row)
        keep_rows(shard.path, kept)
    return known


def _lengths(chunks: Sequence[Chunk], out: str) -> list[float]:
    """Lengths of the songs of which something was made, in seconds."""
    made = {shard.path for shard in files_in(out, SHARD)}
    places = [place for chunk in chunks if (place := inside(out, chunk.name + SHARD)) in made]
    return [
        seconds for place in places for seconds in read_shard(place, ["duration"])["duration"].to_pylist()
    ]

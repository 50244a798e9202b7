"""Work in chunks, each of which leaves a shard: a Parquet file that is there once all of the chunk is done.

A shard is named by what its chunk consists of. So a chunk that is done twice, by a worker that was taken for
lost or after a run was killed, leaves one shard; and one that was not finished leaves none.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import create_runner
from rich.console import Console

from keras_mir.beam.files import delete, exists, files_in, inside, local_copy, read_part, write
from keras_mir.beam.quiet import of_workers
from keras_mir.beam.transforms import DeadLetter, EachItem, Work
from keras_mir.command_line.lines import say
from keras_mir.embed.table import write_table
from pipelines.errors import UserError
from pipelines.wording import counted, path_text

DEAD_LETTERS = "dead_letters"  # a folder in the output
SHARD = ".parquet"
_HERE = ("apache_beam.runners.direct.", "apache_beam.runners.dask.")  # modules of runners
_TO_DO = ".to-do.jsonl"
_QUIET = "--default_sdk_harness_log_level=WARNING"  # each worker tells its life otherwise
_DIGITS = 32  # of a chunk's name: as good as all 64, and short


class Chunk(NamedTuple):
    """Songs that one worker does on end.

    Attributes:
        name: Name of its shard.
        items: JSON, each as its `Work` takes it.
    """

    name: str
    items: list[Any]


def chunks_of(items: Sequence[Any], facts: Sequence[Any], made_by: object, size: int) -> list[Chunk]:
    """Chunks of items in their order.

    Args:
        items: As their `Work` takes them.
        facts: What each of them follows from, such as the size of the file; JSON, like what follows.
        made_by: What else the result follows from.
        size: How many are in one.
    """
    chunks = []
    for start in range(0, len(items), size):
        said = json.dumps([made_by, facts[start : start + size]], sort_keys=True)
        name = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
        chunks.append(Chunk(name, list(items[start : start + size])))
    return chunks


class ToShards(EachItem):
    """Does a chunk's work and writes its shard, and those of its songs that failed to another one.

    Args:
        work: What is done.
        table: Makes a table of what was made.
        shards: The folder for what was made.
        out: That of the whole output, which has the dead letters, and the list of chunks.
    """

    def __init__(self, work: Work, table: Callable[[list[Any]], pa.Table], *, shards: str, out: str) -> None:
        super().__init__(work)
        self._table, self._shards, self.out = table, shards, out

    def process(self, item: tuple[int, int]) -> Iterator[Any]:
        chunk = Chunk(*json.loads(read_part(inside(self.out, _TO_DO), *item)))
        place = inside(self._shards, chunk.name + SHARD)
        if exists(place):
            return
        made: list[Any] = []
        failed: list[DeadLetter] = []
        for each in chunk.items:
            outcome = self.outcome(each)
            (failed if isinstance(outcome, DeadLetter) else made).append(outcome)
        if failed:
            columns = [[path_text(text) for text in texts] for texts in zip(*failed, strict=True)]
            letters = pa.table(dict(zip(DeadLetter._fields, columns, strict=True)))
            write_shard(letters, inside(inside(self.out, DEAD_LETTERS), chunk.name + SHARD))
        if made:
            write_shard(self._table(made), place)
        yield from ()


def check_options(options: Sequence[str]) -> None:
    """Refuse a runner that there is not, and options that Beam cannot read or does not know.

    A runner elsewhere may know some of its own.

    Raises:
        UserError: If there is such a thing, or a runner lacks something.
    """
    given = PipelineOptions(list(options))
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            runner = given.view_as(StandardOptions).runner or "DirectRunner"
            created = create_runner(runner)  # its module adds its options to those that Beam knows
            known = given.get_all_options()
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"Beam's runner: {error}") from None
    except SystemExit:  # after a page of usage
        problem = said.getvalue().strip().rpartition("\n")[2].rpartition("error: argument ")[2]
        raise UserError(f"{problem}; correct what stands after --") from None
    more = given.get_all_options(retain_unknown_options=True).keys() - known.keys()
    if more and type(created).__module__.startswith(_HERE):
        raise UserError(f"--{min(more)}: no option of Beam's; correct what stands after --")


def run_chunks(do: ToShards, chunks: Sequence[Chunk], options: Sequence[str]) -> None:
    """Have Beam do chunks, and wait for the end.

    Args:
        do: What is done with each.
        chunks: In any order.
        options: Options of Beam, as `--runner=DirectRunner`.
    """
    # In a file, and not in the pipeline: of millions of songs it would be too large to be sent.
    lines = [json.dumps(chunk).encode() + b"\n" for chunk in chunks]
    ends = list(accumulate(map(len, lines)))
    place = inside(do.out, _TO_DO)
    songs = counted(sum(len(chunk.items) for chunk in chunks), "clip")
    say(Console(stderr=True), f"{songs} in {counted(len(chunks), 'chunk')} to do by Beam")
    write(place, b"".join(lines))
    run = PipelineOptions([_QUIET, *options])
    # Without the list, workers end after the chunks in hand.
    with of_workers(lambda: delete([place])), beam.Pipeline(options=run) as pipeline:
        parts = [(end - len(line), len(line)) for end, line in zip(ends, lines, strict=True)]
        pipeline | "chunks" >> beam.Create(parts) | beam.Reshuffle() | "work" >> beam.ParDo(do)
    delete([place])  # not after an error: elsewhere the work may go on


def dead_letters(out: str) -> list[DeadLetter]:
    """The songs that failed in the last run."""
    shards = files_in(inside(out, DEAD_LETTERS), SHARD)
    return sorted(DeadLetter(*row.values()) for shard in shards for row in read_shard(shard.path).to_pylist())


def forget_dead_letters(out: str) -> None:
    """Remove those of earlier runs: their songs are tried again."""
    delete([shard.path for shard in files_in(inside(out, DEAD_LETTERS), SHARD)])


def read_shard(place: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a shard, or those of some columns that it has."""
    with local_copy(place) as path, path.open("rb") as file:
        shard = pq.ParquetFile(file)
        return shard.read([name for name in shard.schema_arrow.names if columns is None or name in columns])


def keep_rows(place: str, kept: Sequence[bool]) -> None:
    """Take out of a shard the rows that are not to be kept, and the shard with the last of them."""
    if not any(kept):
        delete([place])
    elif not all(kept):
        write_shard(read_shard(place).filter(list(kept)), place)


def write_shard(table: pa.Table, place: str) -> None:
    """Write a shard, whole or not at all."""
    with TemporaryDirectory(prefix="keras_mir-") as folder:
        path = Path(folder) / "shard"
        write_table(table, path)
        write(place, path.read_bytes())

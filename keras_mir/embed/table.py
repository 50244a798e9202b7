"""Vectors of many songs in one Parquet file, which says of itself which model they are of."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_mir.models.embedding import Maker
from keras_mir.models.json_file import from_json
from pipelines.errors import UserError, reason_of
from pipelines.wording import path_text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PATH, VECTOR = "path", "vector"
_OWN = (PATH, "duration", "tempo", "model", VECTOR, "bytes", "modified", "sha256")
_METADATA = b"keras_mir"
_FORMAT = 1
_ROWS_AT_ONCE = 8192  # are read together: of more, lists take several times their size in memory
_REMEDY = "make it again with python -m keras_mir.embed"


@dataclass(frozen=True)
class Row:
    """A song in a table.

    Attributes:
        path: The file; absolute.
        duration: In seconds.
        tempo: In beats per minute; None if there is no beat, or the model does not track it.
        vector: float32 `(size,)`.
        bytes: Size of the file.
        modified: When it was last changed, in nanoseconds since 1970.
        sha256: SHA-256 of the file.
    """

    path: str
    duration: float
    tempo: float | None
    vector: np.ndarray
    bytes: int
    modified: int
    sha256: str


@dataclass(frozen=True)
class VectorTable:
    """Songs and their vectors, all of one model.

    Attributes:
        path: The file it is from.
        maker: The model.
        songs: One row per song; columns that a user has added stay.
    """

    path: Path
    maker: Maker
    songs: pa.Table

    def __len__(self) -> int:
        return int(self.songs.num_rows)

    @cached_property
    def vectors(self) -> np.ndarray:
        """float32 `(songs, size)`."""
        values: np.ndarray = self.songs[VECTOR].chunk(0).flatten().to_numpy(zero_copy_only=False)
        return values.reshape(len(self), -1).astype(np.float32, copy=False)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All but the vectors, for pandas."""
        return self.songs.drop_columns([VECTOR]).to_pandas()

    def rows_of(self, path: Path) -> list[int]:
        """Where a file is in it; nowhere, or in one row."""
        found: list[int] = np.flatnonzero(self.frame[PATH] == key(path)).tolist()
        return found


def key(path: Path) -> str:
    """What a file is called in tables: its absolute path, as text that can be written."""
    return path_text(Path(os.path.abspath(path)))  # noqa: PTH100 (links are not followed)


def check_parquet() -> None:
    """Refuse to go on where Parquet can neither be read nor written.

    Raises:
        UserError: Saying what to install.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise UserError("tables of vectors need pyarrow; pip install 'keras-mir[parquet]'")


def table_of(rows: Sequence[Row], maker: Maker) -> pa.Table:
    """Rows as Arrow has them, at least one."""
    import pyarrow as pa

    columns = {name: [getattr(row, name) for row in rows] for name in _OWN if name not in ("model", VECTOR)}
    vectors = pa.array(np.concatenate([row.vector for row in rows]), pa.float32())
    columns |= {
        "model": [_made_by(maker)] * len(rows),
        VECTOR: pa.FixedSizeListArray.from_arrays(vectors, len(rows[0].vector)),
    }
    return joined([pa.table(columns)], maker)


def joined(tables: Sequence[pa.Table], maker: Maker) -> pa.Table:
    """Tables of one model as one, sorted by path; columns that a user has added to one stay.

    The same songs make the same table, however they were spread.

    Args:
        tables: At least one.
        maker: The model.
    """
    import pyarrow as pa

    types = _types() | {VECTOR: pa.list_(pa.float32(), tables[0].schema.field(VECTOR).type.list_size)}
    # What was read from a file says so in its schema.
    parts = [
        pa.table({name: table[name].cast(types.get(name, table[name].type)) for name in table.column_names})
        for table in tables
    ]
    songs = pa.concat_tables(parts, promote_options="default").sort_by(PATH).combine_chunks()
    others = [name for name in songs.column_names if name not in _OWN]
    return songs.select([*_OWN, *others]).replace_schema_metadata({_METADATA: _said(maker)})


def write_table(songs: pa.Table, path: Path) -> None:
    """Write a table, with checksums; whole only once this returns."""
    import pyarrow.parquet as pq

    with path.open("wb") as file:  # of a name, pyarrow makes an address, or needs it to be UTF-8
        pq.write_table(
            songs, file, use_dictionary=["model"], write_page_checksum=True, row_group_size=_ROWS_AT_ONCE
        )


def read_table(path: Path) -> VectorTable:
    """Read a table, and check that it is whole, of one model, and not empty.

    Args:
        path: The file, or a folder of several, as `keras_mir.beam` makes them.

    Raises:
        UserError: If it is not, or pyarrow is not installed.
    """
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.is_dir() and (shards := sorted(path.glob("[!.]*.parquet"))):
        return _as_one(path, [read_table(shard) for shard in shards])
    if not path.is_file():
        what = "a folder, not a file" if path.is_dir() else "no such file"
        raise UserError(f"{path}: {what}; give a table that python -m keras_mir.embed has written")
    try:
        # In one piece, so that vectors are an array without being copied once more.
        with path.open("rb") as file:
            songs = pq.read_table(file, pre_buffer=False, page_checksum_verification=True).combine_chunks()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: damaged, or not Parquet ({reason_of(error)}); {_REMEDY}") from None
    maker = _maker(songs, path)
    if missing := [name for name in _OWN if name not in songs.column_names]:
        raise UserError(f"{path}: without the column {missing[0]!r}; {_REMEDY}")
    if not songs.num_rows:
        raise UserError(f"{path}: without a single song; {_REMEDY}")
    songs = _typed(songs, path)
    others = [text for text in songs["model"].unique().to_pylist() if not is_by(text, maker)]
    if others:
        both = f"{others[0]} and {_made_by(maker)}"
        raise UserError(f"{path}: has vectors of two models, {both}; give a table of each")
    table = VectorTable(path, maker, songs)
    _check_vectors(table)
    _check_paths(table)
    return table


def _as_one(path: Path, shards: Sequence[VectorTable]) -> VectorTable:
    maker = shards[0].maker
    for shard in shards:
        if shard.maker.fingerprint != maker.fingerprint:
            problem = f"its vectors are of {shard.maker}, and those of {shards[0].path.name} of {maker}"
            raise UserError(f"{shard.path}: {problem}; take one of them away")
    table = VectorTable(path, maker, joined([shard.songs for shard in shards], maker))
    _check_paths(table)
    return table


def _types() -> dict[str, pa.DataType]:
    """What is in the columns, but the vectors."""
    import pyarrow as pa

    return {
        PATH: pa.string(),
        "duration": pa.float64(),
        "tempo": pa.float64(),
        "model": pa.string(),
        "bytes": pa.int64(),
        "modified": pa.int64(),
        "sha256": pa.string(),
    }


def _typed(songs: pa.Table, path: Path) -> pa.Table:
    """The same songs; a table that another program has written may have other things in the columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, wanted in _types().items():
        try:
            column = songs[name].cast(wanted)
        except pa.ArrowException as error:
            problem = f"its column {name!r} has {songs[name].type}, not {wanted}"
            raise UserError(f"{path}: {problem}; {_REMEDY}") from error
        gaps = column.null_count or (name == "duration" and not pc.all(pc.is_finite(column)).as_py())
        if gaps and name != "tempo":
            raise UserError(f"{path}: its column {name!r} has gaps; {_REMEDY}")
        songs = songs.set_column(songs.column_names.index(name), name, column)
    return songs


def _check_vectors(table: VectorTable) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.songs[VECTOR]
    lists = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    lists = lists or pa.types.is_fixed_size_list(column.type)
    if not lists or not pa.types.is_floating(column.type.value_type):
        raise UserError(f"{table.path}: its column {VECTOR!r} is no list of numbers; {_REMEDY}")
    sizes = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(sizes) > 1 or not sizes[0]:
        raise UserError(f"{table.path}: its vectors are of different sizes, so of two models; {_REMEDY}")
    # Nor may a vector's length be beyond all numbers: it would be like nothing, not even itself.
    if not np.isfinite(np.einsum("ij,ij->i", table.vectors, table.vectors)).all():
        raise UserError(f"{table.path}: has vectors with values that are no numbers, or too large; {_REMEDY}")


def _check_paths(table: VectorTable) -> None:
    """Refuse a song that is there twice, as where tables were joined: it would be in every answer twice."""
    import pyarrow.compute as pc

    paths = table.songs[PATH]
    if pc.count_distinct(paths).as_py() < len(paths):
        twice = next(each for each in pc.value_counts(paths).to_pylist() if each["counts"] > 1)
        raise UserError(f"{table.path}: has the song {twice['values']} twice; leave one of them out")


def _said(maker: Maker) -> bytes:
    return json.dumps({"format": _FORMAT, **asdict(maker)}, sort_keys=True).encode()


def _made_by(maker: Maker) -> str:
    """What the column `model` says: tables that were joined differ in it."""
    return f"{maker.model}:{maker.fingerprint[:12]}"


def is_by(text: object, maker: Maker) -> bool:
    """Whether a model is meant that makes the same vectors, wherever it is."""
    return str(text).rpartition(":")[2] == _made_by(maker).rpartition(":")[2]


def _maker(songs: pa.Table, path: Path) -> Maker:
    text = (songs.schema.metadata or {}).get(_METADATA)
    if text is None:
        raise UserError(f"{path}: does not say which model its vectors are of; {_REMEDY}")
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, Mapping) or values.get("format") != _FORMAT:
        raise UserError(f"{path}: written by another version of keras_mir; {_REMEDY}")
    return from_json(Maker, values, str(path), _REMEDY)

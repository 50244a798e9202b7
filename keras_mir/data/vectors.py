"""Vectors a user brings, of any network: a folder of `.npy` files, or one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.checksums import find_cached, sha256, write_cached
from pipelines.datasets import folder
from pipelines.datasets.base import BEATS, ID, PATH, SPLIT, Examples, LoadOptions, Task
from pipelines.datasets.course import is_course_layout
from pipelines.datasets.labels import LabelTable, read_label_table
from pipelines.datasets.tables import name_ids
from pipelines.errors import ArgumentError, UserError, reason_of
from pipelines.files import npy_bytes
from pipelines.spec import VECTORS, VectorSpec

TABLES = (".npy", ".parquet")


def own_vectors(
    root: Path,
    labels: Path | None,
    task: Task,
    cache: Path,
    targets: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> Examples:
    """The labelled examples of vectors that a user brought.

    Args:
        root: A folder of `.npy` files, each `(size,)` or `(windows, size)`, found as feature files are;
            a `.npy` file `(clips, size)`, its rows in the order of the label table; or a `.parquet` file
            with a column `id` and either a column of lists or columns of numbers, several rows of an id
            being windows of it, in order.
        labels: The label table.
        task: Which labels are read.
        cache: Where the vectors are kept in the form that pipelines read.
        targets: The affect columns; see `read_label_table`.
        tags: The tags; likewise.

    Raises:
        UserError: If something is missing, or does not fit together: vectors of different sizes, ids
            without labels, labels without vectors, values that are not finite.
    """
    if root.is_dir():
        if is_course_layout(root):
            problem = "has spectrograms, not vectors; name the folder of yours, or choose a recipe for these"
            raise ArgumentError("data", root, problem)
        examples = folder.load(root, task, LoadOptions(labels, targets=targets, tags=tags))
        paths = dict(zip(examples.table[ID], examples.table[PATH], strict=True))
        found = {identity: _read(Path(path)) for identity, path in paths.items()}
        places = {identity: str(path) for identity, path in paths.items()}
    else:
        if root.suffix not in TABLES or not root.is_file():
            raise ArgumentError("data", root, f"give a folder of .npy files, or a {' or '.join(TABLES)} file")
        if labels is None:
            raise ArgumentError("labels", None, f"those of {root} are not known; name their table")
        labelled = read_label_table(labels, targets=targets, tags=tags)
        examples = _labelled(root, labelled, task)
        known = list(labelled.table[ID])
        table = _parquet(root) if root.suffix == ".parquet" else _rows(root, known)
        _check_ids(root, labels, list(table), known)
        found = {identity: table[identity] for identity in examples.table[ID]}
        places = dict.fromkeys(found, str(root))
    size = _checked_size(found, places)
    contents = [npy_bytes(np.ascontiguousarray(vectors.T, np.float32)) for vectors in found.values()]
    keys = [sha256(content) for content in contents]
    files = find_cached(cache / VECTORS, keys, ".npy")
    for key, content in zip(keys, contents, strict=True):
        if key not in files:
            files[key] = write_cached(cache / VECTORS, key, ".npy", content)
    moved = examples.table.assign(**{PATH: [str(files[key]) for key in keys], BEATS: ""})
    return replace(examples, table=moved, spec=VectorSpec(VECTORS, size))


def _labelled(root: Path, labelled: LabelTable, task: Task) -> Examples:
    table = folder.rows_of_task(labelled, task)
    if not labelled.has_split:
        table[SPLIT] = ""
    names = labelled.names_of(task)
    targets, tags = (names if task == each else () for each in ("affect", "tags"))
    return Examples(table, root.stem, targets, notes=labelled.notes_for(task), tags=tags, tasks=(task,))


def _read(path: Path) -> np.ndarray:
    try:
        # What `np.load` would open besides is no array: archives, and objects that could run code.
        with path.open("rb") as file:
            vectors = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, OSError, MemoryError) as error:
        raise UserError(f"{path}: cannot be read as .npy ({reason_of(error)}); write it again") from None
    if vectors.ndim not in (1, 2) or vectors.dtype.kind not in "fiu" or not vectors.size:
        given = f"shape {vectors.shape} and dtype {vectors.dtype}"
        raise UserError(f"{path}: has {given}; give numbers of shape (size,) or (windows, size)")
    return np.atleast_2d(vectors)


def _rows(path: Path, ids: list[str]) -> dict[str, np.ndarray]:
    vectors = _read(path)
    if len(vectors) != len(ids):
        raise UserError(
            f"{path}: {len(vectors)} rows, but the label table has {len(ids)}; give a row for each line"
        )
    return {identity: row[None] for identity, row in zip(ids, vectors, strict=True)}


def _parquet(path: Path) -> dict[str, np.ndarray]:
    try:
        table = pd.read_parquet(path)
        if ID not in table:
            raise UserError(f"{path}: no column {ID!r}; add one")
        ids = list(table[ID].astype(str))  # what is no text is found out only now
    except ImportError:
        raise ArgumentError("data", path, "reading Parquet needs pyarrow; pip install pyarrow") from None
    except (ValueError, OSError, NotImplementedError) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({reason_of(error)}); write it again") from None
    if table.empty:
        raise UserError(f"{path}: without a row; write it again")
    found: dict[str, list[np.ndarray]] = {}
    for identity, vector in zip(ids, _columns(path, table.drop(columns=ID)), strict=True):
        found.setdefault(identity, []).append(vector)
    for identity, windows in found.items():
        if len({len(window) for window in windows}) > 1:
            raise UserError(f"{path}: id {identity!r} has vectors of different sizes; write it again")
    return {identity: np.stack(windows) for identity, windows in found.items()}


def _columns(path: Path, values: pd.DataFrame) -> list[np.ndarray]:
    """The vectors of a table's rows, from the column that has lists, or else from those of numbers."""
    lists = [name for name in values if values[name].map(lambda cell: isinstance(cell, np.ndarray)).any()]
    if len(lists) > 1:
        raise UserError(f"{path}: columns {lists[0]!r} and {lists[1]!r} both hold lists; leave one out")
    if not lists:
        numeric = values.select_dtypes("number")
        if numeric.empty:
            raise UserError(f"{path}: no column of lists, nor one of numbers; add the vectors")
        return list(numeric.to_numpy(float))
    vectors = [np.asarray(cell) for cell in values[lists[0]]]
    for row, vector in enumerate(vectors, start=1):
        if vector.ndim != 1 or vector.dtype.kind not in "fiu" or not vector.size:
            raise UserError(f"{path}: row {row}, {lists[0]}: no list of numbers; write it again")
    return vectors


def _check_ids(root: Path, labels: Path, there: list[str], known: list[str]) -> None:
    if unlabelled := sorted(set(there) - set(known)):
        raise UserError(
            f"{root}: {name_ids(unlabelled)} has no line in {labels}; add it or leave the row out"
        )
    if missing := sorted(set(known) - set(there)):
        raise UserError(f"{labels}: {name_ids(missing)} has no vector in {root}; add it or delete the line")


def _checked_size(found: Mapping[str, np.ndarray], places: Mapping[str, str]) -> int:
    """How many numbers all vectors have."""
    first = next(iter(found))
    size = found[first].shape[1]
    for identity, vectors in found.items():
        place = f"{places[identity]}: id {identity!r}"
        if vectors.shape[1] != size:
            problem = f"vectors of {vectors.shape[1]} numbers, but id {first!r} has {size}"
            raise UserError(f"{place}: {problem}; give all of one network")
        lowest, highest = VectorSpec(VECTORS, size).limits(size)
        if not ((vectors >= lowest) & (vectors <= highest)).all():
            problem = f"values that are NaN, infinite or beyond {highest[0]:,.0f}"
            raise UserError(f"{place}: {problem}; make the vector again")
    return size

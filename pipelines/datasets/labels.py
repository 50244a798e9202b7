"""A user's label table: a CSV or TSV file with one line a clip."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.datasets.base import GENRE, ID, SPLIT
from pipelines.errors import UserError

FILE = "file"
FILE_COLUMNS = (FILE, "path", "filename")
SPLITS = ("train", "test")
# Numeric, yet no affect: never taken for a target unless asked for. Nor is any `*_id` column.
NOT_TARGETS = ("artist", "album", "year", "group")
_IN_ANY_CASE = {ID, *FILE_COLUMNS, GENRE, SPLIT, *NOT_TARGETS}


@dataclass(frozen=True)
class LabelTable:
    """Labels of audio or feature files, checked.

    Attributes:
        table: One row a clip, with a default index: `id` (str, unique), `file` (str as the
            user wrote it, may be `""`), `genre` (str, `""` where a clip has none) if there
            are genres, `split` (`"train"` or `"test"`) if the user chose one, the target
            columns (float64, all NaN where a clip has none) and the user's other columns (str).
        targets: The affect columns, in the order of the file or as asked for.
        path: The file it was read from.
    """

    table: pd.DataFrame
    targets: tuple[str, ...]
    path: Path

    def __len__(self) -> int:
        return len(self.table)

    @property
    def has_genre(self) -> bool:
        return GENRE in self.table.columns

    @property
    def has_split(self) -> bool:
        return SPLIT in self.table.columns


def read_label_table(
    path: Path, *, targets: Sequence[str] | None = None, group_by: str | None = None
) -> LabelTable:
    """Read and check a label table.

    The file is UTF-8 with a header line; values are separated by tabs in a `.tsv` file,
    otherwise by whichever of tab, comma and semicolon the header has most of. It needs a file
    column (`file`, `path` or `filename`) or an `id` column, and a `genre` column or
    numeric columns or both; a `split` column (train, test) is heeded. These names may be in
    any case. An id is text up to its first dot; without an `id` column it comes from the
    file's name.

    Args:
        path: The table.
        targets: The affect columns. By default every column of numbers that is none of the
            above, nor one of `NOT_TARGETS` or named `*_id`.
        group_by: A column that says what belongs together; it has to be there and is no target.

    Raises:
        UserError: If the table is missing, empty or malformed, has duplicate ids, an unknown
            split or no labels, lacks a column asked for, or has a target value that is not a
            finite number.
    """
    header, lines, rows = _read_rows(path)
    columns = {name: [row[at] for row in rows] for at, name in enumerate(header) if name}
    if group_by is not None and group_by not in columns:
        raise UserError(f"{path}: no column {group_by!r} to group by; it has {', '.join(columns)}")
    table: dict[str, list[str] | np.ndarray] = {
        **_identify(path, columns, lines),
        **_genres(path, columns, lines),
        **_splits(path, columns, lines),
    }
    others = {name: values for name, values in columns.items() if name not in {ID, FILE, GENRE, SPLIT}}
    asked = _default_targets(others, group_by) if targets is None else targets
    chosen = _checked_targets(path, asked, others)
    table |= {name: _numbers(path, name, others[name], lines) for name in chosen}
    table |= {name: values for name, values in others.items() if name not in chosen}
    _check_all_labelled(path, table, chosen, lines)
    return LabelTable(pd.DataFrame(table), tuple(chosen), path)


def _read_rows(path: Path) -> tuple[list[str], list[int], list[list[str]]]:
    """The header, and the line numbers and cells of all rows that are not blank."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a CSV or TSV file of labels")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; save the table as CSV with UTF-8 encoding") from None
    if not text.strip():
        raise UserError(f"{path}: the file is empty; it needs a header and one line a clip")
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(path, text), strict=True)
    numbered: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                numbered.append((reader.line_num, stripped))
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num} is malformed ({error}); correct it") from None
    header = [name.lower() if name.lower() in _IN_ANY_CASE else name for name in numbered[0][1]]
    for name in header:
        if name and header.count(name) > 1:
            raise UserError(f"{path}: column {name!r} is there twice; rename one")
    if len(numbered) == 1:
        raise UserError(f"{path}: a header but no rows; it needs one line a clip")
    for number, cells in numbered[1:]:
        if len(cells) != len(header):
            raise UserError(
                f"{path}: line {number} has {len(cells)} values, the header has {len(header)}; "
                f"correct the line, or quote values that hold the separator"
            )
    return header, [number for number, _ in numbered[1:]], [cells for _, cells in numbered[1:]]


def _delimiter(path: Path, text: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    header = text.lstrip().splitlines()[0]
    return max("\t,;", key=header.count)


def _identify(path: Path, columns: dict[str, list[str]], lines: list[int]) -> dict[str, list[str]]:
    """The columns `id` and `file`."""
    file_column = next((name for name in FILE_COLUMNS if name in columns), None)
    if file_column is None and ID not in columns:
        raise UserError(f"{path}: no column 'id' or 'file' to tell the clips apart; name one of them so")
    files = columns[file_column] if file_column else [""] * len(lines)
    names = columns.get(ID) or [file.replace("\\", "/").rpartition("/")[2] for file in files]
    ids = [name.partition(".")[0].strip() for name in names]
    remedy = "correct it" if ID in columns else "add an id column"
    seen: dict[str, int] = {}
    for identity, name, line in zip(ids, names, lines, strict=True):
        if not identity:
            raise UserError(f"{path}: line {line} has no {ID if ID in columns else file_column}; fill it in")
        if not identity.isprintable() or set(identity) & set("/\\,"):
            raise UserError(
                f"{path}: line {line}: {name!r} is no id, it has a slash or comma in it; {remedy}"
            )
        if identity in seen:
            raise UserError(
                f"{path}: lines {seen[identity]} and {line} both have the id {identity!r} "
                f"(a name up to its first dot, without folders); {remedy}"
            )
        seen[identity] = line
    return {ID: ids, FILE: files}


def _genres(path: Path, columns: dict[str, list[str]], lines: list[int]) -> dict[str, list[str]]:
    if not any(columns.get(GENRE, ())):
        return {}
    for genre, line in zip(columns[GENRE], lines, strict=True):
        if not genre.isprintable():
            raise UserError(f"{path}: line {line}: genre {genre!r} has a tab or line break in it; correct it")
    return {GENRE: columns[GENRE]}


def _splits(path: Path, columns: dict[str, list[str]], lines: list[int]) -> dict[str, list[str]]:
    if not any(columns.get(SPLIT, ())):
        return {}
    splits = [value.lower() for value in columns[SPLIT]]
    for value, line in zip(splits, lines, strict=True):
        if value in ("val", "valid", "validation"):
            raise UserError(
                f"{path}: line {line}: split {value!r}; write train, fit makes its own validation part"
            )
        if value not in SPLITS:
            raise UserError(f"{path}: line {line}: split {value!r} is not known; write train or test")
    return {SPLIT: splits}


def _default_targets(others: dict[str, list[str]], group_by: str | None) -> list[str]:
    return [
        name
        for name, values in others.items()
        if name not in (*FILE_COLUMNS, *NOT_TARGETS, group_by)
        and not name.lower().endswith("_id")
        and _mostly_numbers(values)
    ]


def _mostly_numbers(values: list[str]) -> bool:
    """Whether a column is meant as numbers: one slip in a target must not silently make it text."""
    given = [value for value in values if value]
    return bool(given) and 2 * sum(_number(value) is not None for value in given) > len(given)


def _checked_targets(path: Path, targets: Sequence[str], others: dict[str, list[str]]) -> list[str]:
    for name in targets:
        if name not in others:
            numeric = [column for column, values in others.items() if _mostly_numbers(values)]
            there = f"numeric columns are {', '.join(numeric)}" if numeric else "no column is numeric"
            raise UserError(f"{path}: no target {name!r}; {there}")
        if not name.isprintable() or "," in name:
            raise UserError(f"{path}: target {name!r} has a comma in its name; rename the column")
    return list(dict.fromkeys(targets))


def _number(text: str) -> float | None:
    if "_" in text:
        return None  # Python reads 2020_01 as a number
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(path: Path, name: str, values: list[str], lines: list[int]) -> np.ndarray:
    """The column as float64; empty cells are NaN for now."""
    numbers = np.full(len(values), np.nan)
    for row, (value, line) in enumerate(zip(values, lines, strict=True)):
        if not value:
            continue
        number = _number(value)
        if number is None or not np.isfinite(number):
            raise UserError(
                f"{path}: line {line}, {name}: {value!r} is not a finite number; correct it or leave {name} "
                f"out of the targets"
            )
        numbers[row] = number
    return numbers


def _check_all_labelled(
    path: Path, table: Mapping[str, list[str] | np.ndarray], targets: Sequence[str], lines: list[int]
) -> None:
    """A clip has a genre, or all targets, or both."""
    if GENRE not in table and not targets:
        raise UserError(f"{path}: no labels; it needs a column 'genre' or a column of numbers")
    genres = table.get(GENRE, [""] * len(lines))
    for row, line in enumerate(lines):
        empty = [name for name in targets if table[name][row] != table[name][row]]  # NaN
        if empty and len(empty) < len(targets):
            raise UserError(
                f"{path}: line {line}, {empty[0]}: no value; fill it in, or empty all its targets"
            )
        if len(empty) == len(targets) and not genres[row]:
            raise UserError(f"{path}: line {line} has no label; fill it in or delete the line")

"""Tables and lists as people save them: CSV, TSV or a name a line; a mistake is one line that names it."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
import pandas as pd

from pipelines.errors import UserError

csv.field_size_limit(1 << 30)  # characters; a cell may hold a biography


def read_lines(path: Path, remedy: str) -> list[tuple[int, str]]:
    """The lines of a file that are not blank, numbered, without surrounding spaces.

    Args, raises: As `read_rows`; also if there are none.
    """
    with _text(path, remedy) as file:
        lines = [(number, line.strip()) for number, line in enumerate(file, start=1) if line.strip()]
    if not lines:
        raise UserError(f"{path}: the file is empty; {remedy}")
    return lines


def read_rows(
    path: Path, remedy: str, delimiter: str = ",", *, quoted: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table that are not blank, one after the other.

    Args:
        path: UTF-8 text, with or without a byte order mark.
        remedy: What to do about a file that is no such text.
        delimiter: Between the cells of a row.
        quoted: Whether a cell may stand in quotes.

    Yields:
        The number of a row's last line, and its cells without surrounding spaces.

    Raises:
        UserError: If the file is missing, is not text or is malformed.
    """
    with _text(path, remedy) as file:
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        reader = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
        try:
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    yield reader.line_num, stripped
        except csv.Error as error:
            raise UserError(f"{path}: line {reader.line_num} is malformed ({error}); {remedy}") from None


@contextmanager
def _text(path: Path, remedy: str) -> Iterator[TextIO]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; {remedy}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; {remedy}") from None


def read_table(path: Path, remedy: str, in_any_case: Collection[str] = ()) -> pd.DataFrame:
    """A table with a header, as text.

    Values are separated by tabs in a `.tsv` file, otherwise by whichever of tab, comma and
    semicolon the header has most of.

    Args:
        path: The table.
        remedy: What to do about a file that is none.
        in_any_case: Names that may be written with capitals.

    Returns:
        A column of str for each name of the header; the index has the numbers of the lines.

    Raises:
        UserError: If the file is missing, empty or malformed, or a name is there twice.
    """
    first = read_lines(path, remedy)[0][1]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max("\t,;", key=first.count)
    rows = read_rows(path, remedy, delimiter)
    header = [name.lower() if name.lower() in in_any_case else name for name in next(rows)[1]]
    for name in header:
        if name and header.count(name) > 1:
            raise UserError(f"{path}: column {name!r} is there twice; rename one")
    numbered = dict(rows)
    for number, cells in numbered.items():
        if len(cells) != len(header):
            raise UserError(
                f"{path}: line {number} has {len(cells)} values, the header has {len(header)}; "
                f"correct the line, or quote values that hold the separator"
            )
    if not numbered:
        raise UserError(f"{path}: a header but no rows; {remedy}")
    table = pd.DataFrame(list(numbered.values()), index=list(numbered), columns=header, dtype=str)
    return table.loc[:, [name for name in header if name]]


def number(cell: str) -> float | None:
    """What a cell says, if that is a number; it may be NaN or infinite."""
    if "_" in cell:
        return None  # Python reads 2020_01 as a number
    try:
        return float(cell)
    except ValueError:
        return None


def numbers(path: Path, cells: pd.Series[str], complaint: str) -> pd.Series[float]:
    """A column of a table as float64; NaN where a cell is empty.

    Args:
        path: The table.
        cells: The column, by the numbers of the lines.
        complaint: What to say of a cell that is no finite number.

    Raises:
        UserError: If there is one.
    """
    values = []
    for line, cell in cells.items():
        value = number(cell) if cell else np.nan
        if cell and (value is None or not np.isfinite(value)):
            raise UserError(f"{path}: line {line}, {cells.name}: {cell!r} is {complaint}")
        values.append(value)
    return pd.Series(values, cells.index, np.float64)


def name_ids(ids: list[str]) -> str:
    """The first of several names, and how many more there are."""
    return f"{ids[0]!r}" + (f" (and {len(ids) - 1} more)" if len(ids) > 1 else "")

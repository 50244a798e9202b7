"""Tables and lists as people save them: CSV, TSV or a name a line; a mistake is one line that names it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
import pandas as pd

from pipelines.errors import UserError
from pipelines.wording import has_control_characters

csv.field_size_limit(1 << 30)  # characters; a cell may hold a biography

_DELIMITERS = "\t,;|"
# What pandas and others write where there is no value; so a genre of that name is none.
_GAPS = ("nan", "na", "n/a", "#n/a", "<na>", "nat", "null", "none")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_LARGEST = 1e9  # number; what is learnt from far larger ones is no number any more


def read_lines(path: Path, remedy: str) -> list[tuple[int, str]]:
    """The lines of a file that are not blank, numbered, without surrounding spaces.

    Args, raises: As `read_rows`; also if there are none.
    """
    with _text(path, remedy) as file:
        lines = [(number, line.strip()) for number, line in enumerate(file, start=1) if line.strip()]
    if not lines:
        raise UserError(f"{path}: the file is empty; {remedy}")
    return lines


def refuse_repeated(ids: pd.Series, path: Path, what: str, remedy: str) -> None:
    """Refuse a table that has an id twice.

    Args:
        ids: All there are.
        path: The table.
        what: What the ids are of: songs or tracks, in the singular.
        remedy: What to do about it.

    Raises:
        UserError: Naming the first that is repeated.
    """
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise UserError(f"{path}: {what} {repeated.iloc[0]} is there twice; {remedy}")


def read_rows(
    path: Path, remedy: str, delimiter: str = ",", *, quoted: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table that are not blank, one after the other.

    Args:
        path: UTF-8 text, with or without a byte order mark, or UTF-16 with one.
        remedy: What to do about a file that is no such text.
        delimiter: Between the cells of a row.
        quoted: Whether a cell may stand in quotes.

    Yields:
        The number of a row's last line, and its cells without surrounding spaces.

    Raises:
        UserError: If the file is missing, is not text, is malformed, or has a header alone.
    """
    found = 0
    with _text(path, remedy) as file:
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        reader = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
        try:
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if any("\0" in cell for cell in cells):
                    raise UserError(
                        f"{path}: line {reader.line_num} has a zero byte, so it is no text; {remedy}"
                    )
                if any(stripped):
                    found += 1
                    yield reader.line_num, stripped
        except csv.Error as error:
            raise UserError(f"{path}: line {reader.line_num} is malformed ({error}); {remedy}") from None
    if found == 1:
        raise UserError(f"{path}: a header but no rows; {remedy}")


@contextmanager
def _text(path: Path, remedy: str) -> Iterator[TextIO]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; {remedy}")
    with path.open("rb") as begin:
        utf16 = begin.read(2) in (b"\xff\xfe", b"\xfe\xff")  # as Excel saves "Unicode text"
    try:
        with path.open(encoding="utf-16" if utf16 else "utf-8-sig", newline="") as file:
            yield file
    except UnicodeError:
        raise UserError(f"{path}: not UTF-8 text; {remedy}") from None


def read_table(path: Path, remedy: str) -> tuple[pd.DataFrame, list[str]]:
    """A table with a header, as text.

    Values are separated by what a first line such as `sep=;` says, by tabs in a `.tsv` file, otherwise by
    whichever of tab, comma, semicolon and bar the header has most of.

    Args:
        path: The table.
        remedy: What to do about a file that is none.

    Returns:
        A column of str for each name of the header, the index having the numbers of the lines; and a note
        on each column that has values and no name.

    Raises:
        UserError: If the file is missing, empty or malformed, or a name is there twice.
    """
    first, *more = (line for _, line in read_lines(path, remedy)[:2])
    told = re.fullmatch('"?sep=(.?)"?', first, re.IGNORECASE)
    head = re.sub('"[^"]*"', "", (more or [""])[0] if told else first)
    delimiter = "\t" if path.suffix.lower() == ".tsv" and "\t" in head else max(_DELIMITERS, key=head.count)
    if told:
        delimiter = told[1] or "\t"
    rows = read_rows(path, remedy, delimiter)
    if told:
        next(rows)
    header = [" ".join(name.split()) for name in next(rows, (0, [""]))[1]]
    times = Counter(header)
    for name in header:
        if name and times[name] > 1:
            raise UserError(f"{path}: column {name!r} is there twice; rename one")
        if has_control_characters(name):
            raise UserError(f"{path}: column {name!r} has control characters in its name; rename it")
    numbered = {number: _fitted(cells, len(header)) for number, cells in rows}
    for number, cells in numbered.items():
        if len(cells) != len(header):
            raise UserError(
                f"{path}: line {number} has {len(cells)} values, the header has {len(header)}; "
                f"correct the line, or quote values that hold the separator"
            )
    if not numbered:
        raise UserError(f"{path}: a header but no rows; {remedy}")
    table = pd.DataFrame(list(numbered.values()), index=list(numbered), columns=header, dtype=str)
    named = np.array(header, bool)
    filled = (table != "").any().to_numpy()
    notes = [f"column {place + 1} has no name; left out" for place in np.flatnonzero(filled & ~named)]
    return table.loc[:, named], notes


def header_of(path: Path) -> list[str]:
    """The first row of a table with commas; nothing if it is no table."""
    try:
        return next(read_rows(path, ""), (0, []))[1]
    except UserError:
        return []


def read_columns(path: Path, texts: Sequence[str], values: Sequence[str], remedy: str) -> pd.DataFrame:
    """Some columns of a published table, in none of which a cell is empty.

    Args:
        path: The table.
        texts: Columns that are kept as text.
        values: Columns of numbers.
        remedy: What to do about a table that is not as it was published.

    Raises:
        UserError: If the table is missing or malformed, lacks a column, or a cell is empty or no number.
    """
    table, _ = read_table(path, remedy)
    if missing := [name for name in (*texts, *values) if name not in table]:
        raise UserError(f"{path}: no column {missing[0]!r}; {remedy}")
    read = table[[*texts, *values]].copy()
    for name in read:
        if len(lines := read.index[read[name] == ""]):
            raise UserError(f"{path}: line {lines[0]}, {name}: no value; {remedy}")
    for name in values:
        read[name] = numbers(path, read[name], f"no number; {remedy}")
    return read


def _fitted(cells: list[str], width: int) -> list[str]:
    """Without the empty cells that spreadsheets put at the end of a line."""
    return cells if any(cells[width:]) else cells[:width]


def without_gaps(cells: pd.Series[str]) -> pd.Series[str]:
    """A column with `""` where a cell says that it has no value: `nan`, `N/A`, `null` and the like."""
    return cells.where(~cells.str.lower().isin(_GAPS), "")


def number(cell: str) -> float | None:
    """What a cell says, if that is a number, maybe with a decimal comma; it may be NaN or infinite."""
    if "_" in cell:
        return None  # Python reads 2020_01 as a number
    text = cell.replace("\N{MINUS SIGN}", "-")
    try:
        return float(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)
    except ValueError:
        return None


def numbers(path: Path, cells: pd.Series[str], complaint: str) -> pd.Series[float]:
    """A column of a table as float64; NaN where a cell is empty.

    Args:
        path: The table.
        cells: The column, by the numbers of the lines.
        complaint: What to say of a cell that is no finite number.

    Raises:
        UserError: If there is one, or its commas may be decimal commas or between thousands.
    """
    values = []
    for line, cell in cells.items():
        value = number(cell) if cell else np.nan
        if cell and (value is None or not np.isfinite(value)):
            raise UserError(f"{path}: line {line}, {cells.name}: {cell!r} is {complaint}")
        if value is not None and abs(value) > _LARGEST:
            raise UserError(f"{path}: line {line}, {cells.name}: {cell!r} is too large; use other units")
        values.append(value)
    with_comma = cells[cells.str.contains(",")]
    if len(with_comma) and (
        with_comma.str.fullmatch(_THOUSANDS).all() or cells.str.contains(".", regex=False).any()
    ):
        line, cell = with_comma.index[0], with_comma.iloc[0]
        raise UserError(
            f"{path}: line {line}, {cells.name}: {cell!r} may have a decimal comma or one between thousands; "
            f"write the column with points"
        )
    return pd.Series(values, cells.index, np.float64)


def name_ids(ids: list[str]) -> str:
    """The first of several names, and how many more there are."""
    return f"{ids[0]!r}" + (f" (and {len(ids) - 1} more)" if len(ids) > 1 else "")

"""Tags, several a clip: what one may be called, how a table lists them, and as numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.datasets.base import TAGS
from pipelines.datasets.names import one_spelling
from pipelines.datasets.tables import number
from pipelines.errors import ArgumentError, UserError
from pipelines.wording import counted, has_control_characters

SEPARATORS = ";,|"  # between the tags of a cell; one kind in a table
_FLAGS = {"true": 1.0, "false": 0.0}  # besides numbers
_LIST = re.compile(r"\[\s*(['\"]).*\1\s*\]")  # as Python or JSON writes one
_NONE = "or leave the column out (tags none)"


def tag_problem(name: str) -> str:
    """Why no tag can have a name; `""` if one can."""
    if not name:
        return "it is empty"
    if has_control_characters(name):
        return "it has control characters in it"
    separates = set(name) & set(SEPARATORS)
    return f"one of {' '.join(SEPARATORS)} is in it, which stand between tags" if separates else ""


def tags_of_cells(path: Path, cells: pd.Series[str]) -> tuple[pd.Series, tuple[str, ...]]:
    """Tags as a column of a table lists them, such as `rock;guitar;live`.

    Args:
        path: The table.
        cells: The column, by the numbers of the lines.

    Returns:
        A tuple of tags for each line, None where the cell is empty; and which were joined, as tags that
        differ only in case or blanks are one.

    Raises:
        UserError: If a cell is a list as Python writes it, more than one kind of separator is used, or a tag
            cannot have its name.
    """
    for line, cell in cells.items():
        if _LIST.fullmatch(cell):  # whose brackets and quotes would be taken for parts of the tags
            raise UserError(
                f"{path}: line {line}: tags {cell!r} are a list as Python writes it; "
                f"write them as rock;guitar;live in all lines, {_NONE}"
            )
    lines: dict[str, object] = {}  # of the first cell with each separator
    for line, cell in cells.items():
        for separator in set(cell) & set(SEPARATORS):
            lines.setdefault(separator, line)
    if len(lines) > 1:
        (one, first), (other, second) = list(lines.items())[:2]
        raise UserError(
            f"{path}: tags are separated by {one!r} in line {first} and by {other!r} in line {second}; "
            f"use one of them in all lines, {_NONE}"
        )
    separator = next(iter(lines), SEPARATORS[0])
    listed = cells.str.split(separator).explode()
    names = listed.map(lambda name: unicodedata.normalize("NFC", " ".join(name.split())))
    names = names[names != ""]
    for line, name in names.items():
        if problem := tag_problem(name):
            raise UserError(f"{path}: line {line}: no tag can be called {name!r}, {problem}; correct it")
    names, joined = one_spelling(names)
    tags = {line: tuple(dict.fromkeys(each)) for line, each in names.groupby(level=0)}
    return pd.Series([tags.get(line) for line in cells.index], cells.index, object), joined


def tags_of_flags(path: Path, columns: Mapping[str, pd.Series[str]]) -> pd.Series:
    """Tags as columns of 0 and 1 have them, a column a tag.

    Args:
        path: The table.
        columns: By the name of the tag, each by the numbers of the lines.

    Returns:
        A tuple of tags for each line, None where all cells are empty.

    Raises:
        UserError: If a cell is neither, or some of a line are empty and others not.
    """
    flags = pd.DataFrame({name: cells.map(_flag) for name, cells in columns.items()})
    written = pd.DataFrame(dict(columns))
    wrong = flags.isna() & (written != "")
    lacking = (written == "") & (written != "").any(axis=1).to_numpy()[:, None]
    for cells, problem in ((wrong, "neither 0 nor 1; correct it"), (lacking, "no value; fill it in")):
        for line, row in cells[cells.any(axis=1)].iterrows():
            name = row.idxmax()
            shown = f"{written.at[line, name]!r} is " if written.at[line, name] else ""
            raise UserError(f"{path}: line {line}, tag {str(name)!r}: {shown}{problem}, or choose other tags")
    rows = zip(flags.to_numpy(), (written != "").any(axis=1), strict=True)
    tags = [tuple(np.array(flags.columns)[row == 1.0].tolist()) if known else None for row, known in rows]
    return pd.Series(tags, flags.index, object)


def _flag(cell: str) -> float:
    value = _FLAGS.get(cell.casefold(), number(cell) if cell else None)
    return value if value in (0.0, 1.0) else np.nan


def counts_of(tags: Iterable[Collection[str] | None]) -> pd.Series[int]:
    """How many clips have each tag, by its name in alphabetical order."""
    return pd.Series([name for each in tags for name in each or ()], dtype=object).value_counts().sort_index()


def of_use(
    place: object, table: pd.DataFrame, chosen: Sequence[str], least: int = 1
) -> tuple[list[str], list[str]]:
    """The tags that can be learnt: some clips have one and others have not.

    Args:
        place: What messages call the table.
        table: With a column of tags.
        chosen: The tags to learn; empty for all there are.
        least: How many clips must have a tag, and how many not.

    Returns:
        The tags, as asked for or in alphabetical order, and sentences on those that were left out.

    Raises:
        UserError: If one that was asked for will not do, or fewer than two are left.
    """
    if len(chosen) == 1:
        raise ArgumentError("tags", chosen[0], "one tag is too few; give two or more")
    labelled = table[TAGS].dropna()
    counts, clips = counts_of(labelled), len(labelled)
    problems = {name: _use_problem(int(counts.get(name, 0)), clips, least) for name in chosen or counts.index}
    bad = {name: problem for name, problem in problems.items() if problem}
    if chosen and bad:
        name, problem = next(iter(bad.items()))
        raise ArgumentError("tags", name, f"in {place} {problem}; leave it out, or add clips")
    good = [name for name in problems if name not in bad]
    if len(good) < 2:
        why = next((f" ({name!r}: {problem})" for name, problem in bad.items()), "")
        raise UserError(
            f"{place}: {counted(len(good), 'tag')} of use{why}, and two are needed; add clips, {_NONE}"
        )
    return good, [_left_out(list(bad), list(bad.values()))] if bad else []


def _use_problem(count: int, clips: int, least: int) -> str:
    if count in (0, clips):
        return "no clip has it" if not count else "all clips have it"
    for found, one, many in (
        (count, "clip has", "clips have"),
        (clips - count, "clip does not have", "clips do not have"),
    ):
        if found < least:
            which = counted(found, one, many)
            return f"only {which} it, and {least} must, one for each part"
    return ""


def _left_out(names: list[str], problems: list[str]) -> str:
    if len(names) == 1:
        return f"tag {names[0]!r} is left out: {problems[0]}"
    shown = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{len(names)} tags are left out ({shown}): {problems[0]}, for one"


def tag_matrix(tags: Iterable[Sequence[str] | None], names: Sequence[str]) -> np.ndarray:
    """float32 `(n, n_tags)`, 1 where a clip has a tag and else 0."""
    place = {name: column for column, name in enumerate(names)}
    listed = list(tags)
    matrix = np.zeros((len(listed), len(names)), np.float32)
    for row, each in enumerate(listed):
        matrix[row, [place[name] for name in each or () if name in place]] = 1.0
    return matrix

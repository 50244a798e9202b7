"""Which songs of a table count: a condition in SQL, which can read the table and do nothing else."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from pipelines.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd

_FUNCTIONS = {
    *("abs", "coalesce", "glob", "ifnull", "instr", "length", "like", "lower", "max", "min", "nullif"),
    *("round", "substr", "trim", "upper"),
}


def rows_where(songs: pd.DataFrame, condition: str) -> list[int]:
    """The rows for which a condition holds, such as `tempo between 90 and 110`.

    Args:
        songs: The table; columns may be named as they are, whatever their case.
        condition: An expression of SQLite. It sees a copy of the table, in which it can read, and calls
            none but a few functions of numbers and text.

    Raises:
        ArgumentError: If it cannot be read, names no column, or holds for no song.
    """
    names = [str(name) for name in songs]
    columns = ", ".join('"{}"'.format(name.replace('"', '""')) for name in names)
    try:
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute(f"CREATE TABLE songs ({columns})")
            marks = ", ".join("?" * len(names))
            values = ([_plain(value) for value in songs[name].tolist()] for name in songs)
            database.executemany(f"INSERT INTO songs VALUES ({marks})", zip(*values, strict=True))
            database.set_authorizer(_may)
            found = database.execute(f"SELECT rowid - 1 FROM songs WHERE (\n{condition}\n) ORDER BY rowid")
            rows = [row for (row,) in found]
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        problem = f"cannot be read ({error}); give a condition on {', '.join(names)}"
        raise ArgumentError("where", condition, problem) from None
    if not rows:
        asked = [name for name in names if re.search(rf"(?i)\b{re.escape(name)}\b", condition)]
        if empty := [name for name in asked if songs[name].isna().all()]:
            problem = f"no song in the table has a {empty[0]}; leave it out of the condition"
        else:
            problem = "holds for no song; give a wider condition"
        raise ArgumentError("where", condition, problem)
    return rows


def _may(action: int, first: str | None, second: str | None, *_: Any) -> int:
    """What SQLite asks before it does anything: a condition may read, and call functions of ours."""
    allowed = action == sqlite3.SQLITE_SELECT or (action == sqlite3.SQLITE_READ and first == "songs")
    allowed = allowed or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str | None) else str(value)

"""A condition chooses songs, and can do nothing else."""

import pandas as pd
import pytest

from keras_mir.similar.where import rows_where
from pipelines.errors import ArgumentError

SONGS = pd.DataFrame(
    {
        "path": ["/m/a.ogg", "/m/b.ogg", "/m/c.ogg"],
        "tempo": [95.0, None, 120.0],
        "Mood of it": ["calm", 'wild "x"', None],
        "year": [1990, 2000, 2010],
    }
)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("tempo between 90 and 110", [0]),
        ("tempo is null", [1]),
        ("not tempo > 100 or year in (2010)", [0, 2]),
        ("\"Mood of it\" like 'wild%' -- a remark", [1]),
        ("lower(path) glob '*b.ogg'", [1]),
        ("year = (select max(year) from songs)", [2]),
        ("1", [0, 1, 2]),
    ],
)
def test_it_chooses(condition, rows):
    assert rows_where(SONGS, condition) == rows


@pytest.mark.parametrize(
    "condition",
    [
        *("", "tempo >", "tempo > 90; drop table songs", "nothing", "tempo > 90) or (", "\0", "a" * 10_000),
        *(
            "load_extension('x')",
            "readfile('/etc/passwd')",
            "randomblob(1e9) is null",
            "zeroblob(1e9) is null",
        ),
        "tempo in (select name from sqlite_master)",
        "1 in (with recursive n(i) as (select 1 union all select i from n) select i from n)",
        "@tempo",
        "__import__('os')",
    ],
)
def test_it_does_nothing_else(condition):
    with pytest.raises(ArgumentError, match="cannot be read"):
        rows_where(SONGS, condition)


def test_no_song_is_said():
    with pytest.raises(
        ArgumentError, match=r"^where year > 3000: holds for no song; give a wider condition$"
    ):
        rows_where(SONGS, "year > 3000")


def test_a_column_that_is_empty_is_named():
    songs = SONGS.assign(tempo=None, key=None)
    message = (
        r"^where Tempo > 90 and year > 1: no song in the table has a tempo; leave it out of the condition$"
    )
    with pytest.raises(ArgumentError, match=message):
        rows_where(songs, "Tempo > 90 and year > 1")
    assert rows_where(songs, "key is null") == list(range(len(songs)))
    with pytest.raises(ArgumentError, match="holds for no song"):
        rows_where(songs, "year > 3000")

"""Tables of vectors that are damaged, cut or of another program: what was in them, or a refusal."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from keras_mir.embed.table import Row, read_table, table_of, write_table
from keras_mir.models.embedding import Maker
from keras_mir.similar.answers import print_similar
from keras_mir.similar.similar import similar
from pipelines.errors import UserError

pa = pytest.importorskip("pyarrow")

MAKER = Maker("toy/1", "f" * 64, {"feature": "mel"})
NUMBERS = (0, -1, 2**63 - 1, 0.5, float("nan"), float("inf"))
VALUES = st.sampled_from([None, "", "é", b"\xff", [], [1.0, 2.0], *NUMBERS])


@pytest.fixture
def whole(tmp_path) -> Path:
    """A table of six songs, which are not there."""
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    rows = [
        Row(f"/music/{number}.ogg", 60.0, 100.0 if number else None, vector, 1, 1, f"{number:064}")
        for number, vector in enumerate(vectors)
    ]
    write_table(table_of(rows, MAKER), tmp_path / "whole.parquet")
    return tmp_path / "whole.parquet"


def alike(path: Path) -> pd.DataFrame | None:
    """What sounds like the first song of a table; None if that is refused, in one line that names it."""
    song = Path("/music/0.ogg")
    try:
        for form in ("table", "json", "csv"):
            print_similar(song, path, form=form)
        print_similar(song, path, playlist=5, map=path.with_suffix(".html"))
        return similar(song, path)
    except UserError as error:
        refusal = str(error)
    assert str(path) in refusal
    assert "\n" not in refusal
    return None


def test_damaged_tables(cases, damaged, whole, tmp_path):
    expected, path = alike(whole), tmp_path / "damaged.parquet"

    def check(content: bytes) -> str:
        path.write_bytes(content)
        found = alike(path)
        assert found is None or found.equals(expected)
        return "refused" if found is None else "as before"

    cases.try_all("damaged tables of vectors", 20, damaged(st.just(whole.read_bytes())), check)


def test_tables_of_others(cases, whole, tmp_path):
    import pyarrow.parquet as pq

    songs, path = pq.read_table(whole), tmp_path / "other.parquet"

    @st.composite
    def others(draw: st.DrawFn) -> pa.Table:
        name = draw(st.sampled_from([*songs.column_names, "genre"]))
        left = songs.drop_columns([name]) if name in songs.column_names else songs
        column = (songs[name] if name in songs.column_names else left["path"]).to_pylist()
        for row in draw(st.sets(st.integers(0, len(songs) - 1), min_size=1)):
            column[row] = draw(VALUES)
        try:
            made = pa.array(column)
        except (pa.ArrowException, OverflowError):  # no column holds them together
            made = pa.array([draw(VALUES)] * len(songs))
        changed = draw(st.sampled_from([left, *[left.append_column(name, made)] * 4]))
        return changed[: draw(st.sampled_from([6, 6, 6, 1, 0]))]

    def check(table: pa.Table) -> str:
        pq.write_table(table, path)
        found = alike(path)
        assert found is None or np.isfinite(found["similarity"].to_numpy()).all()
        return "refused" if found is None else "read"

    cases.try_all("tables of vectors by others", 20, others(), check)


@pytest.mark.parametrize("name", ["x:y.parquet", b"\xff [b].parquet", "東.parquet"])
def test_a_table_may_have_any_name(name, whole, monkeypatch):
    monkeypatch.chdir(whole.parent)
    path = Path(os.fsdecode(name))
    write_table(read_table(whole).songs, path)
    assert alike(path).equals(alike(whole))

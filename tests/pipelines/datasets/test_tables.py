"""Tables and lists as people save them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.datasets.tables import read_lines, read_rows, read_table, refuse_repeated
from pipelines.errors import UserError


def test_rows_keep_the_numbers_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text('\ufeffid,text\n\n1, two words \n2,"over\nlines"\n3,x\n', encoding="utf-8")
    table, notes = read_table(path, "mend it")
    assert notes == []
    assert table.index.tolist() == [3, 5, 6]
    assert table["text"].tolist() == ["two words", "over\nlines", "x"]
    assert list(read_rows(path, "mend it"))[1] == (3, ["1", "two words"])
    assert read_lines(path, "mend it")[1] == (3, "1, two words")


def test_a_column_without_a_name_is_left_out_and_named_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(",id,,genre, \n0,a,,Rock,x\n1,b,,Pop,\n")
    table, notes = read_table(path, "mend it")
    assert list(table) == ["id", "genre"]
    assert notes == ["column 1 has no name; left out", "column 5 has no name; left out"]


def test_quotes_may_be_plain_characters(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text('1\t7" single\n2\tb\n')
    rows = list(read_rows(tmp_path / "labels.txt", "", "\t", quoted=False))
    assert rows == [(1, ["1", '7" single']), (2, ["2", "b"])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "labels.csv: no such file; mend it"),
        (b"\n \n", "labels.csv: the file is empty; mend it"),
        (b"a,b\n", "labels.csv: a header but no rows; mend it"),
        (b"a,b\n1,\xff\n", "labels.csv: not UTF-8 text; mend it"),
        (b'a,b\n1,"2\n', "labels.csv: line 2 is malformed (unexpected end of data); mend it"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_table(tmp_path / "labels.csv", "mend it")
    assert str(error.value) == f"{tmp_path}/{message}"


def test_the_first_id_that_stands_twice_is_named() -> None:
    refuse_repeated(pd.Series(["1", "2", "10"]), Path("t.csv"), "song", "mend it")
    with pytest.raises(UserError, match=r"^t\.csv: song 2 is there twice; mend it$"):
        refuse_repeated(pd.Series(["1", "2", "3", "2", "1"]), Path("t.csv"), "song", "mend it")

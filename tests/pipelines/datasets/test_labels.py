"""Reading a user's label table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.datasets.labels import LabelTable, read_label_table
from pipelines.errors import UserError


def write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(folder: Path, text: str, name: str = "labels.csv") -> LabelTable:
    return read_label_table(write(folder, text, name))


def test_a_table_with_everything(tmp_path: Path) -> None:
    labels = read(
        tmp_path,
        "id,File,Genre,valence,year,artist_id,artist,tempo,Split\n"
        "0001,a/x.wav,Rock,.5,1999,7,Ann,120,train\n"
        "0002,a/y.wav,Folk,.25,2001,8,Bob,90,Test\n",
    )
    assert labels.table["id"].tolist() == ["0001", "0002"]
    assert labels.table["file"].tolist() == ["a/x.wav", "a/y.wav"]
    assert labels.table["split"].tolist() == ["train", "test"]
    assert labels.targets == ("valence", "tempo")
    assert labels.table["valence"].dtype == np.float64
    assert labels.table["artist_id"].tolist() == ["7", "8"]
    assert labels.has_genre
    assert labels.has_split


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "\ufefffile,genre\nx.1.wav,Rock\n"),
        ("labels.tsv", "path\tgenre\r\nd/x.wav\tRock\r\n"),
        ("labels.txt", "filename\tgenre\nx\tRock\n"),
        ("labels.csv", "file;genre\n\nd\\x.wav;Rock\n"),
        ("labels.csv", 'file,genre\n"d, e/x.wav",Rock\n'),
    ],
)
def test_the_id_is_the_file_name_up_to_its_first_dot(tmp_path: Path, name: str, text: str) -> None:
    labels = read(tmp_path, text, name)
    assert labels.table["id"].tolist() == ["x"]
    assert labels.table["genre"].tolist() == ["Rock"]
    assert labels.targets == ()


def test_targets_can_be_chosen_and_a_group_column_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, "id,valence,energy,session\n1,.1,.2,3\n2,.3,.4,3\n")
    assert read_label_table(path, group_by="session").targets == ("valence", "energy")
    assert read_label_table(path, targets=["energy"]).targets == ("energy",)


def test_clips_may_lack_a_genre_or_all_targets(tmp_path: Path) -> None:
    labels = read(tmp_path, "id,genre,valence,energy\n1,,.1,.2\n2,Rock,,\n")
    assert labels.table["genre"].tolist() == ["", "Rock"]
    assert np.isnan(labels.table["valence"]).tolist() == [False, True]


def test_an_empty_split_or_genre_column_is_no_column(tmp_path: Path) -> None:
    labels = read(tmp_path, "id,genre,valence,split\n1,,.1,\n2,,.2,\n")
    assert not labels.has_genre
    assert not labels.has_split


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("id,genre\n", "no rows"),
        ("id,genre\n1,Rock,x\n", "line 2 has 3 values, the header has 2"),
        ("id,genre\n1,Rock\n2\n", "line 3 has 1 values"),
        ('id,genre\n1,"Rock\n', "malformed"),
        ("id,genre,genre\n1,Rock,Pop\n", "'genre' is there twice"),
        ("title,genre\nx,Rock\n", "no column 'id' or 'file'"),
        ("id,genre\n,Rock\n", "line 2 has no id"),
        ("file,genre\na/.wav,Rock\n", "line 2 has no file"),
        ("id,genre\na/1,Rock\n", "'a/1' is no id"),
        ("id,genre\n1,Rock\n\n1,Pop\n", "lines 2 and 4 both have the id '1'"),
        ("file,genre\na/x.wav,Rock\nb/x.wav,Pop\n", "lines 2 and 3 both have the id 'x'.*add an id column"),
        ("id,title\n1,one\n", "no labels"),
        ("id,genre,split\n1,Rock,validation\n", "line 2: split 'validation'; write train"),
        ("id,genre,split\n1,Rock,eval\n", "line 2: split 'eval' is not known"),
        ("id,genre,split\n1,Rock,train\n2,Rock,\n", "line 3: split '' is not known"),
        ("id,valence\n1,.5\n2,.2\n3,high\n", "line 4, valence: 'high' is not a finite number"),
        ("id,valence\n1,.5\n2,nan\n", "line 3, valence: 'nan' is not"),
        ("id,valence\n1,.5\n2,inf\n", "line 3, valence: 'inf' is not"),
        ("id,genre,valence,energy\n1,Rock,.5,.5\n2,Rock,.2,\n", "line 3, energy: no value"),
        ("id,genre,valence\n1,Rock,.5\n2,,\n", "line 3 has no label"),
        ('id,"joy, fun"\n1,.5\n', "comma in its name"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "labels.csv"))
    assert "\n" not in str(error.value)


def test_a_missing_or_binary_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_label_table(tmp_path / "labels.csv")
    (tmp_path / "labels.csv").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        read_label_table(tmp_path / "labels.csv")


def test_unknown_columns_are_answered_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, "id,valence,energy,title\n1,.1,.2,x\n")
    with pytest.raises(UserError, match="no target 'calm'; numeric columns are valence, energy"):
        read_label_table(path, targets=["calm"])
    with pytest.raises(UserError, match="title: 'x' is not a finite number"):
        read_label_table(path, targets=["title"])
    with pytest.raises(
        UserError, match=r"group_by band: .*labels\.csv has no such column; it has id, valence"
    ):
        read_label_table(path, group_by="band")

"""Reading a user's label table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.datasets.labels import LabelTable, read_label_table
from pipelines.errors import UserError

TAKEN = ("beats", "val_x", "note")
BAD_NAMES = ("joy, fun", "valence [mean]", "χαρά", "val/energy", "Unnamed: 1")


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
    assert labels.targets == ("valence",)
    assert list(labels.ignored) == ["year", "artist_id", "tempo"]
    assert "that name has a meaning of its own" in labels.ignored["tempo"]
    assert labels.table["valence"].dtype == np.float64
    assert labels.table["artist_id"].tolist() == ["7", "8"]
    assert labels.has_genre
    assert labels.has_split


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "\ufefffile,genre\nx.wav,Rock\n"),
        ("labels.csv", "File Name|Label\nx.mp3|Rock|\n"),
        ("labels.csv", "sep=;\r\naudio_path;class\r\nd\\x.opus;Rock\r\n"),
        ("labels.csv", '"sep=\t"\nPath\tGENRE\nx.fused.full.npy.gz\tRock\t\t\n'),
        ("labels.csv", 'file,"genre; style; mood"," genre"\nx.wav,a,Rock\n'),
        ("labels.tsv", "path\tgenre\r\nd/x.wav\tRock\r\n"),
        ("labels.txt", "filename\tgenre\nx\tRock\n"),
        ("labels.csv", "file;genre\n\nd\\x.wav;Rock\n"),
        ("labels.csv", 'file,genre\n"d, e/x.wav",Rock\n'),
    ],
)
def test_the_id_is_the_file_name_without_folders_and_suffix(tmp_path: Path, name: str, text: str) -> None:
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
        (
            "id,genre\n1,Rock,x\n",
            "line 2 has 3 values, the header has 2; correct the line, or quote values that hold the "
            "separator$",
        ),
        ("id,genre\n1,Rock\n2\n", "line 3 has 1 values"),
        ('id,genre\n1,"Rock\n', "malformed"),
        ("id,genre,genre\n1,Rock,Pop\n", "'genre' is there twice; rename one$"),
        (
            "title,genre\nx,Rock\n",
            r"no column 'id' or 'file' to tell the clips apart; name one of them so \(title, genre\)$",
        ),
        ("id,genre\n,Rock\n", "line 2 has no id"),
        ("file,genre\na/.wav,Rock\n", "line 2 has no file"),
        ("id,genre\na/1,Rock\n", "'a/1' is no id"),
        ("id,genre\n1,Rock\n\n1,Pop\n", "lines 2 and 4 both have the id '1'"),
        (
            "file,genre\na/x.wav,Rock\nb/x.wav,Pop\n",
            r"lines 2 and 3 both have the id 'x' \(of a file, its name without folders and suffix\); "
            "add an id column$",
        ),
        ("id,title\n1,one\n", "no labels"),
        ("id,genre,split\n1,Rock,eval\n", "line 2: split 'eval' is not known; write train or test$"),
        ("id,genre,split\n1,Rock,train\n2,Rock,\n", "line 3: split '' is not known"),
        ("id,valence\n1,.5\n2,.2\n3,high\n", "line 4, valence: 'high' is not a finite number"),
        ("id,valence\n1,.5\n2,nan\n", "line 3 has no label"),
        (
            "id;valence\n1;0,5\n2;0.5\n",
            "line 2, valence: '0,5' may have a decimal comma or one between thousands; write the column "
            "with points$",
        ),
        ("id;valence\n1;1,500\n2;2,250\n", "line 2, valence: '1,500' may have a decimal comma or one"),
        ("id,genre\n1,nan\n2,Rock\n", "line 2 has no label"),
        ("id,genre\n1,Ro\x1b[31mck\n", "has control characters in it"),
        ("id,genre\n1,Ro\0ck\n", "line 2 has a zero byte, so it is no text; "),
        ("id,bpm\n1,120\n", "no labels; .*; column 'bpm' is no target: it is rarely"),
        ("file,genre\n...And Justice.mp3,Rock\n", "is no id, it begins with a dot.*; add an id column"),
        ('id,genre\n"1\n2",Rock\n', "is no id, it has a slash, tab or line break"),
        ("id,Genre,genre\n1,Rock,Pop\n", "columns 'Genre' and 'genre' are both the genre; rename one"),
        ("id,valence\n1,.5\n2,inf\n", "line 3, valence: 'inf' is not"),
        ("id,valence,energy\n1,.5,.5\n2,.2,\n", "line 3, energy: no value"),
        ("id,genre,valence\n1,Rock,.5\n2,,\n", "line 3 has no label"),
        *((f'id,"{name}"\n1,.5\n', "target .*: an output's name may hold letters") for name in BAD_NAMES),
        ("id,valence\n1,.5\n2,3e38\n", "line 3, valence: '3e38' is too large"),
        ("id,val\x1bence\n1,.5\n", "has control characters in its name; rename it"),
        *((f"id,{name}\n1,.5\n", f"'{name}': that name has a meaning") for name in TAKEN),
        (
            "id,valence,tempo\n1,.5,90\n",
            "target 'tempo': that name has a meaning of its own",
        ),
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


@pytest.mark.parametrize("blank", ["\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u3000"])
def test_what_python_takes_for_a_line_end_or_a_blank_is_a_blank(tmp_path: Path, blank: str) -> None:
    text = f"file,genre,title\na.mp3,Hip{blank}Hop,one{blank}two\nb.mp3,Pop,x\n"
    labels = read(tmp_path, text)
    assert labels.table["genre"].tolist() == ["Hip Hop", "Pop"]
    assert labels.table["title"].tolist() == [f"one{blank}two", "x"]
    assert labels.notes == ()


def test_genres_that_differ_in_form_alone_are_one_and_it_is_said(tmp_path: Path) -> None:
    rows = [
        "Rock",
        "rock",
        "Rock",
        "Hip  Hop",
        "HipHop",
        "hip hop",
        "hip hop",
        "Cafe\u0301",
        "Caf\u00e9",
        "Ro\u200bck",
    ]
    rows += ["\U0001f469\u200d\U0001f3a4 Pop"]
    labels = read(tmp_path, "id,genre\n" + "".join(f"{n},{genre}\n" for n, genre in enumerate(rows)))
    names = ["Rock"] * 3 + ["hip hop"] * 4 + ["Caf\u00e9"] * 2 + ["Rock", "\U0001f469\u200d\U0001f3a4 Pop"]
    assert labels.table["genre"].tolist() == names
    assert "'rock' is taken for 'Rock', from which it differs in case or blanks alone" in labels.notes
    assert len(labels.notes) == 4


@pytest.mark.parametrize("gap", ["", "nan", "NaN", "NA", "n/a", "#N/A", "null", "None"])
def test_a_gap_is_no_genre_no_number_and_no_artist(tmp_path: Path, gap: str) -> None:
    labels = read(tmp_path, f"id,genre,valence,artist\n1,Rock,.5,Ann\n2,{gap},.2,{gap}\n3,Pop,{gap},Bob\n")
    assert labels.table["genre"].tolist() == ["Rock", "", "Pop"]
    assert labels.table["artist"].tolist() == ["Ann", "", "Bob"]
    assert np.isnan(labels.table["valence"]).tolist() == [False, False, True]
    assert read(tmp_path, "id,genre\nnan,Rock\nNone,Pop\n").table["id"].tolist() == ["nan", "None"]


def test_numbers_beside_genres_are_targets_only_if_they_can_be(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "file,genre,valence,energy,bpm,Unnamed: 0,loud [dB],key,mood\n"
        "a.mp3,Rock,.5,,120,0,3,1,happy\n"
        "b.mp3,Pop,.25,.1,99,1,2,2?,sad\n"
        "c.mp3,Pop,,,nan,2,1,3,sad\n",
    )
    labels = read_label_table(path)
    assert labels.targets == ("valence",)
    assert np.isnan(labels.table["valence"]).tolist() == [False, False, True]
    assert labels.ignored["energy"] == "line 2 has other targets, and none here"
    assert labels.ignored["bpm"] == "it is rarely of affect; ask for it if it is"
    assert labels.ignored["loud [dB]"].startswith("an output's name may hold letters")
    assert labels.ignored["key"].startswith("line 3, key: '2?' is not a finite number")
    assert list(labels.ignored) == ["bpm", "Unnamed: 0", "loud [dB]", "key", "energy"]
    none = read_label_table(path, targets=())
    assert none.targets == ()
    assert read_label_table(path, targets=["bpm"]).table["bpm"].tolist()[:2] == [120.0, 99.0]
    with pytest.raises(UserError, match="line 2, energy: no value"):
        read_label_table(path, targets=["valence", "energy"])
    with pytest.raises(UserError, match="target 'loud \\[dB\\]': an output's name may hold"):
        read_label_table(path, targets=["loud [dB]"])


@pytest.mark.parametrize(("name", "separator"), [("labels.csv", ";"), ("labels.tsv", "\t")])
def test_decimal_commas_are_read(tmp_path: Path, name: str, separator: str) -> None:
    rows = [
        ["id", "valence", "energy"],
        ["1", "0,5", "1,250"],
        ["2", "\N{MINUS SIGN}0,25", "12"],
        ["3", "1", "0,1"],
    ]
    labels = read(tmp_path, "\n".join(separator.join(row) for row in rows), name)
    assert labels.table["valence"].tolist() == [0.5, -0.25, 1.0]
    assert labels.table["energy"].tolist() == [1.25, 12.0, 0.1]


def test_a_label_is_the_genre_where_no_column_is_called_so(tmp_path: Path) -> None:
    labels = read(tmp_path, "filename,Label,class\n01. One.mp3,Rock,a\n02. Two.mp3,Pop,b\n")
    assert labels.table["id"].tolist() == ["01. One", "02. Two"]
    assert labels.table["genre"].tolist() == ["Rock", "Pop"]
    assert labels.notes == (
        "column 'filename' is taken for the file",
        "column 'Label' is taken for the genre",
    )
    assert read(tmp_path, "id,label,genre\n1,x,Rock\n").table["label"].tolist() == ["x"]


def test_other_words_for_train_and_test_are_taken_and_it_is_said(tmp_path: Path) -> None:
    words = ["Training", "val", "validation", "train", "testing", "TEST"]
    labels = read(
        tmp_path, "id,genre,split\n" + "".join(f"{n},Rock,{word}\n" for n, word in enumerate(words))
    )
    assert labels.table["split"].tolist() == ["train", "train", "train", "train", "test", "test"]
    assert labels.notes == (
        "split 'testing' is taken for test",
        "split 'training' is taken for train",
        "split 'val' is taken for train, since fit makes a validation part of its own",
        "split 'validation' is taken for train, since fit makes a validation part of its own",
    )


def test_a_table_of_excel_in_utf16_is_read(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes("file\tgenre\r\n\u03b1.mp3\tRock\r\n".encode("utf-16"))
    assert read_label_table(tmp_path / "labels.txt").table["id"].tolist() == ["\u03b1"]


def test_hundreds_of_targets_are_read_without_complaint(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(150)]
    rows = [",".join(["id", *names]), *(row + ",.5" * len(names) for row in "ab")]
    labels = read(tmp_path, "\n".join(rows))  # a warning is a failure here
    assert labels.targets == tuple(names)
    assert (labels.table[names] == 0.5).all(axis=None)

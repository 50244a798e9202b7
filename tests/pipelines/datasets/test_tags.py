"""Tags in a label table: a column of them, or columns of 0 and 1."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.datasets.labels import LabelTable, read_label_table
from pipelines.datasets.tags import of_use, tag_matrix
from pipelines.errors import UserError

COLUMN = "id,genre,tags\n1,A,rock; live\n2,A,Rock;guitar\n3,B,guitar;guitar\n4,B,\n5,A,live\n"
FLAGS = "id,genre,rock,guitar,live,fun\n1,A,1,0,1,.5\n2,A,1,1,0,.25\n3,B,0,True,0,1\n4,B,,,,0\n5,,0,0,1,.5\n"


def read(folder: Path, text: str, **options: object) -> LabelTable:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_label_table(path, **options)


def test_a_column_of_tags(tmp_path: Path) -> None:
    labels = read(tmp_path, COLUMN.replace("4,B,\n", "4,B,N/A\n") + "6,A,rock\n")
    assert labels.tags == ("guitar", "live", "rock")
    assert labels.table["tags"].tolist() == [
        ("rock", "live"),
        ("rock", "guitar"),
        ("guitar",),
        None,
        ("live",),
        ("rock",),
    ]
    assert labels.notes == ("'Rock' is taken for 'rock', from which it differs in case or blanks alone",)
    assert labels.has_labels("tags").tolist() == [True, True, True, False, True, True]
    assert tag_matrix(labels.table["tags"], labels.tags).tolist()[:4] == [
        [0, 1, 1],
        [1, 0, 1],
        [1, 0, 0],
        [0, 0, 0],
    ]


@pytest.mark.parametrize("separator", [";", ",", "|"])
def test_separators(tmp_path: Path, separator: str) -> None:
    text = f'id,tags\n1,"rock{separator}live"\n2,"guitar{separator}"\n'
    assert read(tmp_path, text).table["tags"].tolist() == [("rock", "live"), ("guitar",)]


def test_columns_of_0_and_1(tmp_path: Path) -> None:
    labels = read(tmp_path, FLAGS, tags=["live", "rock", "guitar"])
    assert labels.tags == ("live", "rock", "guitar")
    assert labels.targets == ("fun",)  # what are tags are no targets besides
    assert labels.table["tags"].tolist() == [
        ("live", "rock"),
        ("rock", "guitar"),
        ("guitar",),
        None,
        ("live",),
    ]
    assert read(tmp_path, FLAGS).tags == ()  # nobody said that they are tags
    assert read(tmp_path, FLAGS.replace(",fun", ",tags"), tags=()).tags == ()


def test_a_target_may_have_the_name_of_a_tag(tmp_path: Path) -> None:
    labels = read(tmp_path, "id,tags,calm,tense\n1,calm,.75,.25\n2,tense,.25,.5\n3,calm;tense,.5,.5\n")
    assert labels.tags == ("calm", "tense")
    assert labels.targets == ("calm", "tense")
    assert labels.table["tags"].tolist() == [("calm",), ("tense",), ("calm", "tense")]
    assert labels.table["calm"].tolist() == [0.75, 0.25, 0.5]


def test_a_choice_of_the_column_leaves_clips_without_any(tmp_path: Path) -> None:
    labels = read(tmp_path, COLUMN, tags=["rock", "live"])
    assert labels.tags == ("rock", "live")
    assert tag_matrix(labels.table["tags"], labels.tags).tolist() == [[1, 1], [1, 0], [0, 0], [0, 0], [0, 1]]


def test_tags_that_tell_nothing_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    text = "id,tags\n1,music;rock\n2,music;live\n3,music;rock\n"
    labels = read(tmp_path, text)
    assert (labels.tags, labels.notes) == (("live", "rock"), ("tag 'music' is left out: all clips have it",))


def test_a_table_of_genres_is_none_the_worse_for_a_column_of_tags(tmp_path: Path) -> None:
    labels = read(tmp_path, "id,genre,tags\n1,A,rock\n2,B,rock\n")
    assert (labels.tags, "tags" in labels.table) == ((), False)
    assert labels.notes == (
        "column 'tags' is left out: 0 tags of use ('rock': all clips have it), and two are needed; add "
        "clips, or leave the column out (tags none)",
    )


def test_each_part_wants_its_clips() -> None:
    table = pd.DataFrame({"tags": [("a", "b"), ("a", "c"), ("a", "c"), ("b", "c"), ("b",)]})
    assert of_use("songs", table, (), least=2) == (["a", "b", "c"], [])
    with pytest.raises(UserError) as refusal:
        of_use("songs", table, ("a", "b"), least=3)
    assert str(refusal.value) == (
        "tags a: in songs only 2 clips do not have it, and 3 must, one for each part; leave it out, or add "
        "clips"
    )
    more = pd.concat([table, pd.DataFrame({"tags": [("d",), None]})], ignore_index=True)
    assert of_use("songs", more, (), least=2) == (
        ["a", "b", "c"],
        ["tag 'd' is left out: only 1 clip has it, and 2 must, one for each part"],
    )


REFUSED = {
    "two kinds of separators": (
        COLUMN.replace("rock; live", '"rock, live"'),
        {},
        "tags are separated by ',' in line 2 and by ';' in line 3; use one of them in all lines, or leave "
        "the column out (tags none)",
    ),
    "lists of Python": (
        "id,tags\n1,rock\n2,\"['rock', 'live']\"\n",
        {},
        """line 3: tags "['rock', 'live']" are a list as Python writes it; write them as rock;guitar;live """
        "in all lines, or leave the column out (tags none)",
    ),
    "lists of JSON": (
        'id,tags\n1,rock\n2,"[""rock"", ""live""]"\n',
        {},
        """line 3: tags '["rock", "live"]' are a list as Python writes it; write them as rock;guitar;live """
        "in all lines, or leave the column out (tags none)",
    ),
    "none of use": (
        "id,tags\n1,rock\n2,rock\n",
        {},
        "0 tags of use ('rock': all clips have it), and two are needed; add clips, or leave the column out "
        "(tags none)",
    ),
    "a name": (
        "id,tags\n1,rock\n2,ro\x07ck\n",
        {},
        "line 3: no tag can be called 'ro\\x07ck', it has control characters in it; correct it",
    ),
    "not in the column": (
        COLUMN,
        {"tags": ["rock", "Polka"]},
        "tags Polka: labels.csv has no such tag or column; column tags has guitar, live, rock",
    ),
    "no column": (
        FLAGS,
        {"tags": ["rock", "polka"]},
        "tags polka: labels.csv has no such tag or column; there is no column tags",
    ),
    "other numbers": (
        FLAGS,
        {"tags": ["rock", "fun"]},
        "line 2, tag 'fun': '.5' is neither 0 nor 1; correct it, or choose other tags",
    ),
    "a gap": (
        FLAGS.replace("A,1,1,0", "A,1,,0"),
        {"tags": ["rock", "guitar"]},
        "line 3, tag 'guitar': no value; fill it in, or choose other tags",
    ),
    "no clip": (
        FLAGS.replace(",1,.5", ",0,.5"),
        {"tags": ["rock", "live"]},
        "tags live: in labels.csv no clip has it; leave it out, or add clips",
    ),
    "all clips": (
        "id,rock,live\n1,1,1\n2,0,1\n",
        {"tags": ["rock", "live"]},
        "tags live: in labels.csv all clips have it; leave it out, or add clips",
    ),
    "a column's name": (
        "id;a,b;live\n1;1;1\n2;0;0\n",
        {"tags": ["live", "a,b"]},
        "tags a,b: one of ; , | is in it, which stand between tags; rename the column of labels.csv",
    ),
    "no label at all": (
        "id,tags,valence\n1,rock,\n2,live,\n3,,\n",
        {},
        "line 4 has no label; fill it in or delete the line",
    ),
}


@pytest.mark.parametrize(("text", "options", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(tmp_path: Path, text: str, options: dict, problem: str) -> None:
    with pytest.raises(UserError) as refusal:
        read(tmp_path, text, **options)
    place = f"{tmp_path / 'labels.csv'}"
    assert str(refusal.value).replace(place, "labels.csv").removeprefix("labels.csv: ") == problem

"""A folder of features with a table, the one entry to all layouts, and the contract of all loaders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.datasets import folder as folder_of_features
from pipelines.datasets.base import Examples, LoadOptions, Task
from pipelines.datasets.course import load_course, unlabelled_test
from pipelines.datasets.load import load_examples
from pipelines.errors import UserError
from pipelines.spec import FeatureSpec

GENRES = "id,genre\na,Rock\nb,Folk\nc,Rock\n"


@pytest.fixture
def folder(tmp_path, save_features, make_fused) -> Path:
    """Three clips, one of them in a subfolder, without a table."""
    root = tmp_path / "DATA"
    for seed, name in enumerate(("a.npy", "b.fused.npy.gz", "deep/er/c.npy")):
        save_features(root / name, make_fused(5, seed))
    return root


def write(root: Path, content: str, name: str = "labels.csv") -> Path:
    path = root / name
    path.write_text(content, encoding="utf-8")
    return path


def load_folder(root: Path, labels: Path | None, task: Task, synced: bool = False) -> Examples:
    return folder_of_features.load(root, task, LoadOptions(labels, synced=synced))


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as raised:
        call()
    message = str(raised.value)
    assert "\n" not in message
    return message


def names(examples: Examples, root: Path) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in examples.table["path"]]


def test_finds_files_by_id_in_any_subfolder(folder):
    write(folder, GENRES)
    examples = load_folder(folder, None, "genre")
    assert names(examples, folder) == ["a.npy", "b.fused.npy.gz", "deep/er/c.npy"]
    assert examples.table["genre"].tolist() == ["Rock", "Folk", "Rock"]
    assert examples.table["split"].tolist() == ["", "", ""]
    assert examples.name == "DATA"
    assert not examples.synced


def test_the_audio_a_table_names_stands_for_its_features(folder):
    write(folder, "file\tgenre\naudio/a.mp3\tRock\naudio/b.mp3\tFolk\nc.ogg\tRock\n", "labels.tsv")
    assert names(load_folder(folder, None, "genre"), folder)[2] == "deep/er/c.npy"


def test_a_feature_file_is_found_beside_the_folder_or_the_table(folder, tmp_path):
    rows = "id,file,genre\n1,a.npy,Rock\n2,DATA/b.fused.npy.gz,Folk\n3,deep/er/c.npy,Rock\n"
    table = write(tmp_path, rows)
    examples = load_folder(folder, table, "genre")
    assert names(examples, folder) == ["a.npy", "b.fused.npy.gz", "deep/er/c.npy"]
    assert examples.table["id"].tolist() == ["1", "2", "3"]


def test_affect_targets_splits_and_other_columns(folder):
    write(folder, "id,calmness,power,artist,split\na,0.1,1,x,train\nb,0.2,0.5,y,test\nc,0.3,0,x,train\n")
    examples = load_folder(folder, None, "affect", synced=True)
    assert examples.targets == ("calmness", "power")
    assert examples.table["power"].tolist() == [1.0, 0.5, 0.0]
    assert examples.table["split"].tolist() == ["train", "test", "train"]
    assert examples.table["artist"].tolist() == ["x", "y", "x"]
    assert examples.synced


def test_rows_without_the_labels_of_the_task_are_left_out(folder):
    write(folder, "id,genre,calmness\na,Rock,\nb,,0.5\nc,Folk,0.25\n")
    assert load_folder(folder, None, "genre").table["id"].tolist() == ["a", "c"]
    affect = load_folder(folder, None, "affect")
    assert affect.table["id"].tolist() == ["b", "c"]
    assert affect.table["calmness"].tolist() == [0.5, 0.25]


def test_a_row_that_is_left_out_needs_no_file(folder):
    write(folder, "id,genre,power\na,Rock,\nb,Folk,\nc,Folk,\nd,,0.5\n")
    assert len(load_folder(folder, None, "genre")) == 3


def test_beats_are_read_beside_the_table_and_are_no_features(folder):
    (folder / "beats").mkdir()
    np.save(folder / "beats" / "a.beats.npy", np.array([1, 3]))
    write(folder, "id,genre,beats\na,Rock,beats/a.beats.npy\nb,Folk,\nc,Rock,\n")
    examples = load_folder(folder, None, "genre")
    assert examples.table["beats"].tolist() == [str(folder / "beats" / "a.beats.npy"), "", ""]
    write(folder, "id,genre,beats\na,Rock,beats/z.beats.npy\nb,Folk,\nc,Rock,\n")
    assert "id 'a': beats 'beats/z.beats.npy' is no .npy file" in refusal(
        lambda: load_folder(folder, None, "genre")
    )


def test_the_spec_beside_the_features_is_heeded(folder):
    write(folder, GENRES)
    spec = FeatureSpec(sample_rate=44100)
    content = {"name": "mine", "licence": "CC0", "feature_spec": spec.to_dict()}
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    examples = load_folder(folder, None, "genre")
    assert (examples.spec, examples.name, examples.licence) == (spec, "mine", "CC0")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("id,genre\na,Rock\nb,Folk\nc,Rock\nd,Rock\n", "labels.csv: 'd' has no feature file in"),
        ("id,genre\na,Rock\nb,Folk\n", "'deep/er/c.npy' has no line in labels.csv"),
        ("id,file,genre\na,x.npy,Rock\nb,,Folk\nc,,Rock\n", "labels.csv: 'a' has no feature file in"),
        ("id,file,genre\na,a.npy,Rock\nb,a.npy,Rock\nc,,Rock\n", "ids 'a' and 'b' both have the file"),
        ("id,power\na,1\nb,0\nc,0\n", "labels.csv: no column 'genre', which the genre task reads"),
    ],
)
def test_a_table_that_does_not_fit_the_files(folder, rows, reason):
    write(folder, rows)
    assert reason in refusal(lambda: load_folder(folder, None, "genre"))


def test_a_table_without_numbers_has_no_affect(folder):
    write(folder, GENRES)
    assert "no column of numbers, which the affect task reads" in refusal(
        lambda: load_folder(folder, None, "affect")
    )


def test_two_files_of_one_id_need_the_file_column(folder, save_features, make_fused):
    save_features(folder / "other" / "a.npy", make_fused(5, 9))
    write(folder, GENRES)
    message = refusal(lambda: load_folder(folder, None, "genre"))
    assert "id 'a' is also in" in message
    assert "column 'file' of labels.csv" in message
    write(folder, "id,file,genre\na,a.npy,Rock\na2,other/a.npy,Rock\nb,,Folk\nc,,Rock\n")
    assert names(load_folder(folder, None, "genre"), folder)[:2] == ["a.npy", "other/a.npy"]


def test_the_table_is_the_only_one_or_named(folder):
    assert f"labels: no .csv or .tsv file of labels in {folder}; name one" in refusal(
        lambda: load_folder(folder, None, "genre")
    )
    second = write(folder, GENRES, "second.csv")
    assert len(load_folder(folder, None, "genre")) == 3
    write(folder, "id\tgenre\n", "first.tsv")
    assert "has 2 tables (first.tsv, second.csv); name one" in refusal(
        lambda: load_folder(folder, None, "genre")
    )
    assert len(load_folder(folder, second, "genre")) == 3


@pytest.mark.parametrize(("prefer_synced", "synced"), [(False, False), (True, True)])
def test_one_entry_takes_the_twin_where_there_is_one(course_data, prefer_synced, synced):
    assert load_examples(course_data, "genre", prefer_synced=prefer_synced).synced is synced


def test_one_entry_takes_the_full_clips_where_there_is_no_twin(course_data, tmp_path):
    (tmp_path / "fma_genre_spectrograms").symlink_to(course_data / "fma_genre_spectrograms")
    assert not load_examples(tmp_path, "genre", prefer_synced=True).synced
    message = refusal(lambda: load_examples(tmp_path, "genre", prefer_synced=False, synced=True))
    assert "no folder fma_genre_spectrograms_beat" in message


def test_one_entry_reads_a_folder(folder, tmp_path):
    table = write(tmp_path, GENRES)
    examples = load_examples(folder, "genre", labels=table, prefer_synced=True)
    assert len(examples) == 3
    assert not examples.synced
    assert load_examples(folder, "genre", labels=table, prefer_synced=False, synced=True).synced


def test_one_entry_says_what_is_wrong(course_data, tmp_path):
    def reason(data: Path, labels: Path | None = None) -> str:
        return refusal(lambda: load_examples(data, "genre", labels=labels, prefer_synced=False))

    assert ": no such folder" in reason(tmp_path / "missing")
    table = write(tmp_path, GENRES)
    assert "a file, not a folder" in reason(table)
    assert "has its own label files; leave out the table" in reason(course_data, table)
    (tmp_path / "empty").mkdir()
    assert "neither features (.npy, .npy.gz) nor audio in it" in reason(tmp_path / "empty")
    (tmp_path / "audio" / "deep").mkdir(parents=True)
    (tmp_path / "audio" / "deep" / "a.MP3").write_bytes(b"x")
    command = f"python -m keras_mir.prepare {tmp_path / 'audio'} --labels {table} --out DATA"
    line = f"data {tmp_path / 'audio'}: audio, but no features yet; run `{command}` and give DATA"
    assert reason(tmp_path / "audio", table) == line
    assert "--labels LABELS.csv" in reason(tmp_path / "audio")


LOADERS: dict[str, Callable[[Path, Path], Examples]] = {
    "course genre": lambda course, _: load_course(course, "genre", synced=False),
    "course genre, one folder": lambda course, _: load_course(
        course / "fma_genre_spectrograms_beat", "genre", synced=False
    ),
    "course affect": lambda course, _: load_course(course, "affect", synced=True),
    "course unlabelled": lambda course, _: unlabelled_test(course, synced=False),
    "folder genre": lambda _, folder: load_folder(folder, None, "genre"),
    "folder affect": lambda _, folder: load_folder(folder, None, "affect"),
    "entry": lambda course, _: load_examples(course, "affect", prefer_synced=True),
}


@pytest.mark.parametrize("loader", LOADERS)
def test_every_loader_keeps_the_contract(course_data, folder, loader):
    write(folder, "id,genre,power,artist\na,Rock,0.5,x\nb,Folk,1,y\nc,Rock,0,x\n")
    examples = LOADERS[loader](course_data, folder)
    table = examples.table
    assert len(examples) == len(table) > 0
    assert table.index.equals(pd.RangeIndex(len(table)))
    assert table["id"].is_unique
    for column in {"id", "path", "split", "beats", *({"genre"} & set(table.columns))}:
        assert {type(value) for value in table[column]} == {str}, column
    assert all(table["id"])
    assert all(path.endswith((".npy", ".npy.gz")) and Path(path).is_file() for path in table["path"])
    assert set(table["split"]) <= {"train", "test", ""}
    assert all(beats == "" or Path(beats).is_file() for beats in table["beats"])
    for target in examples.targets:
        assert table[target].dtype == np.float64
        assert np.isfinite(table[target]).all()
    if "affect" in loader:
        assert examples.targets
    if "genre" in loader:
        assert examples.has_genre
        assert all(table["genre"])
    taken = examples.take(np.array([len(table) - 1, 0]))
    assert taken.table["id"].tolist() == [table["id"].iloc[-1], table["id"].iloc[0]]
    assert taken.spec == examples.spec

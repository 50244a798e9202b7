"""The course layout with its quirks, and each way in which it can be broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.datasets.base import Examples
from pipelines.datasets.course import is_course_layout, load_course, unlabelled_test
from pipelines.errors import UserError
from pipelines.ops import npy
from pipelines.spec import FeatureSpec

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "ntua_sample"
GENRE, AFFECT = "fma_genre_spectrograms", "multitask_dataset"


@pytest.fixture
def broken(course_data, tmp_path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(course_data, tmp_path / "DATA"))


def refusal(root: Path, task: str = "genre") -> str:
    with pytest.raises(UserError) as raised:
        load_course(root, task, synced=False)
    message = str(raised.value)
    assert "\n" not in message
    return message


def by_id(examples: Examples, column: str) -> dict[str, object]:
    return dict(zip(examples.table["id"], examples.table[column], strict=True))


def test_reads_genres_of_both_splits(course_data):
    examples = load_course(course_data, "genre", synced=False)
    assert by_id(examples, "genre") == {
        "101": "Rock",
        "102": "Psych-Rock",
        "103": "Folk",
        "104": "Indie-Rock",
        "105": "Jazz",
        "201": "Rock",
        "202": "Jazz",
    }
    assert examples.table["split"].tolist() == ["train"] * 5 + ["test"] * 2
    assert examples.targets == ()
    assert not examples.synced
    assert examples.name == course_data.name
    assert examples.spec == FeatureSpec()


def test_reads_affect_targets_by_their_names(course_data):
    examples = load_course(course_data, "affect", synced=False)
    assert examples.targets == ("valence", "energy", "danceability")
    assert examples.table.loc[1, ["id", "valence", "energy", "danceability"]].tolist() == [
        "302",
        0.5,
        0.0,
        0.75,
    ]
    assert examples.table["split"].tolist() == ["train", "train"]
    assert not examples.has_genre


@pytest.mark.parametrize("task", ["genre", "affect"])
@pytest.mark.parametrize("synced", [False, True])
def test_the_files_hold_what_they_should(course_data, make_fused, task, synced):
    """Every quirk of suffix, float type, byte order and memory order comes to the same values."""
    examples = load_course(course_data, task, synced)
    read = tf.function(
        lambda path: npy.read_spectrogram(path, (140,)), input_signature=[tf.TensorSpec([], tf.string)]
    )
    assert examples.synced is synced
    assert len({Path(path).name.partition(".fused.full")[2] for path in examples.table["path"]}) == 2
    for identity, path in by_id(examples, "path").items():
        expected = make_fused(7 if synced else 60, int(identity)).T
        np.testing.assert_allclose(read(path), expected, rtol=1e-3, err_msg=path)


@pytest.mark.parametrize("folder", [GENRE, f"{GENRE}_beat"])
def test_one_of_the_four_folders_will_do(course_data, folder):
    assert is_course_layout(course_data / folder)
    examples = load_course(course_data / folder, "genre", synced=False)
    assert len(examples) == 7
    assert examples.synced is folder.endswith("_beat")


def test_other_folders_are_no_course_layout(course_data, tmp_path):
    assert is_course_layout(course_data)
    assert not is_course_layout(course_data / GENRE / "train")
    assert not is_course_layout(tmp_path)
    assert not is_course_layout(tmp_path / "missing")


def test_lists_the_unlabelled_test_clips(course_data):
    examples = unlabelled_test(course_data, synced=False)
    assert examples.table["id"].tolist() == ["401"]
    assert examples.table["split"].tolist() == ["test"]
    assert Path(examples.table["path"][0]).is_file()


def test_reads_what_prepare_adds(broken):
    spec = FeatureSpec(hop_length=256)
    info = {"name": "mine", "licence": "CC0", "synthetic": True, "feature_spec": spec.to_dict()}
    (broken / "dataset.json").write_text(json.dumps(info), encoding="utf-8")
    (broken / "examples.csv").write_text("id,artist,genre\n101,007,x\n102,None,x\n201,,x\n", encoding="utf-8")
    (broken / "beats").mkdir()
    np.save(broken / "beats" / "102.beats.npy", np.array([5, 9]))
    examples = load_course(broken, "genre", synced=False)
    assert (examples.name, examples.licence, examples.synthetic) == ("mine", "CC0", True)
    assert examples.spec == spec
    assert examples.table["artist"].tolist() == ["007", "None", "", "", "", "", ""]
    assert examples.table["genre"].tolist()[:2] == ["Rock", "Psych-Rock"]
    assert by_id(examples, "beats")["102"] == str(broken / "beats" / "102.beats.npy")
    assert by_id(examples, "beats")["101"] == ""


def test_ids_keep_their_zeros(broken):
    folder = broken / GENRE
    file = next((folder / "train").glob("101.*"))
    file.rename(file.with_name(file.name.replace("101", "00101")))
    labels = folder / "train_labels.txt"
    labels.write_text(labels.read_text().replace("101.", "00101."), encoding="utf-8")
    assert load_course(broken, "genre", synced=False).table["id"][0] == "00101"


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(broken):
    labels = broken / GENRE / "train_labels.txt"
    labels.write_bytes(b"\xef\xbb\xbf" + labels.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert len(load_course(broken, "genre", synced=False)) == 7


def test_hidden_and_other_files_are_no_clips(broken):
    train = broken / GENRE / "train"
    (train / "._101.fused.full.npy.gz").write_bytes(b"x")
    (train / "README.txt").write_text("x")
    assert len(load_course(broken, "genre", synced=False)) == 7


def test_a_missing_folder_or_label_file_is_named(broken):
    shutil.rmtree(broken / GENRE / "train")
    assert str(broken / GENRE / "train") in refusal(broken)
    (broken / GENRE / "train_labels.txt").unlink()
    assert "train_labels.txt: no such file" in refusal(broken)
    shutil.rmtree(broken / GENRE)
    missing = f"no folder {GENRE}, which the genre task reads"
    other = "; there are spectrograms with one column per beat: choose a recipe that reads those"
    assert refusal(broken).endswith(missing + other)
    shutil.rmtree(broken / f"{GENRE}_beat")
    assert refusal(broken).endswith(missing + "; prepare clips with such labels, or choose another recipe")


def test_a_label_without_file_is_named(broken):
    next((broken / GENRE / "train").glob("103.*")).unlink()
    message = refusal(broken)
    assert "train_labels.txt: '103' has no feature file in" in message
    assert "restore the file or delete the line" in message


def test_a_file_without_label_is_named(broken, save_features, make_fused):
    save_features(broken / GENRE / "test" / "999.fused.full.npy", make_fused(3, 0))
    save_features(broken / GENRE / "test" / "998.fused.full.npy", make_fused(3, 0))
    message = refusal(broken)
    assert "'998' (and 1 more) has no line in test_labels.txt" in message
    assert "add the line or move the file away" in message


def test_a_clip_zipped_and_plain_is_named(broken, save_features, make_fused):
    for suffix in (".npy", ".npy.gz"):
        save_features(broken / GENRE / "train" / f"101.fused.full{suffix}", make_fused(3, 0))
    assert "id '101' is also in 101.fused.full.npy; delete one of them" in refusal(broken)


def test_a_clip_to_train_and_to_test_on_is_refused(broken):
    file = next((broken / GENRE / "train").glob("101.*"))
    shutil.copy(file, broken / GENRE / "test")
    with (broken / GENRE / "test_labels.txt").open("a") as labels:
        labels.write("101.full.fused.npy.gz\tRock\n")
    assert f"{GENRE}: '101' is in train and in test; delete it from one of them" in refusal(broken)


def append(text: str):
    return lambda content: content.rstrip("\n") + "\n" + text


@pytest.mark.parametrize(
    ("task", "change", "reason"),
    [
        ("genre", lambda content: "", "no labels in it"),
        ("genre", lambda content: "Id\tGenre\n", "a header but no rows"),
        ("genre", lambda content: content.replace("\t", ","), "line 1 is 'Id,Genre', not a header"),
        ("genre", append("106.fused.full.npy.gz"), "line 7 ('106.fused.full.npy.gz') has not 2 values"),
        ("genre", append("106.fused.full.npy.gz\t"), "line 7"),
        ("genre", append("106.fused.full.npy.gz\tRock\tPop"), "line 7"),
        ("genre", append("101.beatsync.npy\tRock"), "id '101' is on lines 2 and 7; delete one"),
        ("affect", lambda content: content.replace(",", "\t"), "not a header such as Id,<target>"),
        ("affect", append("303,0.1,high,0.3"), "line 4, energy: 'high' is not a number"),
        ("affect", append("303,0.1,nan,0.3"), "line 4, energy: 'nan' is not a number"),
        ("affect", append("303,0.1,inf,0.3"), "line 4, energy: 'inf' is not a number"),
        ("affect", append("303,0.1,,0.3"), "line 4"),
        ("affect", append("303,0.1,0.3"), "line 4"),
        ("affect", lambda content: content.replace("energy", "valence"), "a name in it twice"),
    ],
)
def test_a_malformed_label_file_is_named_with_the_line(broken, task, change, reason):
    labels = broken / (GENRE if task == "genre" else AFFECT) / "train_labels.txt"
    labels.write_text(change(labels.read_text(encoding="utf-8")), encoding="utf-8")
    message = refusal(broken, task)
    assert message.startswith(f"{labels}: ")
    assert reason in message


def test_a_label_file_that_is_no_text_is_named(broken):
    (broken / GENRE / "train_labels.txt").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in refusal(broken)


def test_targets_of_train_and_test_have_to_agree(broken):
    (broken / AFFECT / "test_labels.txt").write_text("Id,valence\n401,0.5\n", encoding="utf-8")
    assert "its columns are not those of train_labels.txt" in refusal(broken, "affect")


@pytest.mark.parametrize(
    "content",
    [
        *("{}", '{"feature_spec": 3}', '{"feature_spec": {"hop": 1}}'),
        *('{"feature_spec": {"hop_length": 0}}', '{"feature_spec": {"top_db": NaN}}'),
    ],
)
def test_a_damaged_dataset_json_is_named(broken, content):
    (broken / "dataset.json").write_text(content, encoding="utf-8")
    assert refusal(broken).startswith(f"{broken / 'dataset.json'}: not as prepare writes it (")


def test_a_dataset_json_that_is_no_json_object_is_named(broken):
    for content, what in (("{", "not JSON (Expecting property name"), ("[]", "not a JSON object; prepare")):
        (broken / "dataset.json").write_text(content, encoding="utf-8")
        assert refusal(broken).startswith(f"{broken / 'dataset.json'}: damaged, {what}")


@pytest.mark.parametrize("content", ["", "artist\nx\n", "id,artist\n101,a\n101,b\n", 'id,artist\n"101,a\n'])
def test_a_damaged_examples_csv_is_named(broken, content):
    (broken / "examples.csv").write_text(content, encoding="utf-8")
    assert "examples.csv" in refusal(broken)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of real clips is not here")
@pytest.mark.parametrize(
    ("task", "synced", "train", "test"),
    [("genre", False, 12, 6), ("genre", True, 12, 6), ("affect", False, 6, 0), ("affect", True, 6, 0)],
)
def test_reads_the_sample(task, synced, train, test):
    examples = load_course(SAMPLE, task, synced)
    assert examples.table["split"].tolist() == ["train"] * train + ["test"] * test
    if task == "affect":
        assert len(unlabelled_test(SAMPLE, synced)) == 3

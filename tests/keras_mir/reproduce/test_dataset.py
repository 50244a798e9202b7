"""What a reproduction makes of the data sets it is given."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from keras_mir.reproduce.dataset import class_counts, open_dataset
from keras_mir.reproduce.request import Request
from pipelines.datasets.classes import COURSE_CLASSES
from pipelines.errors import UserError

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "ntua_sample"


def opened(data, tmp_path, **options):
    return open_dataset(Request(out=str(tmp_path / "out"), data=str(data), **options), Console(quiet=True))


def write_genre(root: Path, train: list[str], test: list[str], frames=40) -> Path:
    folder = root / "fma_genre_spectrograms"
    for split, genres in (("train", train), ("test", test)):
        (folder / split).mkdir(parents=True)
        lines = ["Id\tGenre"]
        for number, genre in enumerate(genres):
            array = np.zeros((140, frames + number), np.float32)
            np.save(folder / split / f"{split}{number}.fused.full.npy", array)
            lines.append(f"{split}{number}.fused.full.npy.gz\t{genre}")
        (folder / f"{split}_labels.txt").write_text("\n".join(lines) + "\n")
    return root


def test_a_class_that_nothing_can_be_trained_on_is_left_out_by_a_mapping_that_commands_can_name(tmp_path):
    data = write_genre(tmp_path / "data", ["Jazz", "Punk", "Jazz"], ["Jazz", "Rock", "Rock", "Metal"])
    found = opened(data, tmp_path)
    assert "2 test clips of Rock" in found.left_out
    mapping = tomllib.loads(Path(found.classes).read_text())
    assert mapping == {"Jazz": "Jazz", "Metal": "Metal", "Punk": "Metal", "Rock": ""}


def test_nothing_is_left_out_of_a_sound_data_set(tmp_path):
    found = opened(write_genre(tmp_path / "data", ["Jazz", "Rock"], ["Rock"]), tmp_path)
    assert (found.classes, found.left_out, found.split) == ("auto", "", "course")
    assert found.frames == 41, "of the longest clip"
    assert "no folder multitask_dataset" in found.why_no["affect"]


def test_the_reports_numbers_are_shown_for_its_own_data_alone(tmp_path):
    found = opened(write_genre(tmp_path / "data", ["Jazz", "Rock"], ["Rock"]), tmp_path)
    assert found.why_not_course.endswith("and this is data (2 and 1).")


def test_the_reports_own_data_is_recognised(tmp_path, monkeypatch):
    from keras_mir.reproduce import dataset

    monkeypatch.setattr(dataset, "_COURSE_GENRE", (20, 1))
    monkeypatch.setattr(dataset, "_COURSE_AFFECT", (1, 0))
    root = write_genre(tmp_path / "data", sorted(COURSE_CLASSES), ["Rock"])
    affect = root / "multitask_dataset"
    (affect / "train").mkdir(parents=True)
    np.save(affect / "train" / "7.fused.full.npy", np.zeros((140, 9), np.float32))
    (affect / "train_labels.txt").write_text("Id,valence,energy,danceability\n7,0.1,0.2,0.3\n")
    assert opened(root, tmp_path).why_not_course == ""


def test_clips_are_counted_before_and_after_the_mapping(tmp_path):
    found = opened(
        write_genre(tmp_path / "data", ["Jazz", "Punk", "Metal"], ["Soundtrack", "Punk"]), tmp_path
    )
    before = class_counts(found.genre)
    assert before["train"].to_dict() == {"Jazz": 1, "Metal": 1, "Punk": 1, "Soundtrack": 0}
    after = class_counts(found.genre, found.class_map.classes)
    assert after.to_dict() == {"train": {"Jazz": 1, "Metal": 2}, "test": {"Jazz": 0, "Metal": 1}}


def test_targets_default_to_the_reports_or_the_first_three(tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    columns = {"tension": 0.5, "calmness": 0.1, "power": 0.2, "sadness": 0.3}
    for number in range(3):
        np.save(folder / f"{number}.npy", np.zeros((140, 30), np.float32))
    table = pd.DataFrame([{"id": str(number), **columns} for number in range(3)])
    table.to_csv(tmp_path / "labels.csv", index=False)
    labels = str(tmp_path / "labels.csv")
    assert opened(folder, tmp_path, labels=labels).targets == ("tension", "calmness", "power")
    assert opened(folder, tmp_path, labels=labels, targets=("sadness",)).transfer_target == "sadness"
    with pytest.raises(UserError, match=r"targets joy: .* has no such target"):
        opened(folder, tmp_path, labels=labels, targets=("joy",))


def test_neither_genre_nor_affect_labels_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="neither features"):
        opened(tmp_path / "empty", tmp_path)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="needs ../shared")
def test_the_sample_is_made_usable(tmp_path):
    copy = tmp_path / "sample"
    shutil.copytree(SAMPLE, copy)
    found = opened(copy, tmp_path)
    assert found.split == "course"
    assert found.targets == ("valence", "energy", "danceability")
    assert "Rock" in found.left_out

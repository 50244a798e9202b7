"""The submission has every clip once, in the form the course states, or is not written."""

import csv

import numpy as np
import pytest

from keras_mir.reproduce.experiments.submission import write_submission
from pipelines.errors import UserError

IDS = ("123212738", "7")
TARGETS = ("valence", "energy", "danceability")
VALUES = {
    "valence": np.array([0.153, 1.25], np.float32),
    "energy": np.array([0.961, -0.5], np.float32),
    "danceability": np.array([0.013, 1.0], np.float32),
}
WRITTEN = (
    "Id.fused.full.npy.gz,valence,energy,danceability\n"
    "123212738.fused.full.npy.gz,0.153000,0.961000,0.013000\n"
    "7.fused.full.npy.gz,1.000000,0.000000,1.000000\n"
)


def check(path, ids, targets):
    """Every clip once, and a value from 0 to 1 for every target; gives the rows."""
    with path.open(encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text, strict=True)
    assert header == ["Id.fused.full.npy.gz", *targets]
    assert [row[0] for row in rows] == [f"{identity}.fused.full.npy.gz" for identity in ids]
    values = [dict(zip(targets, map(float, row[1:]), strict=True)) for row in rows]
    assert all(0.0 <= value <= 1.0 for row in values for value in row.values())
    return values


def test_the_file_has_the_stated_form_and_values_outside_are_clipped_and_counted(tmp_path):
    path = tmp_path / "new" / "submission.csv"
    assert write_submission(path, IDS, VALUES) == 2
    assert path.read_bytes() == WRITTEN.encode()
    assert [file.name for file in path.parent.iterdir()] == ["submission.csv"]
    check(path, IDS, TARGETS)


def test_targets_are_the_callers_and_quoted_where_they_must_be(tmp_path):
    path = tmp_path / "submission.csv"
    write_submission(path, ["a,b"], {"power, loud": np.array([0.5])})
    assert path.read_text() == ('Id.fused.full.npy.gz,"power, loud"\n"a,b.fused.full.npy.gz",0.500000\n')
    check(path, ["a,b"], ["power, loud"])


def test_clipping_counts_only_what_it_changes(tmp_path):
    path = tmp_path / "submission.csv"
    assert write_submission(path, list("abcde"), {"power": np.array([0.0, 1.0, 1.0000001, -1e-9, 0.5])}) == 2
    assert [row["power"] for row in check(path, list("abcde"), ["power"])] == [0.0, 1.0, 1.0, 0.0, 0.5]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_no_number_leaves_the_earlier_file_alone(bad, tmp_path):
    path = tmp_path / "submission.csv"
    write_submission(path, IDS, VALUES)
    with pytest.raises(UserError, match=rf"submission.csv: the energy predicted for clip '7' is {bad}"):
        write_submission(path, IDS, {**VALUES, "energy": np.array([0.5, bad])})
    assert path.read_bytes() == WRITTEN.encode()
    assert list(tmp_path.iterdir()) == [path]


def test_two_clips_of_a_name_and_none_at_all_are_not_written(tmp_path):
    path = tmp_path / "submission.csv"
    with pytest.raises(UserError, match=rf"{path}: two clips are called '7'"):
        write_submission(path, ("7", "7"), VALUES)
    with pytest.raises(UserError, match="there is no clip to predict"):
        write_submission(path, (), {target: np.zeros(0) for target in TARGETS})
    assert not list(tmp_path.iterdir())


def test_predictions_of_another_number_of_clips_are_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="energy"):
        write_submission(tmp_path / "submission.csv", IDS, {**VALUES, "energy": np.zeros((2, 1))})

"""The submission has every clip once, in the form the course states, or is not written."""

import numpy as np
import pytest

from keras_mir.reproduce.submission import check_submission, clip_to_unit, write_submission
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


def test_the_file_has_the_stated_form_and_values_outside_are_clipped_and_counted(tmp_path):
    path = tmp_path / "new" / "submission.csv"
    assert write_submission(path, IDS, VALUES) == 2
    assert path.read_bytes() == WRITTEN.encode()
    assert [file.name for file in path.parent.iterdir()] == ["submission.csv"]
    check_submission(path, IDS, TARGETS)


def test_targets_and_suffix_are_the_callers(tmp_path):
    path = tmp_path / "submission.csv"
    write_submission(path, ["a,b"], {"power, loud": np.array([0.5])}, suffix=".npy")
    assert path.read_text() == 'Id.npy,"power, loud"\n"a,b.npy",0.500000\n'
    check_submission(path, ["a,b"], ["power, loud"], suffix=".npy")


def test_clipping_counts_only_what_it_changes():
    clipped, count = clip_to_unit({"power": np.array([0.0, 1.0, 1.0000001, -1e-9, 0.5])})
    assert count == 2
    assert clipped["power"].tolist() == [0.0, 1.0, 1.0, 0.0, 0.5]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_no_number_leaves_the_earlier_file_alone(bad, tmp_path):
    path = tmp_path / "submission.csv"
    write_submission(path, IDS, VALUES)
    with pytest.raises(UserError, match=rf"submission.csv: the energy predicted for clip '7' is {bad}"):
        write_submission(path, IDS, {**VALUES, "energy": np.array([0.5, bad])})
    assert path.read_bytes() == WRITTEN.encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_pass_the_check_is_not_written(tmp_path):
    path = tmp_path / "submission.csv"
    with pytest.raises(UserError, match=rf"{path}: row 3 is of '7\.\S+', as is row 2"):
        write_submission(path, ("7", "7"), VALUES)
    with pytest.raises(UserError, match="there is no clip to predict"):
        write_submission(path, (), {target: np.zeros(0) for target in TARGETS})
    assert not list(tmp_path.iterdir())


def test_predictions_of_another_number_of_clips_are_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="energy"):
        write_submission(tmp_path / "submission.csv", IDS, {**VALUES, "energy": np.zeros((2, 1))})


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("Id.fused", "id.fused", "row 1 is 'id.fused.full.npy.gz,valence"),
        ("valence,energy", "energy,valence", "row 1 is 'Id.fused.full.npy.gz,energy,valence"),
        ("\n7.", "\n8.", "row 3 is of '8.fused.full.npy.gz', which is not a clip"),
        ("\n7.fused.full", "\n7", "row 3 is of '7.npy.gz', which is not a clip"),
        ("\n7.", "\n123212738.", "row 3 is of '123212738.fused.full.npy.gz', as is row 2"),
        ("7.fused.full.npy.gz,1.000000,0.000000,1.000000\n", "", "after row 2 there is none for '7'"),
        (",0.013000", "", "row 2 has 3 columns, not 4"),
        (",0.013000", ",0.013000,0.1", "row 2 has 5 columns, not 4"),
        ("0.013000\n", "0.013000\n\n", "row 3 has 0 columns, not 4"),
        ("0.961000", "1.000001", "row 2, energy: '1.000001' is not a number from 0 to 1"),
        ("0.961000", "-0.1", "row 2, energy: '-0.1' is not a number from 0 to 1"),
        ("0.961000", "nan", "row 2, energy: 'nan' is not a number from 0 to 1"),
        ("0.961000", "high", "row 2, energy: 'high' is not a number from 0 to 1"),
        ("0.961000", "", "row 2, energy: '' is not a number from 0 to 1"),
        ("7.fused", '"7.fused', "not a CSV file"),
        (WRITTEN, "", "empty"),
    ],
)
def test_a_file_that_was_changed_is_refused_by_row(before, after, message, tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text(WRITTEN.replace(before, after), encoding="utf-8")
    with pytest.raises(UserError) as error:
        check_submission(path, IDS, TARGETS)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path):
    path = tmp_path / "submission.csv"
    with pytest.raises(UserError, match="no such file"):
        check_submission(path, IDS, TARGETS)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not a CSV file in UTF-8"):
        check_submission(path, IDS, TARGETS)


def test_rows_may_come_in_any_order(tmp_path):
    path = tmp_path / "submission.csv"
    header, first, second = WRITTEN.splitlines(keepends=True)
    path.write_text(header + second + first)
    check_submission(path, IDS, TARGETS)

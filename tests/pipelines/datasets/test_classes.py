"""From the genres of a label file to the classes of a model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.datasets.base import Examples
from pipelines.datasets.classes import (
    COURSE_CLASSES,
    balanced_weights,
    class_indices,
    class_names,
    load_class_map,
)
from pipelines.errors import UserError


def examples(*genres: str) -> Examples:
    table = pd.DataFrame({"id": [str(row) for row in range(len(genres))], "genre": list(genres)})
    return Examples(table, name="music")


def test_the_course_has_ten_classes_of_twenty_genres():
    mapped = load_class_map("course", ()).apply(examples(*COURSE_CLASSES))
    assert class_names(mapped) == (
        "Blues",
        "Classical",
        "Electronic",
        "Folk",
        "Hip-Hop",
        "Jazz",
        "Metal",
        "Pop",
        "Rock",
        "Trip-Hop",
    )
    assert len(COURSE_CLASSES) == 20
    dropped = {genre for genre, name in COURSE_CLASSES.items() if name is None}
    assert dropped == {"Indie-Rock", "International", "Old-Time", "Post-Punk", "Soundtrack"}
    merged = {genre: name for genre, name in COURSE_CLASSES.items() if name not in (genre, None)}
    assert merged == {
        "Psych-Rock": "Rock",
        "Post-Rock": "Rock",
        "Psych-Folk": "Folk",
        "Punk": "Metal",
        "Chiptune": "Electronic",
    }


def test_mapping_keeps_the_order_and_leaves_the_original_alone():
    before = examples("Rock", "Soundtrack", "Punk", "Rock")
    mapped = load_class_map("course", ()).apply(before)
    assert mapped.table["id"].tolist() == ["0", "2", "3"]
    assert mapped.table["genre"].tolist() == ["Rock", "Metal", "Rock"]
    assert before.table["genre"].tolist() == ["Rock", "Soundtrack", "Punk", "Rock"]


def test_auto_takes_the_course_mapping_only_for_its_genres():
    assert load_class_map("auto", ("Punk", "Folk")).name == "course"
    assert load_class_map("auto", ("Punk", "Ska")).name == "as-is"


def test_as_is_keeps_every_genre():
    mapped = load_class_map("as-is", ()).apply(examples("Ska", "Soundtrack"))
    assert mapped.table["genre"].tolist() == ["Ska", "Soundtrack"]


def test_a_users_file_maps_and_drops(tmp_path):
    path = tmp_path / "classes.toml"
    path.write_text('Rock = "guitar"\n"Psych-Rock" = "guitar"\nFolk = ""\nJazz = "Jazz"\n', encoding="utf-8")
    mapped = load_class_map(str(path), ()).apply(examples("Psych-Rock", "Folk", "Jazz", "Rock"))
    assert mapped.table["genre"].tolist() == ["guitar", "Jazz", "guitar"]
    with pytest.raises(UserError, match=r"genre 'Ska' is not in the class mapping 'classes.toml'"):
        load_class_map(str(path), ()).apply(examples("Rock", "Ska"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Rock: guitar", "not TOML"),
        ("Rock = 1", "'Rock' maps to 1"),
        ("[Rock]\nclass = 'a'", "'Rock' maps to"),
        ("", "no mappings"),
    ],
)
def test_a_users_file_is_checked(tmp_path, content, message):
    path = tmp_path / "classes.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message) as raised:
        load_class_map(str(path), ())
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_mapping_that_is_no_name_and_no_file(tmp_path):
    with pytest.raises(UserError, match="no such file; give auto, course, as-is or a TOML file"):
        load_class_map(str(tmp_path / "coarse"), ())
    with pytest.raises(UserError, match="a folder"):
        load_class_map(str(tmp_path), ())


def test_indices_are_alphabetical_positions():
    data = examples("Rock", "Blues", "Rock", "Jazz")
    names = class_names(data)
    assert names == ("Blues", "Jazz", "Rock")
    indices = class_indices(data, names)
    assert indices.tolist() == [2, 0, 2, 1]
    assert indices.dtype == np.int32


def test_one_class_is_no_classification():
    with pytest.raises(
        UserError,
        match=r"music: found only the one \(Rock\) class, and a classifier needs two; add examples$",
    ):
        class_names(examples("Rock", "Rock"))
    with pytest.raises(UserError, match="found no class"):
        class_names(examples())


def test_a_class_that_was_not_trained_on_is_named():
    said = (
        r"^music: class 'Ska' is not among those trained on \(Blues, Rock\); add training examples, or map "
        "or drop it by other classes$"
    )
    with pytest.raises(UserError, match=said):
        class_indices(examples("Rock", "Ska"), ("Blues", "Rock"))


def test_balanced_weights_give_every_class_the_same_sum():
    indices = np.array([0] * 6 + [1] * 3 + [2], np.int32)
    weights = balanced_weights(indices, 3)
    sums = [weights[indices == name].sum() for name in range(3)]
    np.testing.assert_allclose(sums, 10 / 3, rtol=1e-6)
    assert weights.mean() == pytest.approx(1)
    assert weights.dtype == np.float32

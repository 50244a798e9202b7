import json

import pytest

from keras_mir.models.folders import check_name, latest_version, read_description
from pipelines.errors import UserError


@pytest.fixture
def root(tmp_path):
    for version in ("1", "2", "10"):
        (tmp_path / "lstm" / version).mkdir(parents=True)
        (tmp_path / "lstm" / version / "saved_model.pb").touch()
    (tmp_path / "lstm" / "11").mkdir()  # a version without a model
    (tmp_path / "lstm" / "notes").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "description.json").touch()
    return tmp_path


def test_the_latest_version_is_the_highest_number_with_a_model(root):
    assert latest_version(root / "lstm") == root / "lstm" / "10"
    assert latest_version(root / "lstm" / "2") == root / "lstm" / "2"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("lstm/3", "lstm has version 1, 2, 10, 11"),
        ("cnn", "has lstm"),
        ("", "has lstm"),
        ("nowhere/cnn", "export one with keras_mir.fit"),
        ("run", "run --format savedmodel"),
    ],
)
def test_a_missing_model_is_answered_with_what_there_is(root, path, message):
    with pytest.raises(UserError) as error:
        latest_version(root / path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "two words"])
def test_names_that_make_no_plain_folder_are_refused(name):
    with pytest.raises(UserError, match=r"name .*letters a-z"):
        check_name(name)


def test_description(tmp_path):
    with pytest.raises(UserError, match="missing; this model was not exported by keras_mir, export it again"):
        read_description(tmp_path)
    file = tmp_path / "assets.extra" / "keras_mir.json"
    file.parent.mkdir()
    for text in ("{", "[]"):
        file.write_text(text)
        with pytest.raises(UserError, match="not "):
            read_description(tmp_path)
    file.write_text(json.dumps({"classes": ["Ρεμπέτικο"]}), encoding="utf-8")
    assert read_description(tmp_path) == {"classes": ["Ρεμπέτικο"]}

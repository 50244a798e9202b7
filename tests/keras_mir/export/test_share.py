"""A trained model goes to another machine, as one file or by a model hub, and answers there as here."""

from __future__ import annotations

import importlib.util
import zipfile

import numpy as np
import pytest

import keras_mir as km
from keras_mir.export.__main__ import main
from keras_mir.models.package import MOST_BYTES
from pipelines.errors import UserError
from tests.keras_mir.export.hub import hub_on_this_machine

needs_hub = pytest.mark.skipif(
    importlib.util.find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed"
)


@pytest.fixture(scope="module")
def run(small, tmp_path_factory):
    """A run's folder, and features with the answer of its model."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    model = small.make_run(folder)
    features = np.random.default_rng(1).uniform(-80, 0, (2, 9, 12)).astype(np.float32)
    inputs = {"features": features, "lengths": np.array([9, 4], np.int32)}
    return folder, inputs, np.asarray(model(inputs)["genre"])


def answers_as(model, inputs, expected):
    np.testing.assert_allclose(model.keras(inputs)["genre"], expected, atol=1e-6)
    assert model.report.accuracy.value == 1.0


def test_a_zip_of_a_run_is_loaded_anywhere(run, tmp_path, capsys):
    folder, inputs, expected = run
    assert main([str(folder), "--format", "zip", "--name", "songs", "--out", str(tmp_path)]) == 0
    path = tmp_path / "songs.zip"
    size = path.stat().st_size
    assert capsys.readouterr().out == f"export  {path}\nsize    {size / 1e6:.2f} MB\n"
    model = km.load(path)
    answers_as(model, inputs, expected)
    assert (model.name, model.place) == ("songs", str(path))
    assert len(model.history) == 0
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == set(MOST_BYTES)
        card = archive.read("README.md").decode()
        said = archive.read("keras_mir.json").decode()
    assert 'model = km.load("songs.zip")' in card
    assert "python -m keras_mir.predict song.mp3 --model songs.zip" in card
    assert str(folder.parent) not in card + said
    answers_as(km.load(model.export(tmp_path / "given-on", format="zip")), inputs, expected)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A model hub on this machine, which huggingface_hub asks instead of its own."""
    from huggingface_hub import constants

    with hub_on_this_machine() as (hub, address):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        files = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "hf_nobody")
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        yield hub


@needs_hub
def test_a_model_is_pushed_and_loaded_by_its_address(run, hub, tmp_path, capsys):
    folder, inputs, expected = run
    assert main([str(folder), "--push", "hf://me/songs"]) == 0
    (first,) = hub.commits["me/songs"]
    assert capsys.readouterr().out == f"pushed  hf://me/songs@{first}\n"
    assert hub.private == {"me/songs": True}
    model = km.load("hf://me/songs")
    answers_as(model, inputs, expected)
    assert (model.name, model.place) == ("songs", "hf://me/songs")

    model.keras.set_weights([weight + 0.25 for weight in model.keras.get_weights()])
    address = model.push("hf://me/songs")
    assert address != f"hf://me/songs@{first}"
    answers_as(km.load(f"hf://me/songs@{first}"), inputs, expected)
    answers_as(km.load("hf://me/songs"), inputs, np.asarray(model.keras(inputs)["genre"]))
    model.push("hf://me/everyones", public=True)
    assert hub.private["me/everyones"] is False


@needs_hub
def test_the_hub_reads_what_the_model_is_and_how_good(run, hub):
    from huggingface_hub import ModelCard

    folder, *_ = run
    km.load(folder).push("hf://me/songs")
    (files,) = hub.commits["me/songs"].values()
    data = ModelCard(files["README.md"].decode()).data
    assert data.library_name == "keras-mir"
    assert data.pipeline_tag == "audio-classification"
    assert data.license == "cc0-1.0"
    assert data.tags == ["keras", "music", "music-genre-recognition"]
    assert data.model_name == "songs"
    scores = {(score.metric_name, score.metric_type): score.metric_value for score in data.eval_results}
    assert scores == {("accuracy", "accuracy"): 1.0, ("macro_f1", "f1"): 1.0}
    assert {score.dataset_name for score in data.eval_results} == {"songs"}


@needs_hub
def test_what_the_hub_has_is_looked_at_and_what_it_has_not_is_said(run, hub):
    folder, *_ = run
    km.load(folder).push("hf://me/songs")
    ((number, files),) = hub.commits["me/songs"].items()
    hub.commits["evil/songs"] = {number: {**files, "model.keras": files["keras_mir.json"]}}
    with pytest.raises(UserError, match=r"hf://evil/songs: model\.keras is damaged"):
        km.load("hf://evil/songs")
    hub.commits["evil/none"] = {number: {"README.md": b"", "run.py": b"print()"}}
    with pytest.raises(UserError, match=r"hf://evil/none: no keras_mir\.json in it"):
        km.load("hf://evil/none")
    said = "hf://me/nothing: no such model, or it is private; check the name, or log in with `hf auth login`$"
    with pytest.raises(UserError, match=said):
        km.load("hf://me/nothing")
    with pytest.raises(UserError, match="hf://me/songs@v9: the model has no such revision; give a tag"):
        km.load("hf://me/songs@v9")
    for wrong in ("hf://songs", "hf://me/../songs", "hf://me/songs@", "hf:///me/songs"):
        with pytest.raises(UserError, match="write hf://OWNER/NAME"):
            km.load(wrong)


@needs_hub
@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_write_is_told_to_log_in(run, hub, capsys, status):
    hub.refuses = status
    assert main([str(run[0]), "--push", "hf://you/songs"]) == 2
    error = capsys.readouterr().err
    assert "hf://you/songs: the hub does not let you; log in with `hf auth login`" in error


def test_without_the_library_its_name_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"needs huggingface_hub; pip install 'keras-mir\[hub\]'"):
        km.load("hf://me/songs")

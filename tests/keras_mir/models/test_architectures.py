"""A kind of model from outside the package, and what each kind refuses before any data are touched."""

import dataclasses
import json
import sys
import types

import keras
import pytest

from keras_mir.export.model_card import model_card
from keras_mir.fit.__main__ import main
from keras_mir.models.trained_model import load_trained
from keras_mir.recipes.model_settings import ARCHITECTURES, Architecture
from keras_mir.recipes.named import RECIPES, named_recipe
from pipelines.errors import UserError


def refuse_chroma(settings, frames, bands):
    if bands == 12:
        raise UserError("model kind 'toy': it knows no chroma")


@pytest.fixture
def toy(monkeypatch):
    """A kind of model in a module of its own, and the one line that registers it."""

    def mean_of_bands(features, lengths, settings, *, use_cudnn):
        x = keras.layers.GlobalAveragePooling1D()(features)
        return keras.layers.Dense(settings.units, name="embedding")(x)

    module = types.ModuleType("toy_network")
    module.mean_of_bands = mean_of_bands
    monkeypatch.setitem(sys.modules, "toy_network", module)
    monkeypatch.setitem(
        ARCHITECTURES,
        "toy",
        Architecture(
            "toy_network:mean_of_bands", lambda s: f"mean {s.units}", lambda _: "A toy,", refuse_chroma
        ),
    )


def test_a_kind_from_outside_is_trained_listed_and_described(toy, course_data, tmp_path, capsys):
    out = tmp_path / "run"
    flags = ("--kind", "toy", "--units", "4", "--epochs", "2", "--no-export", "--out", str(out))
    assert main(["lstm-beat-mel", "--data", str(course_data), *flags]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["recipe"]["model"]["kind"] == "toy"
    embedding = keras.models.load_model(out / "model.keras").get_layer("embedding")
    assert embedding.output.shape == (None, 4)
    card = model_card("toy", load_trained(out).description, {})
    assert "\n---\n\n# toy\n\nA toy, that names the genre of music (recipe `lstm-beat-mel`)." in card

    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--kind {lstm,cnn,cnn-any-length,vectors,musicnn,toy}" in " ".join(capsys.readouterr().out.split())


def test_a_kind_from_outside_refuses_in_its_own_words(toy, course_data, tmp_path, capsys):
    flags = ("--kind", "toy", "--feature", "chroma", "--out", str(tmp_path / "run"))
    assert main(["lstm-beat-mel", "--data", str(course_data), *flags]) == 2
    assert capsys.readouterr().err == "error: model kind 'toy': it knows no chroma\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--frames", "batch"), "model kind 'cnn' needs a fixed number of frames; "),
        (("--frames", "63"), "model kind 'cnn': 63 frames are too few for pools 2,2,4,4; give at least 64"),
    ],
)
def test_frames_that_a_kind_cannot_read_are_refused_before_data_are_touched(flags, message, tmp_path, capsys):
    assert main(["cnn", "--data", str(tmp_path / "none"), *flags]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_heads_on_a_frozen_network_do_not_ask_what_the_kind_reads():
    recipe = named_recipe("transfer-cnn").with_settings({"frames": "batch"})
    assert recipe.input.frames == "batch"
    with pytest.raises(UserError, match="fixed number of frames"):
        dataclasses.replace(recipe, task=RECIPES["affect-cnn"].task)

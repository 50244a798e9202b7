"""`small-cnn-affect`: the genre learnt besides, and a kernel ridge regression beside the network."""

import keras
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import keras_mir as km
from keras_mir.command_line.progress import Shown
from keras_mir.data.find import find_examples
from keras_mir.data.load import TRAIN, load_data
from keras_mir.evaluate.baseline import feature_statistics, fit_kernel_ridge
from keras_mir.export.__main__ import main as export
from keras_mir.models.answers import predict_source
from keras_mir.recipes.named import named_recipe
from pipelines.errors import UserError
from tests.keras_mir.conftest import TARGETS, write_course_data

SMALL = {"epochs": 1, "batch_size": 8, "filters": (4,), "pools": (2,), "frames": 256}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """With the table that `prepare` keeps of all labels."""
    root = write_course_data(tmp_path_factory.mktemp("both"), per_genre=6, synced=False)
    rows = []
    for split in ("train", "test"):
        genre = pd.read_csv(root / "fma_genre_spectrograms" / f"{split}_labels.txt", sep="\t")
        rows += [(name.split(".")[0], label) for name, label in genre.to_numpy()]
    pd.DataFrame(rows, columns=["id", "genre"]).to_csv(root / "examples.csv", index=False)
    return root


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    return km.train("small-cnn-affect", data, out=tmp_path_factory.mktemp("run") / "run", **SMALL)


def check_the_genre_is_learnt_and_left_out(model):
    assert {"genre_loss", "genre_accuracy"} <= set(model.history.columns)
    assert set(model.keras.output) == set(TARGETS)
    assert model.classes == ()
    again = km.load(model.folder)
    features = {"features": np.full((1, 256, 140), -20, np.float32), "lengths": np.array([16], np.int32)}
    assert set(again.keras(features)) == set(TARGETS)
    assert all(0 <= float(value[0, 0]) <= 1 for value in again.keras(features).values()), "a share stays one"


@pytest.mark.slow
def test_the_genre_is_learnt_and_left_out_of_what_is_kept(model):
    check_the_genre_is_learnt_and_left_out(model)


@pytest.mark.slow
def test_so_it_is_without_soft_labels(data, tmp_path):
    hard = {"mixup": 0.0, "label_smoothing": 0.0}
    check_the_genre_is_learnt_and_left_out(
        km.train("small-cnn-affect", data, out=tmp_path / "run", **SMALL, **hard)
    )


@pytest.mark.slow
def test_where_a_clip_has_no_genre_affect_is_learnt_alone(data, tmp_path):
    (data / "examples.csv").rename(tmp_path / "examples.csv")
    try:
        model = km.train("small-cnn-affect", data, out=tmp_path / "run", **SMALL)
    finally:
        (tmp_path / "examples.csv").rename(data / "examples.csv")
    assert "genre_loss" not in model.history.columns


@pytest.mark.slow
def test_values_are_the_means_of_the_networks_and_the_regressions(model, data, tmp_path):
    # Stretches of 256 frames are longer than these clips, so that both are asked about whole ones.
    heads = {target: model.keras.get_layer(f"target_{target}").output for target in TARGETS}
    alone = keras.Model(model.keras.input, heads)
    recipe = named_recipe("small-cnn-affect").with_settings(SMALL)
    examples = find_examples(data, None, False, recipe, tmp_path / "cache", 1, Shown(Console(quiet=True)))
    loaded = load_data(examples, recipe, tmp_path / "cache")
    evaluated = loaded.sources[loaded.evaluated_on]
    regression, ranges = fit_kernel_ridge(loaded.sources[TRAIN], TARGETS, seed=0)
    rated = regression.predict(feature_statistics(evaluated.cached)).reshape(len(evaluated), len(TARGETS))
    together, network = (predict_source(each, evaluated) for each in (model.keras, alone))
    for column, target in enumerate(TARGETS):
        expected = (network[target][:, 0] + np.clip(rated[:, column], *ranges[target])) / 2
        np.testing.assert_allclose(together[target][:, 0], expected, rtol=1e-4)
        assert np.abs(together[target] - network[target]).max() > 1e-3


@pytest.mark.slow
def test_it_is_exported_in_every_form(model, tmp_path):
    assert (model.export(tmp_path) / "saved_model.pb").is_file()  # which has been checked
    options = ("--models", str(tmp_path), "--out", str(tmp_path), "--name", "affect")
    for form in (("zip",), ("litert",), ("litert", "--quantization", "float16")):
        assert export([str(model.folder), "--format", *form, *options]) == 0
    features = {"features": np.full((1, 256, 140), -20, np.float32), "lengths": np.array([256], np.int32)}
    again = km.load(tmp_path / "affect.zip").keras(features)
    for target, value in model.keras(features).items():
        np.testing.assert_array_equal(again[target], value)


@pytest.mark.slow
@pytest.mark.parametrize("signature", ["serving_default", "waveform"])
def test_it_is_exported_to_onnx(model, tmp_path, signature):
    pytest.importorskip("tf2onnx")
    options = ("--format", "onnx", "--signature", signature, "--out", str(tmp_path), "--name", "affect")
    assert export([str(model.folder), *options]) == 0  # once ONNX Runtime answers as the Keras model
    assert list(tmp_path.glob("affect*.onnx"))


@pytest.mark.parametrize("setting", ["auxiliary_genre", "kernel_ridge"])
def test_a_genre_recipe_has_neither(setting):
    with pytest.raises(UserError, match=rf"^{setting}: the genre task has none; choose an affect recipe"):
        named_recipe("small-cnn").with_settings({setting: True})

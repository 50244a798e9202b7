"""Affect that is rated by a network and a kernel ridge regression together."""

import keras
import numpy as np
import pytest
from rich.console import Console

import keras_mir as km
from keras_mir.data.find import find_examples
from keras_mir.data.load import TRAIN, load_data
from keras_mir.evaluate.baseline import feature_statistics, fit_kernel_ridge
from keras_mir.evaluate.predictions import predict_source
from keras_mir.recipes.named import named_recipe
from pipelines.errors import UserError
from tests.keras_mir.conftest import TARGETS, write_course_data

SMALL = {"epochs": 1, "batch_size": 8, "filters": (4,), "pools": (2,), "auxiliary_genre": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_course_data(tmp_path_factory.mktemp("affect"), per_genre=6, synced=False)


def test_the_answer_is_the_mean_of_the_network_and_of_the_baseline(data, tmp_path):
    # Stretches of 512 frames are longer than these clips, so that both are asked about whole ones.
    model = km.train("small-cnn-affect", data, out=tmp_path / "run", **SMALL)
    heads = {target: model.keras.get_layer(f"target_{target}").output for target in TARGETS}
    alone = keras.Model(model.keras.input, heads)
    recipe = named_recipe("small-cnn-affect").with_settings(SMALL)
    examples = find_examples(data, None, False, recipe, tmp_path / "cache", 1, Console(quiet=True))
    loaded = load_data(examples, recipe, tmp_path / "cache")
    evaluated, train = loaded.sources[loaded.evaluated_on], loaded.sources[TRAIN]
    regression = fit_kernel_ridge(loaded, seed=0)
    rated = regression.predict(feature_statistics(evaluated.cached)).reshape(len(evaluated), len(TARGETS))
    together, network = (predict_source(each, evaluated) for each in (model.keras, alone))
    for column, target in enumerate(TARGETS):
        known = train.labels[target]
        expected = (network[target][:, 0] + np.clip(rated[:, column], known.min(), known.max())) / 2
        np.testing.assert_allclose(together[target][:, 0], expected, rtol=1e-4)
        assert np.abs(together[target] - network[target]).max() > 1e-3


def test_a_genre_recipe_has_none():
    with pytest.raises(UserError, match=r"^kernel_ridge: the genre task has none; choose an affect recipe"):
        named_recipe("small-cnn").with_settings({"kernel_ridge": True})

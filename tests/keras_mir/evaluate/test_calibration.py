"""The temperature is the one that labels ask for, is in the model, and changes no answer."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.special import softmax

from keras_mir.evaluate.calibration import calibrate, fit_temperature
from keras_mir.evaluate.metrics import reliability
from keras_mir.models.answers import predict_source
from keras_mir.models.build import build_model
from keras_mir.models.report import Calibration
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.input.cache import Cached
from pipelines.settings import InputSettings
from pipelines.source import Source
from pipelines.spec import FeatureSpec

CLASSES = ("Blues", "Jazz", "Metal")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_by_which_labels_were_drawn_is_found(temperature):
    rng = np.random.default_rng(0)
    logits = 4.0 * rng.normal(size=(20000, 5))
    probabilities = softmax(logits / temperature, axis=1)
    true = (rng.random(20000)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 4)
    assert fit_temperature(true, softmax(logits, axis=1)) == pytest.approx(temperature, rel=0.05)


def test_a_probability_of_0_is_survived():
    probabilities = np.tile([1.0, 0.0], (10, 1)).astype(np.float32)
    assert np.isfinite(fit_temperature(np.array([1] * 5 + [0] * 5), probabilities))


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    settings = ModelSettings(kind="lstm", units=4, layers=1, normalise="none")
    spec = FeatureSpec(n_mels=6)
    return build_model(settings, bands=6, time=None, classes=CLASSES, targets=(), spec=spec, feature="mel")


@pytest.fixture
def make_source(tmp_path):
    def make(labels):
        paths, rng = [], np.random.default_rng(0)
        for row in range(len(labels)):
            paths.append(str(tmp_path / f"{row}.f32"))
            rng.normal(size=(8, 6)).astype("<f4").tofile(paths[-1])
        cached = Cached(tuple(paths), np.full(len(paths), 8, np.int32), 6, ())
        labels = {"genre": np.asarray(labels, np.int32)}
        return Source(cached, labels, None, InputSettings(), None, FeatureSpec(n_mels=6))

    return make


def test_a_model_that_is_too_sure_is_made_less_so_and_answers_the_same(model, make_source, tmp_path):
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([40 * kernel, bias])
    source = make_source(np.arange(30) % 3)
    before = predict_source(model, source)["genre"]
    error = reliability(source.labels["genre"], before).error

    done = calibrate(model, source, source)

    assert done == Calibration(done.temperature, 30, error)
    assert done.temperature > 2
    after = predict_source(model, source)["genre"]
    np.testing.assert_allclose(after, softmax(np.log(before) / done.temperature, axis=1), atol=1e-4)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    assert reliability(source.labels["genre"], after).error < error
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict_source(loaded, source)["genre"], after)


@pytest.mark.parametrize("clips", [1, 12])
def test_a_few_right_answers_do_not_make_it_certain(model, make_source, clips):
    source = make_source(np.zeros(clips))
    source.labels["genre"][:] = predict_source(model, source)["genre"].argmax(axis=1)
    done = calibrate(model, source, source)
    assert 0.7 < done.temperature < 1.0
    assert float(model.get_layer("genre").temperature) == np.float32(done.temperature)


def test_a_few_dozen_clips_do_not_make_good_probabilities_worse():
    rng = np.random.default_rng(0)
    probabilities = softmax(1.5 * rng.normal(size=(400, 24, 4)), axis=2)
    true = (rng.random((400, 24, 1)) > probabilities.cumsum(axis=2)).sum(axis=2)
    found = [fit_temperature(labels, each) for labels, each in zip(true, probabilities, strict=True)]
    assert np.median(found) == pytest.approx(1.0, abs=0.05)
    assert np.quantile(found, [0.05, 0.95]) == pytest.approx([0.8, 1.25], abs=0.1)


def test_affect_has_no_probabilities(make_source):
    inputs = keras.Input((3,))
    assert calibrate(keras.Model(inputs, {"power": inputs}), make_source([0]), make_source([0])) is None

"""Small models and random batches for the tests of models."""

import dataclasses
import random
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_mir.layers import NormReluPool
from keras_mir.models.build import build_model
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec(n_mels=12, n_chroma=4)
TIME, BANDS = 12, 12
CLASSES = ("Blues", "Jazz", "Rock")
SETTINGS = {
    "lstm": ModelSettings(kind="lstm", units=5),
    "cnn": ModelSettings(kind="cnn", filters=(4, 6), pools=(2, 3)),
    "cnn-any-length": ModelSettings(kind="cnn-any-length", filters=(4, 6), pools=(2, 3)),
}


@pytest.fixture(autouse=True)
def seeded():
    # Of this Keras makes its layers' seeds. TensorFlow's own is left alone: set anew, it makes whatever is
    # compiled begin again, for seconds.
    random.seed(3)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(params=SETTINGS)
def kind(request):
    return request.param


@pytest.fixture
def small():
    """Settings, builders and inputs of the small models."""
    return SimpleNamespace(
        settings=SETTINGS,
        spec=SPEC,
        time=TIME,
        model=model,
        batch=batch,
        answer=answer,
        with_random_averages=with_random_averages,
    )


def model(kind, classes=CLASSES, targets=(), use_cudnn="auto", **changes):
    """A small mel model; its time is open where the kind allows it."""
    return build_model(
        dataclasses.replace(SETTINGS[kind], **changes),
        bands=BANDS,
        time=TIME if kind == "cnn" else None,
        classes=classes,
        targets=targets,
        spec=SPEC,
        feature="mel",
        band_mean=np.full(BANDS, -80.0),
        band_variance=np.full(BANDS, 80.0**2),
        use_cudnn=use_cudnn,
    )


def batch(lengths, time=TIME):
    features = np.random.default_rng(0).uniform(-80, 0, (len(lengths), time, BANDS)).astype(np.float32)
    return {"features": features, "lengths": np.array(lengths, np.int32)}


def answer(model, inputs):
    return {name: np.asarray(value) for name, value in model(inputs, training=False).items()}


def with_random_averages(model):
    """Give batch norm what training would: averages and shifts that are not 0 and 1."""
    rng = np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, NormReluPool):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model

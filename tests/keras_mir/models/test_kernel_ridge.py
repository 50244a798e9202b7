"""A network and a kernel ridge regression: each value is the mean of the two, in every form a model has."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_mir.models.build import build_model
from keras_mir.models.ensemble import mean_model
from keras_mir.models.kernel_ridge import with_kernel_ridge
from keras_mir.models.package import check_package
from keras_mir.models.trained_model import load_keras
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.spec import FeatureSpec

RANGES = {"power": (0.0, 1.0), "calmness": (2.0, 6.0)}
BANDS = 128


def network(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    settings = ModelSettings(kind="cnn-any-length", filters=(2,), pools=(2,), normalise="none")
    return build_model(
        settings,
        bands=BANDS,
        time=None,
        classes=None,
        targets=tuple(RANGES),
        spec=FeatureSpec(),
        feature="mel",
    )


def clip(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-80, 0, (frames, BANDS)).astype(np.float32)


def statistics(clips: list[np.ndarray]) -> np.ndarray:
    return np.array([np.concatenate([each.mean(axis=0), each.std(axis=0)]) for each in clips], np.float64)


def fitted(count: int, gamma: float | None = 0.002) -> TransformedTargetRegressor:
    known = statistics([clip(seed, 20 + seed) for seed in range(count)])
    known[:, 7] = -80.0  # a band that no clip has
    values = np.random.default_rng(1).uniform((0.0, 2.0), (1.0, 6.0), (count, 2))
    model = make_pipeline(StandardScaler(), KernelRidge(kernel="rbf", gamma=gamma, alpha=0.1))
    return TransformedTargetRegressor(model, transformer=StandardScaler()).fit(known, values)


@pytest.fixture(scope="module")
def regression():
    return fitted(30)


@pytest.mark.parametrize("count", [1, 3])
def test_a_handful_of_clips_will_do(count):
    regression, asked = fitted(count, gamma=None), clip(9, 30)
    alone = network()
    inputs = {"features": asked[None], "lengths": np.array([30], np.int32)}
    before = {name: np.asarray(values) for name, values in alone(inputs).items()}
    rated = regression.predict(statistics([asked])).ravel()
    for column, (name, values) in enumerate(with_kernel_ridge(alone, regression, RANGES)(inputs).items()):
        expected = (before[name] + np.clip(rated[column], *RANGES[name])) / 2
        np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_each_value_is_the_mean_of_both(regression, tmp_path):
    clips = [clip(100 + seed, frames) for seed, frames in enumerate((25, 12, 1))]
    batch = np.full((3, 25, BANDS), 1e3, np.float32)  # what lies past a clip's end does not count
    for row, each in enumerate(clips):
        batch[row, : len(each)] = each
    inputs = {"features": batch, "lengths": np.array([25, 12, 1], np.int32)}
    alone = network()
    before = {name: np.asarray(values) for name, values in alone(inputs).items()}
    model = with_kernel_ridge(alone, regression, RANGES)
    rated = np.clip(regression.predict(statistics(clips)), *zip(*RANGES.values(), strict=True))
    for column, name in enumerate(RANGES):
        expected = (before[name][:, 0] + rated[:, column]) / 2
        np.testing.assert_allclose(model(inputs)[name][:, 0], expected, rtol=1e-4)
    model.save(tmp_path / "model.keras")
    again = load_keras(tmp_path / "model.keras")
    for name, values in model(inputs).items():
        np.testing.assert_array_equal(again(inputs)[name], values)


def test_it_may_be_given_to_others(regression, tmp_path):
    members = [with_kernel_ridge(network(seed), regression, RANGES) for seed in range(2)]
    for name, model in (("one", members[0]), ("mean", mean_model(members))):
        (tmp_path / name).mkdir()
        model.save(tmp_path / name / "model.keras")
        (tmp_path / name / "keras_mir.json").write_text("{}")
        check_package(tmp_path / name, name)


def test_half_precision_is_not_for_statistics(regression):
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        alone = network()
        model = with_kernel_ridge(alone, regression, RANGES)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    asked = clip(5, 30)
    inputs = {"features": asked[None], "lengths": np.array([30], np.int32)}
    before = {name: np.asarray(values) for name, values in alone(inputs).items()}
    rated = np.clip(regression.predict(statistics([asked]))[0], *zip(*RANGES.values(), strict=True))
    for name, rating in zip(RANGES, rated, strict=True):
        np.testing.assert_allclose(model(inputs)[name], (before[name] + rating) / 2, rtol=1e-4)


def test_it_rates_no_further_than_the_clips_that_it_knows(regression):
    narrow = {"power": (0.5, 0.5), "calmness": (4.0, 4.0)}
    alone = network()
    inputs = {"features": clip(7, 30)[None], "lengths": np.array([30], np.int32)}
    before = {name: np.asarray(values) for name, values in alone(inputs).items()}
    for name, values in with_kernel_ridge(alone, regression, narrow)(inputs).items():
        np.testing.assert_allclose(values, (before[name] + narrow[name][0]) / 2, rtol=1e-6)


def test_an_ensemble_of_them_is_their_mean(regression):
    members = [with_kernel_ridge(network(seed), regression, RANGES) for seed in range(2)]
    inputs = {"features": clip(3, 30)[None], "lengths": np.array([30], np.int32)}
    answers = [each(inputs) for each in members]
    for name, values in mean_model(members)(inputs).items():
        np.testing.assert_allclose(values, np.mean([each[name] for each in answers], axis=0), rtol=1e-5)

"""Several models as one: their mean, saved and cut at its embedding like any other."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_mir.models.build import build_model, with_frozen_backbone
from keras_mir.models.ensemble import mean_model
from keras_mir.models.trained_model import load_keras
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()
KINDS = {
    "lstm": ModelSettings(kind="lstm", units=3, layers=2, hidden=4),
    "cnn": ModelSettings(kind="cnn", filters=(2, 3), pools=(2, 4)),
    "cnn-any-length": ModelSettings(kind="cnn-any-length", filters=(2, 3), pools=(2, 4), input_pool=(2, 2)),
    "vectors": ModelSettings(kind="vectors", statistics=("mean", "attention")),
}


def member(kind: str, seed: int, classes=("Folk", "Rock"), targets=()) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build_model(
        KINDS[kind],
        bands=128,
        time=16 if kind == "cnn" else None,
        classes=classes,
        targets=targets,
        spec=SPEC,
        feature="mel",
        band_mean=np.full(128, -40.0 - seed),
        band_variance=np.full(128, 100.0),
    )


def clips(seed: int = 0) -> dict[str, np.ndarray]:
    features = np.random.default_rng(seed).uniform(-80, 0, (3, 16, 128)).astype(np.float32)
    return {"features": features, "lengths": np.array([16, 9, 12], np.int32)}


@pytest.mark.parametrize("policy", ["float32", pytest.param("mixed_float16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_with_the_mean_of_its_members(kind, policy, tmp_path):
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        members = [member(kind, seed) for seed in range(3)]
        model = mean_model(members)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    answers = [np.asarray(each(clips())["genre"]) for each in members]
    tolerance = 1e-6 if policy == "float32" else 2e-3
    np.testing.assert_allclose(model(clips())["genre"], np.mean(answers, axis=0), atol=tolerance)
    sizes = [each.get_layer("embedding").output.shape[-1] for each in members]
    assert model.get_layer("embedding").output.shape == (None, sum(sizes))
    model.save(tmp_path / "model.keras")
    again = load_keras(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(clips())["genre"], model(clips())["genre"])


def test_members_keep_the_temperatures_that_they_were_calibrated_by():
    members = [member("lstm", seed) for seed in range(2)]
    before = np.asarray(mean_model(members)(clips())["genre"])
    for each, temperature in zip(members, (0.25, 4.0), strict=True):
        each.get_layer("genre").temperature.assign(temperature)
    after = np.asarray(mean_model(members)(clips())["genre"])
    np.testing.assert_allclose(
        after, np.mean([each(clips())["genre"] for each in members], axis=0), atol=1e-6
    )
    assert np.abs(after - before).max() > 1e-4


def test_every_target_is_averaged():
    members = [member("lstm", seed, None, ("power", "calmness")) for seed in range(2)]
    answers = [each(clips()) for each in members]
    for name, values in mean_model(members)(clips()).items():
        np.testing.assert_allclose(values, np.mean([each[name] for each in answers], axis=0), atol=1e-6)


def test_new_heads_can_be_put_on_its_embedding():
    model = mean_model([member("lstm", seed) for seed in range(2)])
    new = with_frozen_backbone(model, KINDS["lstm"], classes=None, targets=("power",))
    assert new(clips())["power"].shape == (3, 1)

"""What the models promise of their answers: shapes, masks, normalisation, saving, refusals."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_mir.models.build import build_model
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.errors import UserError
from pipelines.spec import FeatureSpec

CLASSES = ("Blues", "Jazz", "Rock")
TARGETS = ("valence", "joyful_activation")


def test_genre_output(small, kind):
    output = small.answer(small.model(kind), small.batch([small.time, 7, 1]))
    assert output.keys() == {"genre"}
    assert output["genre"].shape == (3, 3)
    assert output["genre"].dtype == np.float32
    np.testing.assert_allclose(output["genre"].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("head", ["linear", "sigmoid"])
def test_affect_outputs_go_by_the_names_given(small, kind, head):
    model = small.model(kind, None, TARGETS, head=head)
    output = small.answer(model, small.batch([small.time, 7]))
    assert output.keys() == set(TARGETS)
    assert all(value.shape == (2, 1) and value.dtype == np.float32 for value in output.values())
    for target in TARGETS:
        assert model.get_layer(f"target_{target}").activation.__name__ == head


def test_inputs_are_named_and_the_embedding_is_flat(small, kind):
    model = small.model(kind, hidden=7)
    assert {name: x.dtype for name, x in model.input.items()} == {"features": "float32", "lengths": "int32"}
    embedding = model.get_layer("embedding").output
    size = {"lstm": 2 * 5, "cnn": 2 * 2 * 6, "cnn-any-length": 2 * 2 * 6}[kind]
    assert embedding.shape == (None, size)
    assert model.get_layer("hidden").output.shape == (None, 7)


def test_the_reports_cnn_flattens_to_10240():
    settings = ModelSettings(kind="cnn", masks=False, normalise="none")
    spec = FeatureSpec()
    model = build_model(settings, bands=128, time=1293, classes=CLASSES, targets=(), spec=spec, feature="mel")
    assert model.get_layer("norm_relu_pool_4").output.shape == (None, 20, 2, 256)
    assert model.get_layer("embedding").output.shape == (None, 10_240)
    kinds = [type(layer).__name__ for layer in model.layers if layer.name.endswith("_1")]
    assert kinds == ["Conv2D", "NormReluPool"]


def test_what_padding_holds_does_not_matter(small, kind):
    model = small.with_random_averages(small.model(kind))
    inputs = small.batch([small.time, 7, 1])
    padded = {"features": inputs["features"].copy(), "lengths": inputs["lengths"]}
    padded["features"][1, 7:] = 55.0
    padded["features"][2, 1:] = -3.0
    np.testing.assert_allclose(
        small.answer(model, padded)["genre"], small.answer(model, inputs)["genre"], atol=1e-6
    )


@pytest.mark.parametrize("kind", ["lstm", "cnn-any-length"])
@pytest.mark.parametrize("time", [12, 11, 3])
def test_how_much_padding_there_is_does_not_matter(small, kind, time):
    model = small.with_random_averages(small.model(kind))
    inputs = small.batch([time], time)
    longer = {
        "features": np.pad(inputs["features"], ((0, 0), (0, time), (0, 0))),
        "lengths": inputs["lengths"],
    }
    np.testing.assert_allclose(
        small.answer(model, longer)["genre"], small.answer(model, inputs)["genre"], atol=1e-5
    )


def test_without_masks_padding_is_read_as_music(small, kind):
    model = small.with_random_averages(small.model(kind, masks=False))
    inputs = small.batch([small.time, 7])
    padded = {"features": inputs["features"].copy(), "lengths": inputs["lengths"]}
    padded["features"][1, 7:] = 0.0
    first, second = small.answer(model, inputs)["genre"], small.answer(model, padded)["genre"]
    np.testing.assert_allclose(first[0], second[0], atol=1e-6)
    assert np.abs(first[1] - second[1]).max() > 1e-4


def test_padding_does_not_reach_batch_statistics(small):
    inputs = small.batch([small.time, 7])
    averages = []
    for value in (0.0, 500.0):
        keras.utils.set_random_seed(3)
        model = small.model("cnn-any-length")
        inputs["features"][1, 7:] = value
        model(inputs, training=True)
        averages.append(np.asarray(model.get_layer("norm_relu_pool_1").moving_variance))
    np.testing.assert_allclose(averages[0], averages[1], rtol=1e-5)


@pytest.mark.parametrize("masks", [True, False])
def test_saved_model_answers_the_same(small, kind, masks, tmp_path):
    model = small.with_random_averages(small.model(kind, None, TARGETS, masks=masks))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = small.batch([small.time, 7, 1])
    for target, value in small.answer(model, inputs).items():
        np.testing.assert_array_equal(small.answer(loaded, inputs)[target], value)


def test_weights_of_a_training_model_fit_one_built_for_export(small, kind):
    model = small.with_random_averages(small.model(kind))
    twin = small.model(kind, use_cudnn=False)
    twin.set_weights(model.get_weights())
    inputs = small.batch([small.time, 7])
    np.testing.assert_allclose(
        small.answer(twin, inputs)["genre"], small.answer(model, inputs)["genre"], atol=1e-6
    )


def test_normalisation(small):
    features = np.stack([np.full((1, 16), -80.0), np.zeros((1, 16))]).astype(np.float32)
    features[:, :, 12:] = 0.5
    common = {"bands": 16, "time": None, "feature": "fused", "spec": small.spec, "classes": CLASSES}

    def built(name, **more):
        settings = dataclasses.replace(small.settings["lstm"], normalise=name)
        return build_model(settings, **common, **more, targets=())

    assert "band_statistics" not in [layer.name for layer in built("none").layers]
    mean, variance = np.r_[np.full(12, -40.0), np.full(4, 0.5)], np.r_[np.full(12, 1600.0), np.zeros(4)]
    layer = built("bands", band_mean=mean, band_variance=variance).get_layer("band_statistics")
    statistics = np.asarray(layer(features))
    np.testing.assert_allclose(statistics[:, 0, [0, 12]], [[-1, 0], [1, 0]], atol=1e-6)
    with pytest.raises(UserError, match="needs the training data's band means"):
        built("bands")


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("cnn", {"time": None}, "needs a fixed number of frames"),
        ("cnn", {"time": 63}, "63 frames are too few for pools 2,2,4,4; give at least 64"),
        (
            "cnn",
            {"bands": 12, "feature": "chroma"},
            "12 bands are too few for pools 2,2,4,4; give at least 64",
        ),
        ("cnn-any-length", {"bands": 12, "feature": "chroma"}, "give at least 64, or smaller pools"),
        ("lstm", {"bands": 140}, "features have 140 bands, but mel has 128"),
        ("lstm", {"classes": None}, "give genre classes, affect targets or tags"),
        ("lstm", {"classes": ["Blues"]}, "1 genre class is too few"),
        ("lstm", {"classes": ["Blues", "Blues"]}, "class 'Blues' is given twice"),
        ("lstm", {"classes": None, "targets": ["a", "a"]}, "target 'a' is given twice"),
        ("lstm", {"classes": None, "targets": ["joyful activation"]}, "target 'joyful activation'"),
        ("lstm", {"classes": None, "targets": ["genre"]}, "target 'genre'"),
    ],
)
def test_an_impossible_model_is_refused_in_one_line(kind, changes, message):
    arguments = {
        "bands": 128,
        "time": 100,
        "classes": CLASSES,
        "targets": (),
        "spec": FeatureSpec(),
        "feature": "mel",
    }
    with pytest.raises(UserError) as error:
        build_model(ModelSettings(kind=kind, normalise="none"), **{**arguments, **changes})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("head", "mean"), [("linear", 5.5), ("sigmoid", 0.2)])
def test_affect_outputs_start_at_the_mean_of_the_labels(head: str, mean: float) -> None:
    settings = ModelSettings(kind="cnn-any-length", filters=(4,), pools=(2,), normalise="none", head=head)
    model = build_model(
        settings,
        bands=12,
        time=None,
        classes=None,
        targets=("power",),
        spec=FeatureSpec(),
        feature="chroma",
        label_means={"power": mean},
    )
    kernel, bias = model.get_layer("target_power").get_weights()
    model.get_layer("target_power").set_weights([np.zeros_like(kernel), bias])
    features, lengths = np.zeros((1, 8, 12), np.float32), np.array([8], np.int32)
    np.testing.assert_allclose(
        model({"features": features, "lengths": lengths})["power"], [[mean]], rtol=1e-5
    )


def test_a_band_that_was_constant_in_training_is_not_blown_up() -> None:
    settings = ModelSettings(kind="lstm", units=4, layers=1, normalise="bands")
    model = build_model(
        settings,
        bands=140,
        time=None,
        classes=("a", "b"),
        targets=(),
        spec=FeatureSpec(),
        feature="fused",
        band_mean=np.full(140, -80.0),
        band_variance=np.zeros(140),
    )
    normalised = model.get_layer("band_statistics")(np.zeros((1, 1, 140), np.float32))
    np.testing.assert_allclose(normalised[0, 0, :128], 80.0, rtol=1e-5)  # 80 dB above, in units of 1 dB
    np.testing.assert_allclose(normalised[0, 0, 128:], 8000.0, rtol=1e-5)

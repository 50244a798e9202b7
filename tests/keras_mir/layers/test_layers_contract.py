"""What every layer of the package must do, whichever it is."""

import importlib
import pkgutil
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_mir.layers
from pipelines.spec import FeatureSpec

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(3, 10, 6)).astype(np.float32)
IMAGE = RNG.normal(size=(3, 10, 4, 2)).astype(np.float32)
AUDIO = RNG.normal(size=(3, 4000)).astype(np.float32)
LENGTHS = np.array([10, 4, 1], np.int32)
SAMPLES = np.array([4000, 2100, 1], np.int32)
STEREO = RNG.normal(size=(3, 4000, 2)).astype(np.float32)
SPECTRUM = RNG.normal(size=(3, 10, 33, 2)).astype(np.float32)
POWER = FEATURES**2
RATES = np.array([8000, 16000, 44100], np.int32)
BEATS = np.array([[2, 5, 8], [3, -1, -1], [-1, -1, -1]], np.int32)

FRONT_END_SPEC = FeatureSpec(sample_rate=16000, n_fft=512, hop_length=256, n_mels=16).to_dict()

# One line a layer: constructor arguments, call inputs, and whether a mask on the first input passes on.
CASES: dict[str, tuple[dict[str, Any], Any, bool]] = {
    "BandScaling": ({"n_mels": 4, "top_db": 80.0}, FEATURES, True),
    "BeatSync": ({"n_mels": 4, "top_db": 40.0}, [FEATURES, LENGTHS, BEATS], False),
    "BeatTracker": ({"sample_rate": 16000, "hop_length": 256}, [AUDIO, SAMPLES], False),
    "BidirectionalLSTM": ({"units": 3, "return_sequences": True, "use_cudnn": "auto"}, FEATURES, True),
    "ChromaCQT": ({"sample_rate": 16000, "hop_length": 256, "n_chroma": 36}, [AUDIO, SAMPLES], False),
    "Decibels": ({"top_db": 40.0}, [POWER, LENGTHS], False),
    "DownMix": ({}, STEREO, False),
    "FrameMask": ({}, [FEATURES, LENGTHS], False),
    "FrontEnd": ({"feature": "fused", "sync": "beat", "spec": FRONT_END_SPEC}, [AUDIO, SAMPLES], False),
    "LengthMask": ({"zero_padding": True}, [FEATURES, LENGTHS], True),
    "LogMel": (
        {"sample_rate": 16000, "n_fft": 512, "hop_length": 256, "n_mels": 16, "top_db": 60.0},
        [AUDIO, SAMPLES],
        False,
    ),
    "MaskedBatchNormalization": ({"momentum": 0.8}, [IMAGE, LENGTHS], False),
    "MelPower": ({"sample_rate": 16000, "n_fft": 64, "n_mels": 4}, SPECTRUM, False),
    "NormReluPool": ({"pool": 2, "momentum": 0.8, "epsilon": 1e-5}, [IMAGE, LENGTHS], False),
    "PadTime": ({"multiple": 4}, FEATURES, False),
    "Percussive": ({"n_fft": 64, "hop_length": 16}, [SPECTRUM, LENGTHS], False),
    "PooledLengths": ({"pool": 4}, LENGTHS, False),
    "Resample": ({"sample_rate": 16000}, [AUDIO, SAMPLES, RATES], False),
    "ResumableDropout": ({"rate": 0.25}, FEATURES, True),
    "STFT": ({"n_fft": 64, "hop_length": 16}, [AUDIO, SAMPLES], False),
    "TimePooling": ({}, [IMAGE, LENGTHS], False),
    "ZeroPastLength": ({}, [FEATURES, LENGTHS], False),
}

# Outputs that are not of the policy's type: half precision is too coarse for audio and its spectra.
DTYPES: dict[str, Any] = {
    "BeatSync": {"features": "float32", "lengths": "int32"},
    "BeatTracker": {
        "onset_envelope": "float32",
        "tempo": "float32",
        "beats": "int32",
        "beat_counts": "int32",
    },
    "Decibels": "float32",
    "DownMix": "float32",
    "FrameMask": "bool",
    "FrontEnd": {
        "features": "float32",
        "lengths": "int32",
        "tempo": "float32",
        "beats": "int32",
        "beat_counts": "int32",
    },
    "LogMel": "float32",
    "MelPower": "float32",
    "Percussive": "float32",
    "PooledLengths": "int32",
    "Resample": ["float32", "int32"],
    "STFT": "float32",
}


def test_every_layer_has_a_case_and_is_public():
    defined = set()
    for module in pkgutil.iter_modules(keras_mir.layers.__path__, "keras_mir.layers."):
        for name, value in vars(importlib.import_module(module.name)).items():
            own = isinstance(value, type) and value.__module__ == module.name
            if own and issubclass(value, keras.layers.Layer):
                defined.add(name)
    assert defined == set(CASES) == set(keras_mir.layers.__all__)


def make(layer: str, **more: Any) -> keras.layers.Layer:
    return getattr(keras_mir.layers, layer)(**CASES[layer][0], **more)


def model_of(layer: keras.layers.Layer, inputs: Any) -> keras.Model:
    """A model of the layer alone, with its time axis open."""
    symbolic = [
        keras.Input((None, *x.shape[2:]) if x.ndim > 1 else (), dtype=str(x.dtype))
        for x in (inputs if isinstance(inputs, list) else [inputs])
    ]
    return keras.Model(symbolic, layer(symbolic if isinstance(inputs, list) else symbolic[0]))


@pytest.mark.parametrize("name", CASES)
def test_config_round_trip(name):
    layer = make(name, name="a_layer", dtype="mixed_float16")
    config = layer.get_config()
    for argument, value in CASES[name][0].items():
        assert config[argument] == value
        assert getattr(layer, argument) == value
    restored = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(restored) is type(layer)
    assert restored.get_config() == config


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_precision_policy_and_static_shape(name, policy):
    _, inputs, _ = CASES[name]
    layer = make(name, dtype=policy)
    outputs = layer(inputs)
    computed = {"float32": "float32", "mixed_float16": "float16"}[policy]
    dtypes = keras.tree.map_structure(lambda x: keras.backend.standardize_dtype(x.dtype), outputs)
    assert dtypes == DTYPES.get(name, computed)
    assert all(np.isfinite(np.asarray(x, np.float32)).all() for x in keras.tree.flatten(outputs))
    shapes = [x.shape for x in inputs] if isinstance(inputs, list) else inputs.shape
    sizes = keras.tree.flatten(keras.tree.map_structure(lambda x: tuple(x.shape), outputs))
    promised = keras.tree.flatten(layer.compute_output_shape(shapes))
    assert [size for size, known in zip(sizes, promised, strict=True) if known is not None] == [
        known for known in promised if known is not None
    ]
    assert all(weight.dtype == "float32" for weight in layer.weights)


@pytest.mark.parametrize("name", CASES)
def test_answers_do_not_change_with_precision(name):
    _, inputs, _ = CASES[name]
    answers = []
    for policy in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(0)  # the same weights
        answers.append(keras.tree.flatten(make(name, dtype=policy)(inputs)))
    for expected, answer in zip(*answers, strict=True):
        np.testing.assert_allclose(np.asarray(answer).astype(np.float32), expected, atol=1e-2)


@pytest.mark.parametrize("name", CASES)
def test_mask_propagation(name):
    # A layer that supports no mask would warn here, and a warning is an error.
    _, inputs, passes = CASES[name]
    first = tf.constant(inputs[0] if isinstance(inputs, list) else inputs)
    if first.shape.rank > 1:
        first = keras_mir.layers.LengthMask()([first, LENGTHS])
    outputs = make(name)([first, LENGTHS, *inputs[2:]] if isinstance(inputs, list) else first)
    masks = [getattr(x, "_keras_mask", None) for x in keras.tree.flatten(outputs)]
    if passes:
        (mask,) = masks
        assert mask is not None
        np.testing.assert_array_equal(mask, np.arange(10) < LENGTHS[:, None])
    else:
        assert masks == [None] * len(masks)


@pytest.mark.parametrize("name", CASES)
def test_saved_and_exported_model_answers_the_same(name, tmp_path):
    _, inputs, _ = CASES[name]
    model = model_of(make(name), inputs)
    expected = model.predict(inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    keras.tree.map_structure(np.testing.assert_array_equal, again.predict(inputs, verbose=0), expected)

    model.export(tmp_path / "export", verbose=False)
    arrays = inputs if isinstance(inputs, list) else [inputs]
    exported = tf.saved_model.load(tmp_path / "export")
    answers = exported.serve([tf.constant(x) for x in arrays])
    keras.tree.map_structure(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), answers, expected)

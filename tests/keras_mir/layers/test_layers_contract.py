"""What every layer of the package must do, whichever it is."""

import importlib
import pkgutil
import re
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
    "AttentionPooling": ({"units": 5}, [FEATURES, LENGTHS], False),
    "BeatSync": ({"n_mels": 4, "top_db": 40.0}, [FEATURES, LENGTHS, BEATS], False),
    "BeatTracker": ({"sample_rate": 16000, "hop_length": 256}, [AUDIO, SAMPLES], False),
    "BidirectionalLSTM": ({"units": 3, "return_sequences": True, "use_cudnn": "auto"}, FEATURES, True),
    "ChromaCQT": ({"sample_rate": 16000, "hop_length": 256, "n_chroma": 36}, [AUDIO, SAMPLES], False),
    "Decibels": ({"top_db": 40.0}, [POWER, LENGTHS], False),
    "DownMix": ({}, STEREO, False),
    "FrameMask": ({}, [FEATURES, LENGTHS], False),
    "FrontEnd": ({"feature": "fused", "sync": "beat", "spec": FRONT_END_SPEC}, [AUDIO, SAMPLES], False),
    "InputPooling": ({"frames": 2, "bands": 2, "first": 2}, [FEATURES, LENGTHS], False),
    "KernelRidge": ({"points": 5, "outputs": 2, "gamma": 0.3}, FEATURES, False),
    "LengthMask": ({}, [FEATURES, LENGTHS], True),
    "LogCompression": ({"factor": 10.0}, POWER, False),
    "LogMel": (
        {"sample_rate": 16000, "n_fft": 512, "hop_length": 256, "n_mels": 16, "top_db": 60.0},
        [AUDIO, SAMPLES],
        False,
    ),
    "MelPower": ({"sample_rate": 16000, "n_fft": 64, "n_mels": 4}, SPECTRUM, False),
    "NormReluPool": ({"pool": 2, "momentum": 0.8, "epsilon": 1e-5}, [IMAGE, LENGTHS], False),
    "PadTime": ({"multiple": 4}, FEATURES, False),
    "Percussive": ({"n_fft": 64, "hop_length": 16}, [SPECTRUM, LENGTHS], False),
    "PooledLengths": ({"pool": 4}, LENGTHS, False),
    "Resample": ({"sample_rate": 16000}, [AUDIO, SAMPLES, RATES], False),
    "ResumableDropout": ({"rate": 0.25}, FEATURES, True),
    "STFT": ({"n_fft": 64, "hop_length": 16}, [AUDIO, SAMPLES], False),
    "Temperature": ({}, FEATURES, False),
    "TimePooling": ({"statistics": ("std", "attention", "mean"), "epsilon": 1e-3}, [IMAGE, LENGTHS], False),
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
    "ChromaCQT": "float32",
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
    "LogCompression": "float32",
    "LogMel": "float32",
    "MelPower": "float32",
    "Percussive": "float32",
    "PooledLengths": "int32",
    "Resample": ["float32", "int32"],
    "STFT": "float32",
}


# Where inputs are a list, lengths may be left out of it, but for these.
OVER_LENGTHS = ("FrameMask", "LengthMask", "ZeroPastLength")


def without_lengths(inputs: list[Any]) -> Any:
    """The other way to call a layer."""
    return [inputs[0], *inputs[2:]] if len(inputs) > 2 else inputs[0]


FORMS: dict[str, tuple[str, Any]] = {name: (name, inputs) for name, (_, inputs, _) in CASES.items()}
FORMS |= {
    f"{name} without lengths": (name, without_lengths(inputs))
    for name, (_, inputs, _) in CASES.items()
    if isinstance(inputs, list) and name not in OVER_LENGTHS
}


def saved_forms() -> list[Any]:
    """All forms. A graph takes a while to make, one of a large layer over sound long, and four are made."""
    large = ("FrontEnd", "BeatTracker", "Percussive", "ChromaCQT", "BeatSync")
    slow = {form for form in FORMS if form.startswith(large) or form.endswith("without lengths")}
    return [pytest.param(form, marks=pytest.mark.slow if form in slow else ()) for form in FORMS]


def test_every_layer_has_a_case_and_is_public():
    defined = set()
    for module in pkgutil.walk_packages(keras_mir.layers.__path__, "keras_mir.layers."):
        for name, value in vars(importlib.import_module(module.name)).items():
            own = isinstance(value, type) and value.__module__ == module.name
            if own and keras.saving.get_registered_name(value) == f"keras_mir>{name}":
                defined.add(name)
    assert defined == set(CASES) == set(keras_mir.layers.__all__)


def make(layer: str, **more: Any) -> keras.layers.Layer:
    return getattr(keras_mir.layers, layer)(**CASES[layer][0], **more)


def symbols(inputs: Any, batch_size: int | None = None, time_is_open: bool = True) -> Any:
    """Symbolic inputs like these arrays."""

    def symbol(x: np.ndarray) -> Any:
        time = (None,) if time_is_open else x.shape[1:2]
        return keras.Input((*time, *x.shape[2:])[: x.ndim - 1], batch_size=batch_size, dtype=str(x.dtype))

    return [symbol(x) for x in inputs] if isinstance(inputs, list) else symbol(inputs)


def model_of(layer: keras.layers.Layer, inputs: Any) -> keras.Model:
    """A model of the layer alone, with its time axis open."""
    symbolic = symbols(inputs)
    return keras.Model(symbolic, layer(symbolic))


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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_precision_policy_and_static_shape(form, policy):
    name, inputs = FORMS[form]
    layer = make(name, dtype=policy)
    outputs = layer(inputs)
    computed = {"float32": "float32", "mixed_float16": "float16"}[policy]
    dtypes = keras.tree.map_structure(lambda x: keras.backend.standardize_dtype(x.dtype), outputs)
    assert dtypes == DTYPES.get(name, computed)
    assert all(np.isfinite(np.asarray(x, np.float32)).all() for x in keras.tree.flatten(outputs))
    shapes = [x.shape for x in inputs] if isinstance(inputs, list) else inputs.shape
    sizes = keras.tree.flatten(keras.tree.map_structure(lambda x: tuple(x.shape), outputs))
    promised = layer.compute_output_shape(shapes)
    known = keras.tree.flatten(promised)
    assert [size for size, one in zip(sizes, known, strict=True) if one is not None] == [
        one for one in known if one is not None
    ]
    assert all(weight.dtype == "float32" for weight in layer.weights)
    symbolic = make(name, dtype=policy)(symbols(inputs, batch_size=3, time_is_open=False))
    assert keras.tree.map_structure(lambda x: x.dtype, symbolic) == dtypes
    assert keras.tree.map_structure(lambda x: x.shape, symbolic) == promised


@pytest.mark.parametrize("form", FORMS)
def test_answers_do_not_change_with_precision(form):
    name, inputs = FORMS[form]
    answers = []
    for policy in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(0)  # the same weights
        answers.append(keras.tree.flatten(make(name, dtype=policy)(inputs)))
    for expected, answer in zip(*answers, strict=True):
        np.testing.assert_allclose(np.asarray(answer).astype(np.float32), expected, atol=1e-2)


@pytest.mark.parametrize("form", FORMS)
def test_mask_propagation(form):
    # A layer that supports no mask would warn here, and a warning is an error.
    name, inputs = FORMS[form]
    _, complete, passes = CASES[name]
    first = tf.constant(inputs[0] if isinstance(inputs, list) else inputs)
    if first.shape.rank > 1:
        first = keras_mir.layers.LengthMask()([first, LENGTHS])
    others = list(inputs[1:]) if isinstance(inputs, list) else []
    if inputs is complete and others:
        others[0] = LENGTHS
    outputs = make(name)([first, *others] if others else first)
    masks = [getattr(x, "_keras_mask", None) for x in keras.tree.flatten(outputs)]
    if passes:
        (mask,) = masks
        assert mask is not None
        np.testing.assert_array_equal(mask, np.arange(10) < LENGTHS[:, None])
    else:
        assert masks == [None] * len(masks)


@pytest.mark.parametrize("form", saved_forms())
def test_saved_and_exported_model_answers_the_same(form, tmp_path):
    name, inputs = FORMS[form]
    model = model_of(make(name), inputs)
    expected = model.predict(inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    keras.tree.map_structure(np.testing.assert_array_equal, again.predict(inputs, verbose=0), expected)

    model.export(tmp_path / "export", verbose=False)
    exported = tf.saved_model.load(tmp_path / "export")
    answers = exported.serve(keras.tree.map_structure(tf.constant, inputs))
    keras.tree.map_structure(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), answers, expected)


def same(answers: Any, expected: Any) -> None:
    keras.tree.map_structure(np.testing.assert_array_equal, answers, expected)


LENGTHS_OPTIONAL = [name for name in CASES if f"{name} without lengths" in FORMS]


@pytest.mark.parametrize("name", LENGTHS_OPTIONAL)
def test_without_lengths_every_clip_is_as_long_as_the_batch(name):
    _, (first, _, *others), _ = CASES[name]
    layer = make(name)
    longest = 10 * 16 - 1 if name == "Percussive" else first.shape[1]  # samples that have 10 frames
    answers = layer(without_lengths([first, None, *others]))
    full = layer([first, np.full(3, longest), *others])
    keras.tree.map_structure(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), answers, full)
    same(layer([first, None, *others]), answers)


@pytest.mark.parametrize("name", LENGTHS_OPTIONAL)
def test_arrays_of_other_types_are_taken(name):
    # As numpy and librosa give them: float64 sound, integers of any type.
    _, inputs, _ = CASES[name]
    layer = make(name)
    arrays = [x.astype("float64") if x.dtype == np.float32 else x for x in inputs]
    arrays[1] = inputs[1].astype("uint16")
    if name == "BeatSync":
        arrays[2] = inputs[2].astype("int64")
    same(layer(tuple(arrays)), layer(inputs))


@pytest.mark.parametrize("name", [*LENGTHS_OPTIONAL, "DownMix", "MelPower", "PadTime"])
def test_a_missing_batch_axis_is_said(name):
    _, inputs, _ = CASES[name]
    first = inputs[0] if isinstance(inputs, list) else inputs
    layer = make(name)
    others = inputs[2:] if isinstance(inputs, list) else []
    if name == "PadTime":  # has no fixed number of axes
        first = first[0]
    for wrong in (first[0], keras.Input(batch_shape=first[0].shape)):
        with pytest.raises(ValueError, match=rf"{name} takes .*; got .*; put a batch axis first, x\[None\]"):
            layer([wrong, *others] if others else wrong)


@pytest.mark.parametrize(
    ("layer", "inputs", "message"),
    [
        (
            keras_mir.layers.FrontEnd(),
            [AUDIO, SAMPLES, SAMPLES],
            "FrontEnd takes audio (batch, samples), or [audio, lengths (batch)]; got 3 inputs",
        ),
        (keras_mir.layers.LogMel(), STEREO, "got audio of shape (3, 4000, 2)"),
        (keras_mir.layers.LogMel(), [SAMPLES, AUDIO], "got audio of shape (3,)"),
        (
            keras_mir.layers.Resample(),
            AUDIO,
            "Resample takes [audio (batch, samples), rates (...)], or [audio, lengths (batch), rates]; "
            "got 1 input",
        ),
        (
            keras_mir.layers.ZeroPastLength(),
            FEATURES,
            "ZeroPastLength takes [features (batch, time, ...), lengths (batch)]; got 1 input",
        ),
        (keras_mir.layers.NormReluPool(2), [IMAGE, LENGTHS[:, None]], "got lengths of shape (3, 1)"),
        (keras_mir.layers.NormReluPool(2), FEATURES, "got features of shape (3, 10, 6)"),
    ],
)
def test_what_a_layer_takes_is_said(layer, inputs, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        layer(inputs)
    with pytest.raises(ValueError, match=rf"{type(layer).__name__} takes .*; got"):
        layer(symbols(inputs))


def test_layers_stand_in_a_sequential_model():
    model = keras.Sequential(
        [
            keras.Input((None,)),
            make("LogMel"),
            keras_mir.layers.BidirectionalLSTM(4),
            keras.layers.Dense(2),
        ]
    )
    assert model.predict(AUDIO.astype("float64"), verbose=0).shape == (3, 2)
    unbuilt = keras.Sequential([make("DownMix"), make("ChromaCQT")])
    assert unbuilt(STEREO).shape == (3, 16, 36)

"""Export: what is written, that it is checked first, and that it runs in a session."""

import dataclasses
import functools
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.export.savedmodel import export_savedmodel
from keras_mir.export.signatures import signatures
from keras_mir.models.build import build_model
from keras_mir.models.folders import CHECKSUMS, KERAS_MODEL, read_description
from keras_mir.models.session import ServedModel
from keras_mir.models.trained_model import load_keras
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.errors import UserError
from pipelines.input.diagnosis import diagnose
from pipelines.spec import FeatureSpec, VectorSpec

SPEC = FeatureSpec(n_mels=12, n_chroma=4)
CLASSES = ("Blues", "Ρεμπέτικο", "Trip-Hop")
NAMES = {"genre": CLASSES}
TARGETS = ("valence", "a.b-c")
SETTINGS = {
    "lstm": ModelSettings(kind="lstm", units=4),
    "cnn": ModelSettings(kind="cnn", filters=(3, 4), pools=(2, 3)),
    "cnn-any-length": ModelSettings(kind="cnn-any-length", filters=(3, 4), pools=(2, 3)),
}


def build(kind, classes=CLASSES, targets=(), use_cudnn="auto", **changes):
    return build_model(
        dataclasses.replace(SETTINGS[kind], **changes),
        bands=12,
        time=12 if kind == "cnn" else None,
        classes=classes,
        targets=targets,
        spec=SPEC,
        feature="mel",
        band_mean=np.full(12, -80.0),
        band_variance=np.full(12, 80.0**2),
        use_cudnn=use_cudnn,
    )


def clips(n, time=12):
    rng = np.random.default_rng(1)
    features = rng.uniform(-80, 0, (n, time, 12)).astype(np.float32)
    return features, rng.integers(1, time + 1, n, dtype=np.int32)


@pytest.fixture(scope="module")
def export_genre(tmp_path_factory):
    """A model of a kind and its export, made once; to be read and not to be changed."""
    root = tmp_path_factory.mktemp("exports")

    @functools.cache
    def export(kind):
        keras.utils.set_random_seed(0)
        model = build(kind)
        model.compile("adam", loss={"genre": "sparse_categorical_crossentropy"})
        path = export_savedmodel(
            model,
            root / "models",
            f"genre-{kind}",
            description={"classes": CLASSES, "spec": SPEC.to_dict()},
            names=NAMES,
            spec=SPEC,
            rebuild=lambda: build(kind, use_cudnn=False),
        )
        return model, path

    return export


@pytest.fixture
def exported(export_genre):
    return export_genre("cnn-any-length")


@pytest.mark.parametrize(
    "kind", ["cnn-any-length", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("lstm", "cnn"))]
)
def test_genre_model(kind, export_genre, session_predict):
    model, path = export_genre(kind)
    assert path.parts[-3:] == ("models", f"genre-{kind}", "1")
    assert read_description(path) == {"classes": list(CLASSES), "spec": SPEC.to_dict()}

    features, lengths = clips(5)
    served = session_predict(path, features, lengths, batch_size=2)
    expected = np.asarray(model({"features": features, "lengths": lengths})["genre"])
    assert served.keys() == {"probabilities", "classes", "genre", "error"}
    assert served["error"].tolist() == [""] * 5
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-5)
    assert served["classes"].tolist() == [list(CLASSES)] * 5
    assert served["genre"].tolist() == [CLASSES[index] for index in expected.argmax(axis=1)]


@pytest.mark.slow
def test_affect_model(tmp_path, session_predict):
    model = build("cnn-any-length", None, TARGETS)
    path = export_savedmodel(model, tmp_path, "affect", description={}, names={}, spec=SPEC)
    features, lengths = clips(3)
    served = session_predict(path, features, lengths)
    expected = model({"features": features, "lengths": lengths})
    assert served.keys() == {*TARGETS, "error"}
    for target in TARGETS:
        assert served[target].dtype == np.float32
        np.testing.assert_allclose(served[target], np.asarray(expected[target])[:, 0], atol=1e-5)


def test_nonsense_has_no_answer_and_harms_no_other_clip(exported, session_predict):
    _, path = exported
    features, lengths = clips(10)
    alone = session_predict(path, features[:1], lengths[:1])
    for row, value in enumerate((np.nan, np.inf, -np.inf, 3e38, 500.0, -82.0), start=1):
        features[row, 3, 5] = value
    lengths[1:] = *[4] * 6, -5, 0, 13
    served = session_predict(path, features, lengths)
    sort = "features that are NaN or beyond what the feature spec allows"
    length = "a length that cannot be: less than 1, or more than there is"
    assert served["error"].tolist() == ["", *[sort] * 6, *[length] * 3]
    assert served["genre"].tolist() == [alone["genre"][0], *[""] * 9]
    np.testing.assert_allclose(served["probabilities"][0], alone["probabilities"][0], atol=1e-6)
    assert not served["probabilities"][1:].any()
    with ServedModel(path) as model:
        embedded = model.predict({"features": features, "lengths": lengths}, "embedding")
    assert embedded["error"].tolist() == served["error"].tolist()
    assert embedded["embedding"][0].any()
    assert not embedded["embedding"][1:].any()


def test_what_lies_past_the_end_of_a_clip_is_no_nonsense(exported, session_predict):
    features, lengths = clips(3)
    lengths[:] = 4
    expected = session_predict(exported[1], features, lengths)
    features[:, 4:] = np.array([np.nan, 500.0, -1000.0])[:, None, None]
    served = session_predict(exported[1], features, lengths)
    assert served["error"].tolist() == [""] * 3
    np.testing.assert_allclose(served["probabilities"], expected["probabilities"], atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "feature", "good", "bad"),
    [
        (SPEC, "mel", (-81.0, 0.0, 1.0), (-81.5, 1.5, 500.0)),
        (FeatureSpec(n_mels=12, n_chroma=4, top_db=60.0), "mel", (-61.0,), (-62.0,)),
        (SPEC, "chroma", (0.0, 1.0), (-0.1, 1.1, -80.0)),
        (SPEC, "fused", (0.0, 1.0), (-0.1, 1.1, -80.0)),  # the last band is of chroma
        (VectorSpec("vectors", 3), "vectors", (-1e6, 1e6), (-1.1e6, 1e7, 4e9)),
    ],
)
def test_training_and_the_served_model_allow_the_same_values(tmp_path, spec, feature, good, bad):
    bands = spec.width(feature)
    model = build_model(
        ModelSettings(kind="vectors", normalise="none"),
        bands=bands,
        time=None,
        classes=CLASSES,
        targets=(),
        spec=spec,
        feature=feature,
    )
    serve, _ = signatures(model, NAMES, spec, None)["serving_default"]
    clips = np.zeros((len(good) + len(bad), 2, bands), np.float32)
    clips[:, 1, -1] = *good, *bad
    errors = serve(tf.constant(clips), tf.fill([len(clips)], 2))["error"].numpy()
    assert [error == b"" for error in errors] == [True] * len(good) + [False] * len(bad)
    for clip, error in zip(clips, errors, strict=True):
        np.save(tmp_path / "clip.npy", clip.T)
        problem = diagnose(tmp_path / "clip.npy", (bands,), 10, spec)
        assert bool(problem) == bool(error), problem


def test_every_clip_has_one_length(exported, session_predict):
    features, lengths = clips(2)
    for sent in (lengths[:1], np.concatenate([lengths, lengths])):
        with pytest.raises(UserError):
            session_predict(exported[1], features, sent)


def test_keras_has_a_layer_that_asks_it(exported, session_predict):
    _, path = exported
    features, lengths = clips(2)
    layer = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
    expected = session_predict(path, features, lengths)["probabilities"]
    np.testing.assert_allclose(layer(features, lengths=lengths)["probabilities"], expected, atol=1e-6)


def test_signature_has_named_typed_inputs_of_open_length(exported):
    _, path = exported
    signature = tf.saved_model.load(path).signatures["serving_default"]
    inputs = signature.structured_input_signature[1]
    assert inputs["features"].shape.as_list() == [None, None, 12]
    assert inputs["features"].dtype == tf.float32
    assert inputs["lengths"].shape.as_list() == [None]
    assert inputs["lengths"].dtype == tf.int32


@pytest.mark.slow
def test_versions_count_up_and_nothing_else_is_left(exported, tmp_path):
    model, _ = exported
    (tmp_path / "genre" / "7").mkdir(parents=True)
    path = export_savedmodel(model, tmp_path, "genre", description={}, names=NAMES, spec=SPEC)
    assert path == tmp_path / "genre" / "8"
    assert [p.name for p in tmp_path.iterdir()] == ["genre"]
    assert sorted(p.name for p in path.parent.iterdir()) == ["7", "8"]
    (path / KERAS_MODEL).unlink()
    with pytest.raises(UserError, match=r"model.keras: missing"):
        load_keras(path / KERAS_MODEL)


def test_a_model_that_answers_differently_is_not_published(exported, tmp_path):
    model, _ = exported
    wrong = build("cnn-any-length", normalise="none")
    with pytest.raises(UserError, match=r"differ by .* in 'probabilities'"):
        export_savedmodel(model, tmp_path, "m", description={}, names=NAMES, spec=SPEC, rebuild=lambda: wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_diverged_model_is_not_published(tmp_path):
    model = build("cnn-any-length")
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    said = r"output 'probabilities' of the model is not a number: training diverged; lower the learning rate$"
    with pytest.raises(UserError, match=said):
        export_savedmodel(model, tmp_path, "nan", description={}, names=NAMES, spec=SPEC)
    assert list(tmp_path.iterdir()) == []


def test_a_description_that_is_no_json_leaves_nothing(tmp_path):
    model = build("cnn-any-length")
    with pytest.raises(ValueError, match="not JSON compliant"):
        export_savedmodel(model, tmp_path, "m", description={"rho": float("nan")}, names=NAMES, spec=SPEC)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_half_precision_model_can_be_served_in_float32(tmp_path, session_predict):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build("cnn-any-length")
    finally:
        keras.config.set_dtype_policy("float32")
    twin = build("cnn-any-length")
    path = export_savedmodel(
        model, tmp_path, "m", description={}, names=NAMES, spec=SPEC, rebuild=lambda: twin
    )
    assert session_predict(path, *clips(2))["probabilities"].dtype == np.float32
    assert load_keras(path / KERAS_MODEL).get_layer("embedding").compute_dtype == "float32"


def test_the_keras_model_inside_answers_the_same_and_carries_no_optimizer(exported):
    model, path = exported
    loaded = load_keras(path / KERAS_MODEL)
    assert getattr(loaded, "optimizer", None) is None
    features, lengths = clips(3)
    inputs = {"features": features, "lengths": lengths}
    np.testing.assert_array_equal(loaded(inputs)["genre"], model(inputs)["genre"])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 12, 140), r"'features' has shape \(2, 12, 140\), but the model takes \(any, any, 12\)"),
        ((0, 12, 12), "'features' has nothing in its batch"),
    ],
)
def test_features_that_do_not_fit_are_refused(exported, shape, message, session_predict):
    _, path = exported
    with pytest.raises(UserError, match=message):
        session_predict(path, np.zeros(shape, np.float32), np.ones(shape[0], np.int32))


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index", str(KERAS_MODEL)])
def test_an_export_with_a_changed_bit_or_parts_of_another_is_not_loaded(exported, tmp_path, name):
    path = Path(shutil.copytree(exported[1], tmp_path / "1"))
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"1/{name}: damaged, or of another model"):
        ServedModel(path) if name != str(KERAS_MODEL) else load_keras(path / name, path)


def test_an_export_without_checksums_is_read(exported, tmp_path, session_predict):
    path = Path(shutil.copytree(exported[1], tmp_path / "1"))
    (path / CHECKSUMS).unlink()  # as versions before had none
    session_predict(path, *clips(1))


def test_a_damaged_export_is_named(exported, tmp_path, session_predict):
    path = tmp_path / "1"
    shutil.copytree(exported[1], path)
    next((path / "variables").glob("*.index")).unlink()
    with pytest.raises(UserError, match=r"1: cannot be loaded: .*; export it again") as error:
        session_predict(path, *clips(1))
    assert "\n" not in str(error.value)
    (path / "assets.extra" / "model.keras").write_bytes(b"not a zip")
    with pytest.raises(UserError, match=r"model.keras: cannot be read"):
        load_keras(path / KERAS_MODEL)
    with pytest.raises(UserError, match="give the folder of an exported model's version"):
        session_predict(tmp_path, *clips(1))


def test_where_nothing_can_be_written(tmp_path):
    model = build("cnn-any-length")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be made"):
        export_savedmodel(model, tmp_path / "file", "genre", description={}, names=NAMES, spec=SPEC)
    with pytest.raises(UserError, match="is a file; remove it"):
        export_savedmodel(model, tmp_path, "file", description={}, names=NAMES, spec=SPEC)
    with pytest.raises(UserError, match="2 names for 3 outputs"):
        export_savedmodel(model, tmp_path, "genre", description={}, names={"genre": CLASSES[:2]}, spec=SPEC)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_a_full_disk_is_one_line(exported, tmp_path, monkeypatch):
    def full(folder, *_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, f"{folder}/x.pb.tmp307; No space left on device")

    monkeypatch.setattr("keras_mir.export.savedmodel.write_warmup", full)
    remedy = r"cannot be written \(no space left\); free some space or choose another folder"
    with pytest.raises(UserError, match=rf"^{tmp_path}/\S+: {remedy}$"):
        export_savedmodel(exported[0], tmp_path, "genre", description={}, names=NAMES, spec=SPEC)


@pytest.mark.slow
def test_export_says_nothing_and_loads_in_a_process_without_this_package(tmp_path):
    export = """
        import sys
        from pathlib import Path
        from keras_mir.models.build import build_model
        from keras_mir.recipes.model_settings import ModelSettings
        from keras_mir.export.savedmodel import export_savedmodel
        from pipelines.spec import FeatureSpec
        spec = FeatureSpec(n_mels=4)
        model = build_model(
            ModelSettings(kind="cnn-any-length", filters=(4,), pools=(2,), normalise="none"),
            bands=4, time=None, classes=["a", "b"], targets=(), spec=spec, feature="mel",
        )
        names = {"genre": ["a", "b"]}
        export_savedmodel(model, Path(sys.argv[1]), "genre", description={}, names=names, spec=spec)
    """
    load = """
        import sys
        import tensorflow as tf
        with tf.compat.v1.Session(graph=tf.Graph()) as session:
            model = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1] + "/genre/1")
            signature = model.signature_def["serving_default"]
            features, lengths = signature.inputs["features"].name, signature.inputs["lengths"].name
            genre = session.run(signature.outputs["genre"].name, {features: [[[0.0] * 4] * 3], lengths: [3]})
            assert genre[0] in (b"a", b"b")
        assert not any(name.startswith("keras_mir") for name in sys.modules)
    """
    written = run_python(export, tmp_path)
    assert (written.returncode, written.stdout, written.stderr) == (0, "", "")
    loaded = run_python(load, tmp_path)
    assert loaded.returncode == 0, loaded.stderr


def run_python(code, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)

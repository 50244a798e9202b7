"""`python -m keras_mir.export`: what it writes answers as the Keras model does, in its own runtime."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.evaluate.evaluate import compare_with_labels
from keras_mir.export import savedmodel
from keras_mir.export.__main__ import main
from keras_mir.export.formats import one_file
from keras_mir.export.savedmodel import export_savedmodel
from keras_mir.models.build import build_model
from keras_mir.models.ensemble import mean_model
from keras_mir.models.folders import KERAS_MODEL, read_description
from keras_mir.models.json_file import write_json
from keras_mir.models.report import Circumstances, Dataset, Split, Thresholds, TrainingSummary, make_report
from keras_mir.models.run_folder import RunFolder, RunOptions
from keras_mir.models.trained_model import Description, load_keras
from keras_mir.recipes.model_settings import ModelSettings
from keras_mir.recipes.named import named_recipe
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec(n_mels=12, n_chroma=12)
CLASSES = ("Blues", "Ρεμπέτικο", "Trip-Hop")
TARGETS = ("valence", "a.b-c")
TAGS = Thresholds({"κιθάρα": 0.25, "live": 0.5, "rock": 0.125}, 9, "training clips")
SETTINGS = {
    "lstm": ModelSettings(kind="lstm", units=4, layers=2, normalise="bands"),
    "cnn": ModelSettings(kind="cnn", filters=(3, 4), pools=(2, 3)),
    "multitask": ModelSettings(kind="cnn-any-length", filters=(3, 4), pools=(2, 3), hidden=5),
    "tags": ModelSettings(kind="vectors", normalise="none", statistics=("max", "attention")),
    "ensemble": ModelSettings(kind="cnn-any-length", filters=(3, 4), pools=(2, 3)),
}
# By kind, classes, targets and thresholds of the tags.
OUTPUTS = {"multitask": (CLASSES, TARGETS, TAGS), "tags": (None, (), TAGS)}
needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("tf2onnx") is None or importlib.util.find_spec("onnxruntime") is None,
    reason="tf2onnx and onnxruntime are not installed",
)
FORMATS = ["litert", pytest.param("onnx", marks=needs_onnx)]


def build(kind):
    if kind == "ensemble":  # of a cross-validation's folds
        return mean_model([build_one(kind, seed) for seed in range(2)])
    return build_one(kind)


def build_one(kind, seed=0):
    keras.utils.set_random_seed(seed)
    classes, targets, thresholds = OUTPUTS.get(kind, (CLASSES, (), None))
    return build_model(
        SETTINGS[kind],
        bands=12,
        time=12 if kind == "cnn" else None,
        classes=classes,
        targets=targets,
        tags=tuple(thresholds.by_tag) if thresholds else (),
        spec=SPEC,
        feature="mel",
        band_mean=np.linspace(-60, -20, 12),
        band_variance=np.linspace(50, 200, 12),
    )


def describe(kind):
    settings = InputSettings("mel", sync="beat", frames=12 if kind == "cnn" else "batch")
    named = {"tags": "lstm-beat-mel-tags", "multitask": "small-cnn-multitask"}
    base = named_recipe(named.get(kind, "lstm-beat-mel"))
    recipe = dataclasses.replace(base, model=SETTINGS[kind], input=settings)
    classes, targets, thresholds = OUTPUTS.get(kind, (CLASSES, (), None))
    labels = {"genre": np.arange(3), "tags": np.eye(3)} | {name: np.arange(3.0) for name in targets}
    outputs = {"genre": np.eye(3), "tags": np.eye(3)} | {name: np.arange(3.0) for name in targets}
    scores = compare_with_labels(labels, outputs, classes or (), targets, 0, thresholds).scores
    circumstances = Circumstances(
        seed=0,
        split=Split(evaluated="test", sizes={"train": 9, "test": 3}, test_from="held out", group_by="none"),
        dataset=Dataset("songs", synthetic=False, licence="CC0"),
        recipe=recipe.to_dict(),
        training=TrainingSummary(epochs=1, best_epoch=1, stopped_early=False, seconds=1.0),
        model="",
    )
    return Description(
        recipe=recipe,
        feature_spec=SPEC,
        frames=12 if kind == "cnn" else None,
        classes=classes or (),
        targets=targets,
        class_mapping="as-is",
        tags=tuple(thresholds.by_tag) if thresholds else (),
        thresholds=thresholds.by_tag if thresholds else {},
        report=make_report(scores, circumstances),
        members=2 if kind == "ensemble" else 1,
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The export root with a model of a kind in it, and that model; to be read and not to be changed."""
    root = tmp_path_factory.mktemp("exports")

    @functools.cache
    def export(kind):
        model = build(kind)
        description = describe(kind)
        export_savedmodel(
            model,
            root,
            kind,
            description=description.to_dict(),
            names=description.outputs.names,
            spec=SPEC,
            thresholds=tuple(description.thresholds.values()),
        )
        return root, model

    return export


@pytest.fixture
def export(monkeypatch, capsys):
    """Runs the command; exit status, lines of output, errors."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, list[str], str]:
        status = main([*map(str, arguments)])
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err

    return run


def litert_runner(file: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this runtime has a package of its own
        interpreter = tf.lite.Interpreter(model_path=str(file))
    return interpreter.get_signature_runner()


def onnx_runner(file: Path):
    import onnxruntime

    session = onnxruntime.InferenceSession(file)
    names = [output.name for output in session.get_outputs()]
    return lambda **feed: dict(zip(names, session.run(None, feed), strict=True))


def runner(form, file):
    return litert_runner(file) if form == "litert" else onnx_runner(file)


def as_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


SUFFIX = {"litert": "tflite", "onnx": "onnx"}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "kind",
    ["multitask", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("cnn", "lstm", "tags"))],
)
def test_a_model_answers_the_same_at_any_batch_and_length(kind, form, exported, export, tmp_path):
    root, model = exported(kind)
    status, lines, errors = export(kind, "--models", root, "--format", form, "--out", tmp_path)
    assert (status, errors) == (0, "")
    file = tmp_path / f"{kind}.{SUFFIX[form]}"
    time = "12" if kind == "cnn" else "any"
    assert lines[:2] == [
        f"export  {file}",
        f"takes   features (any, {time}, 12) float32, lengths (any) int32",
    ]
    assert list(tmp_path.iterdir()) == [file]
    answer = runner(form, file)
    classes, targets, thresholds = OUTPUTS.get(kind, (CLASSES, (), None))
    rng = np.random.default_rng(1)
    for batch, steps in ((1, 12), (4, 12), (2, 31), (1, 1), (3, 12)):
        if kind == "cnn" and steps != 12:
            continue
        features = rng.uniform(-80, 0, (batch, steps, 12)).astype(np.float32)
        lengths = rng.integers(1, steps + 1, batch, dtype=np.int32)
        expected = model({"features": features, "lengths": lengths})
        got = answer(features=features, lengths=lengths)
        names = {"error", *targets}
        for target in targets:
            np.testing.assert_allclose(got[target], np.asarray(expected[target])[:, 0], atol=1e-5)
        if thresholds:
            names |= {"tags", "tag_probabilities", "tag_thresholds"}
            np.testing.assert_allclose(got["tag_probabilities"], expected["tags"], atol=1e-5)
            np.testing.assert_array_equal(got["tag_thresholds"], [[0.25, 0.5, 0.125]] * batch)
            assert [as_text(tag) for tag in got["tags"][0]] == list(TAGS.by_tag)
        if classes:
            names |= {"genre", "classes", "probabilities"}
            probabilities = np.asarray(expected["genre"])
            np.testing.assert_allclose(got["probabilities"], probabilities, atol=1e-5)
            assert [as_text(genre) for genre in got["genre"]] == [
                CLASSES[index] for index in probabilities.argmax(axis=1)
            ]
            assert got["classes"].shape == (batch, 3)
        assert got.keys() == names


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", [pytest.param("lstm", marks=pytest.mark.slow), "multitask"])
def test_embedding(kind, form, exported, export, tmp_path):
    root, model = exported(kind)
    options = ("--signature", "embedding", "--name", "mine")
    status, lines, _ = export(root / kind / "1", "--format", form, "--out", tmp_path / "new", *options)
    file = tmp_path / "new" / f"mine.embedding.{SUFFIX[form]}"
    assert (status, lines[0]) == (0, f"export  {file}")
    features = np.random.default_rng(2).uniform(-80, 0, (2, 9, 12)).astype(np.float32)
    inputs = {"features": features, "lengths": np.array([9, 4], np.int32)}
    expected = keras.Model(model.input, model.get_layer("embedding").output)(inputs)
    got = runner(form, file)(**inputs)["embedding"]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_litert_file_has_the_description_zipped_to_it(exported, export, tmp_path):
    root, _ = exported("lstm")
    export("lstm", "--models", root, "--format", "litert", "--out", tmp_path)
    with zipfile.ZipFile(tmp_path / "lstm.tflite") as archive:
        assert json.loads(archive.read("keras_mir.json")) == describe("lstm").to_dict()


@needs_onnx
def test_an_onnx_file_has_the_description_in_its_metadata_and_named_axes(exported, export, tmp_path):
    import onnxruntime

    root, _ = exported("lstm")
    export("lstm", "--models", root, "--format", "onnx", "--out", tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "lstm.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["keras_mir"]) == describe("lstm").to_dict()
    assert [tensor.shape for tensor in session.get_inputs()] == [["batch", "time", 12], ["batch"]]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("signature", "lacking"), [("waveform", "BesselI0"), ("audio", "StatelessCase")])
def test_sound_is_refused_by_the_operations_that_are_lacking(
    form, signature, lacking, exported, export, tmp_path
):
    root, _ = exported("cnn")
    options = ("--format", form, "--signature", signature, "--out", tmp_path / "out")
    status, lines, errors = export("cnn", "--models", root, *options)
    assert (status, lines) == (2, [])
    assert errors.startswith(
        f"error: --signature {signature}: {'LiteRT' if form == 'litert' else 'ONNX'} lacks "
    )
    assert lacking in errors
    assert "convert serving_default, which takes features, or serve the SavedModel" in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_answers_differently_is_not_written(form, exported, export, tmp_path, monkeypatch):
    root, model = exported("lstm")
    other = keras.models.clone_model(model)
    other.set_weights([weight * 2 for weight in model.get_weights()])
    again = one_file.for_converting
    monkeypatch.setattr(one_file, "for_converting", lambda _: again(other))
    status, lines, errors = export("lstm", "--models", root, "--format", form, "--out", tmp_path)
    assert (status, lines) == (2, [])
    assert "signature 'serving_default': the exported model and the Keras model differ by" in errors
    assert list(tmp_path.iterdir()) == []


def make_run(folder, policy="float32"):
    run = RunFolder(folder)
    options = RunOptions("", "", False, False, "", 0, "lstm-of-a-run", False, "", 0, ())
    run.create(describe("lstm").recipe, options, run.split, b"id,split\n")
    keras.config.set_dtype_policy(policy)
    try:
        model = build("lstm")
    finally:
        keras.config.set_dtype_policy("float32")
    model.save(run.model)
    write_json(run.description, describe("lstm").to_dict())
    return model


@pytest.mark.slow
def test_a_run_in_half_precision_is_exported_in_float32(export, tmp_path, monkeypatch, session_predict):
    monkeypatch.chdir(tmp_path)
    model = make_run(tmp_path / "run", "mixed_float16")
    monkeypatch.setattr(savedmodel, "card_of", lambda name, *_: f"# {name}\n")
    status, lines, errors = export("run", "--format", "savedmodel")
    assert (status, errors) == (0, "")
    path = Path("saved_models/lstm-of-a-run/1")
    assert lines == [f"export  {path}"]
    assert read_description(path) == describe("lstm").to_dict()
    assert (path / "assets.extra" / "model_card.md").read_text() == "# lstm-of-a-run\n"
    features = np.random.default_rng(3).uniform(-80, 0, (2, 9, 12)).astype(np.float32)
    lengths = np.array([9, 4], np.int32)
    served = session_predict(path, features, lengths)["probabilities"]
    expected = np.asarray(model({"features": features, "lengths": lengths})["genre"])
    assert served.dtype == np.float32
    np.testing.assert_allclose(served, expected, atol=1e-2)
    layers = load_keras(path / KERAS_MODEL).layers
    assert "float16" not in {layer.compute_dtype for layer in layers if isinstance(layer, keras.layers.Layer)}

    status, lines, _ = export("run", "--format", "litert")
    assert (status, lines[0]) == (0, "export  saved_models/lstm-of-a-run.tflite")


def test_mistakes(export, exported, tmp_path, monkeypatch):
    root, _ = exported("lstm")

    def mistake(*arguments):
        status, lines, errors = export(*arguments)
        assert (status, lines) == (2, [])
        assert errors.count("\n") == 1
        return errors

    litert = ("--format", "litert", "--out", tmp_path / "out")
    assert "no exported model" in mistake("nothing", "--models", root, *litert)
    assert "letters a-z" in mistake("lstm", "--models", root, "--name", "../x", *litert)
    assert "goes with --format litert" in mistake("lstm", "--format", "savedmodel", "--signature", "audio")
    (tmp_path / "file").touch()
    assert "a file, not a folder" in mistake("lstm", "--format", "litert", "--out", tmp_path / "file")
    run = tmp_path / "run"
    make_run(run)
    (run / "model.keras").unlink()
    assert f"{run}: no trained model in it; finish the run" in mistake(run, *litert)
    bare = tmp_path / "models" / "bare" / "1"
    shutil.copytree(root / "lstm" / "1", bare)
    (bare / "assets.extra" / "keras_mir.json").write_text("{}")
    assert "its description lacks classes" in mistake("bare", "--models", tmp_path / "models", *litert)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    onnx = mistake("lstm", "--models", root, "--format", "onnx")
    assert "--format onnx: tf2onnx, onnx, onnxruntime missing: pip install tf2onnx onnx onnxruntime" in onnx
    assert not (tmp_path / "out").exists()


def test_nothing_else_on_the_screen_and_help_without_tensorflow(exported, tmp_path):
    root, _ = exported("cnn")
    script = (
        "import sys; from keras_mir.export.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'tensorflow', 'keras', 'rich'} & sys.modules.keys()\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    options = ("cnn", "--models", root, "--format", "litert", "--out", tmp_path)
    command = [sys.executable, "-c", script, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "RUN_OR_MODEL" in done.stdout
    assert done.stdout.splitlines()[-3:] == [
        f"export  {tmp_path}/cnn.tflite",
        "takes   features (any, 12, 12) float32, lengths (any) int32",
        "gives   probabilities (any, 3) float32, error (any) string, classes (any, 3) string, "
        "genre (any) string",
    ]

"""`python -m keras_mir.export`: what it writes answers as the Keras model does, in its own runtime."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
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

from keras_mir.export import savedmodel
from keras_mir.export.__main__ import main
from keras_mir.export.formats import litert, one_file
from keras_mir.export.savedmodel import export_savedmodel
from keras_mir.models.folders import KERAS_MODEL, read_description
from keras_mir.models.trained_model import load_keras
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec(n_mels=12, n_chroma=12)
CLASSES = ("Blues", "Ρεμπέτικο", "Trip-Hop")
TARGETS = ("valence", "a.b-c")
TAGS = ("κιθάρα", "live", "rock")
# By kind, its classes, targets and tags.
OUTPUTS = {"multitask": (CLASSES, TARGETS, TAGS), "tags": ((), (), TAGS)}
needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("tf2onnx") is None or importlib.util.find_spec("onnxruntime") is None,
    reason="tf2onnx and onnxruntime are not installed",
)
FORMATS = ["litert", pytest.param("onnx", marks=needs_onnx)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory, small):
    """The export root with a model of a kind in it, and that model; to be read and not to be changed."""
    root = tmp_path_factory.mktemp("exports")

    @functools.cache
    def export(kind):
        model = small.build(kind)
        description = small.describe(kind)
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
    [pytest.param(kind, marks=pytest.mark.slow) for kind in ("multitask", "cnn", "lstm", "tags")],
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
    assert lines[3] == f"size    {file.stat().st_size / 1e6:.2f} MB"
    assert re.fullmatch(r"differs from the Keras model by [\de.-]+ at most", lines[4])
    assert list(tmp_path.iterdir()) == [file]
    answer = runner(form, file)
    classes, targets, tags = OUTPUTS.get(kind, (CLASSES, (), ()))
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
        if tags:
            names |= {"tags", "tag_probabilities", "tag_thresholds"}
            np.testing.assert_allclose(got["tag_probabilities"], expected["tags"], atol=1e-5)
            np.testing.assert_array_equal(got["tag_thresholds"], [[0.25, 0.5, 0.125]] * batch)
            assert [as_text(tag) for tag in got["tags"][0]] == list(TAGS)
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


@pytest.mark.slow
def test_a_litert_file_has_the_description_zipped_to_it(exported, export, tmp_path, small):
    root, _ = exported("lstm")
    export("lstm", "--models", root, "--format", "litert", "--out", tmp_path)
    with zipfile.ZipFile(tmp_path / "lstm.tflite") as archive:
        assert json.loads(archive.read("keras_mir.json")) == small.describe("lstm").to_dict()


@needs_onnx
def test_an_onnx_file_has_the_description_in_its_metadata_and_named_axes(exported, export, tmp_path, small):
    import onnxruntime

    root, _ = exported("lstm")
    export("lstm", "--models", root, "--format", "onnx", "--out", tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "lstm.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["keras_mir"]) == small.describe("lstm").to_dict()
    assert [tensor.shape for tensor in session.get_inputs()] == [["batch", "time", 12], ["batch"]]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_wav_files_are_refused_by_the_operations_that_are_lacking(form, exported, export, tmp_path):
    root, _ = exported("cnn")
    options = ("--format", form, "--signature", "audio", "--out", tmp_path / "out")
    status, lines, errors = export("cnn", "--models", root, *options)
    assert (status, lines) == (2, [])
    assert errors.startswith(f"error: --signature audio: {'LiteRT' if form == 'litert' else 'ONNX'} lacks ")
    assert "StatelessCase" in errors
    assert "convert waveform, which takes samples, or serve the SavedModel" in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["lstm", "tags"])
def test_a_clip_of_sound_has_the_keras_models_answer(kind, form, exported, export, tmp_path):
    root, _ = exported(kind)
    options = ("--format", form, "--signature", "waveform", "--out", tmp_path)
    status, lines, errors = export(kind, "--models", root, *options)  # which compares the answers
    assert (status, errors) == (0, "")
    assert lines[1] == "takes   waveform (1, any) float32, lengths (1) int32, rate (1) int32"
    answer = runner(form, tmp_path / f"{kind}.waveform.{SUFFIX[form]}")
    clip = np.random.default_rng(4).normal(0, 0.1, (1, 30000)).astype(np.float32)
    for rate, error in ((22050, ""), (44100, "a sample rate other than the model's, 22050 Hz")):
        got = answer(waveform=clip, lengths=np.array([30000], np.int32), rate=np.array([rate], np.int32))
        assert as_text(got["error"][0]) == error
        assert got["windows"] == (not error)


@pytest.mark.slow
def test_quantized_weights_are_smaller_and_answers_near(exported, export, tmp_path):
    root, _ = exported("wide")
    sizes, differences = [], []
    for quantization in ((), ("--quantization", "float16"), ("--quantization", "dynamic-range")):
        options = ("--models", root, "--format", "litert", *quantization, "--out", tmp_path)
        status, lines, errors = export("wide", *options)
        assert (status, errors) == (0, "")
        file = tmp_path / ".".join(["wide", *quantization[1:], "tflite"])
        assert lines[0] == f"export  {file}"
        sizes.append(file.stat().st_size)
        differences.append(float(re.search(r"by (\S+) at most", lines[-1])[1]))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] < 0.75 * sizes[0]
    assert differences == sorted(differences)
    assert differences[0] < 1e-5


@pytest.mark.slow
def test_weights_that_are_too_coarse_are_refused(exported, export, tmp_path, monkeypatch):
    root, _ = exported("wide")
    monkeypatch.setitem(litert.FORMAT.quantizations, "dynamic-range", 1e-6)
    options = ("--models", root, "--format", "litert", "--quantization", "dynamic-range", "--out", tmp_path)
    status, lines, errors = export("wide", *options)
    assert (status, lines) == (2, [])
    assert "the exported model and the Keras model differ by" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_run_in_half_precision_is_exported_in_float32(
    export, tmp_path, monkeypatch, session_predict, small
):
    monkeypatch.chdir(tmp_path)
    model = small.make_run(tmp_path / "run", "mixed_float16")
    monkeypatch.setattr(savedmodel, "card_of", lambda name, *_: f"# {name}\n")
    status, lines, errors = export("run")
    assert (status, errors) == (0, "")
    path = Path("saved_models/lstm-of-a-run/1")
    assert lines == [f"export  {path}"]
    assert read_description(path) == small.describe("lstm").to_dict()
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


def test_mistakes(export, exported, tmp_path, monkeypatch, small):
    root, _ = exported("multitask")

    def mistake(*arguments):
        status, lines, errors = export(*arguments)
        assert (status, lines) == (2, [])
        assert errors.count("\n") == 1
        return errors

    litert = ("--format", "litert", "--out", tmp_path / "out")
    assert "no exported model" in mistake("nothing", "--models", root, *litert)
    assert "letters a-z" in mistake("multitask", "--models", root, "--name", "../x", *litert)
    assert "goes with --format litert" in mistake("cnn", "--format", "savedmodel", "--signature", "audio")
    assert "goes with --format litert" in mistake("cnn", "--format", "onnx", "--quantization", "float16")
    assert "goes with --push" in mistake("multitask", *litert, "--public")
    assert "--name goes with --format" in mistake("multitask", "--push", "hf://me/songs", "--name", "other")
    assert "write hf://OWNER/NAME" in mistake("multitask", "--push", "songs")
    (tmp_path / "file").touch()
    assert "a file, not a folder" in mistake("multitask", "--format", "litert", "--out", tmp_path / "file")
    run = tmp_path / "run"
    small.make_run(run)
    (run / "model.keras").unlink()
    assert mistake(run, *litert) == (
        f"error: {run}: no trained model in it; finish the run with `python -m keras_mir.fit --resume {run}`"
        ", or give an exported model\n"
    )
    bare = tmp_path / "models" / "bare" / "1"
    shutil.copytree(root / "multitask" / "1", bare)
    (bare / "assets.extra" / "keras_mir.json").write_text("{}")
    assert "its description lacks classes" in mistake("bare", "--models", tmp_path / "models", *litert)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    onnx = mistake("multitask", "--models", root, "--format", "onnx")
    assert "--format onnx: tf2onnx, onnx, onnxruntime missing: pip install tf2onnx onnx onnxruntime" in onnx
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
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
    assert done.stdout.splitlines()[-5:-1] == [
        f"export  {tmp_path}/cnn.tflite",
        "takes   features (any, 12, 12) float32, lengths (any) int32",
        "gives   probabilities (any, 3) float32, error (any) string, classes (any, 3) string, "
        "genre (any) string",
        f"size    {(tmp_path / 'cnn.tflite').stat().st_size / 1e6:.2f} MB",
    ]

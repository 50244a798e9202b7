"""The commands, as a user calls them: from files to an exported model, and every mistake one line."""

import json
import os
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from keras_mir.evaluate import __main__ as evaluate
from keras_mir.export import __main__ as export
from keras_mir.export.model_card import model_card
from keras_mir.fit import __main__ as fit
from keras_mir.models.folders import read_description
from keras_mir.models.trained_model import load
from keras_mir.predict import __main__ as predict
from pipelines.errors import UserError
from pipelines.files import locked

REPOSITORY = Path(__file__).parents[3]
SMALL_LSTM = ("--units", "8", "--layers", "1", "--epochs", "3", "--batch-size", "8")
SMALL_CNN = ("--filters", "4,4", "--pools", "2,2", "--epochs", "2", "--batch-size", "8")


def run(command, tmp_path, *arguments, export=False):
    places = ("--out", str(tmp_path / "run")) if "--out" not in arguments else ()
    if command is fit and "--resume" not in arguments:
        places += ("--export-dir", str(tmp_path / "saved_models"))
        places += () if export else ("--no-export",)  # an export takes longer than so small a training
    return command.main([*map(str, arguments), *places])


def mistake(command, tmp_path, capsys, *arguments) -> str:
    """Run a command that must fail, and return its one line."""
    assert run(command, tmp_path, *arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture(autouse=True)
def _float32_policy():
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def fitted(course_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    assert (
        run(fit, folder, "lstm-beat-mel", "--data", course_data, *SMALL_LSTM, "--seed", "5", export=True) == 0
    )
    return folder


def test_fit_writes_what_the_readme_says(fitted):
    written = {path.name for path in (fitted / "run").iterdir()}
    assert written >= {
        "report.json",
        "predictions.csv",
        "learning_curves.png",
        "confusion_matrix.png",
        "reliability.png",
        "history.csv",
        "split.csv",
        "recipe.toml",
        "run.json",
        "model.keras",
        "model.sha256",
        "description.json",
        "checkpoint",
        "logs",
    }
    assert {path.name for path in fitted.iterdir()} == {"run", "saved_models"}
    assert not [path for path in fitted.rglob(".*") if path.is_file()], "something temporary was left"


def test_the_report_has_the_promised_keys(fitted):
    report = json.loads((fitted / "run" / "report.json").read_text(), parse_constant=pytest.fail)
    assert report["task"] == "genre"
    assert report["n"] == 12
    for key in ("accuracy", "macro_f1", "weighted_f1"):
        assert report[key]["low"] <= report[key]["value"] <= report[key]["high"]
    assert report["seed"] == 5
    assert report["split"]["evaluated"] == "test"
    assert report["split"]["sizes"] == {"train": 30, "validation": 6, "test": 12}
    assert report["versions"]["keras"]
    assert report["recipe"]["name"] == "lstm-beat-mel"
    assert report["training"]["epochs"] == 3
    assert report["calibration"]["clips"] == 6
    assert 0 <= report["expected_calibration_error"] <= 1
    assert report["baseline"]["name"] == "an SVM on feature statistics"
    lead = report["accuracy"]["value"] - report["baseline"]["score"]["value"]
    assert report["baseline"]["difference"]["value"] == pytest.approx(lead)


@pytest.mark.slow
def test_without_validation_clips_it_trains_on_all_to_the_last_epoch(course_data, tmp_path, capsys):
    flags = ("--validation", "0", "--early-stopping", "0", "--seed", "5")
    asked = ("lstm-beat-mel", "--data", course_data, *SMALL_LSTM, *flags)
    assert run(fit, tmp_path, *asked) == 0
    said = capsys.readouterr().out
    assert "36 train, 12 test;" in said
    assert "calibrated" not in said
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["split"]["sizes"] == {"train": 36, "test": 12}
    assert report["training"] | {"seconds": 0} == {
        "epochs": 3,
        "best_epoch": 3,
        "stopped_early": False,
        "seconds": 0,
        "discriminant": False,
    }
    assert report["calibration"] is None
    assert (tmp_path / "run" / "history.csv").read_text().splitlines()[0] == "epoch,accuracy,loss"
    assert "validation clip" not in model_card("lstm", load(tmp_path / "run").description, {})
    asked = (
        tmp_path / "run",
        "--data",
        course_data,
        "--split",
        "validation",
        "--out",
        tmp_path / "evaluated",
    )
    said = mistake(evaluate, tmp_path, capsys, *asked)
    assert "has none; choose train, test or all" in said


@pytest.mark.slow
def test_affect_without_validation_clips(course_data, tmp_path):
    flags = ("--validation", "0", "--early-stopping", "0", *SMALL_CNN)
    assert run(fit, tmp_path, "multitask-cnn-beat-mel", "--data", course_data, *flags) == 0
    head = (tmp_path / "run" / "history.csv").read_text().splitlines()[0]
    assert "loss" in head
    assert "val_" not in head


def test_tensorboard_is_given_curves_pictures_graph_and_hyperparameters(fitted):
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    events = EventMultiplexer().AddRunsFromDirectory(str(fitted / "run" / "logs")).Reload()
    tensors = {run: set(events.GetAccumulator(run).Tags()["tensors"]) for run in events.Runs()}
    assert tensors["train"] >= {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"}
    assert tensors["validation"] >= {"epoch_loss", "epoch_accuracy"}
    assert tensors["pictures"] >= {"input/0", "input/3", "validation/confusion_matrix"}
    assert tensors["hparams"] >= {"best/val_loss", "best/val_accuracy", "_hparams_/session_start_info"}
    assert any(node.op == "Softmax" for node in events.Graph("graph").node)


@pytest.mark.slow
def test_the_export_answers_in_a_process_without_this_package(fitted, tmp_path, session_predict):
    """The session loader in a fresh process, started where neither keras_mir nor pipelines can be found."""
    version = fitted / "saved_models" / "lstm-beat-mel" / "1"
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        "assert not any('keras_mir' in name or 'pipelines' in name for name in sys.modules)\n"
        "with tf.compat.v1.Session(graph=tf.Graph()) as session:\n"
        "    graph = tf.compat.v1.saved_model.load(session, ['serve'], sys.argv[1])\n"
        "    signature = graph.signature_def['serving_default']\n"
        "    feed = {signature.inputs['features'].name: np.full((2, 9, 128), -40, 'f4'),\n"
        "            signature.inputs['lengths'].name: np.array([9, 4], 'i4')}\n"
        "    answer = session.run({n: t.name for n, t in signature.outputs.items()}, feed)\n"
        "print(*answer['classes'][0].astype(str), *answer['probabilities'][1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(version)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *names, one, two, three = done.stdout.split()
    assert names == ["Blues", "Jazz", "Metal"]
    features = np.full((2, 9, 128), -40, np.float32)
    here = session_predict(version, features, np.array([9, 4]))["probabilities"][1]
    np.testing.assert_allclose([float(one), float(two), float(three)], here, atol=1e-6)


def test_the_export_describes_itself(fitted):
    description = read_description(fitted / "saved_models" / "lstm-beat-mel" / "1")
    assert description["classes"] == ["Blues", "Jazz", "Metal"]
    assert description["feature_spec"]["sample_rate"] == 22050
    assert description["recipe"]["input"]["sync"] == "beat"
    assert description["report"]["accuracy"]["value"] is not None
    assert description["dataset"].keys() == {"name", "licence", "synthetic"}
    assert description["versions"]["tensorflow"]
    assert str(fitted) not in json.dumps(description)


@pytest.mark.slow
def test_the_python_lines_of_the_model_card_answer(fitted, tmp_path):
    extra = fitted / "saved_models" / "lstm-beat-mel" / "1" / "assets.extra"
    card = (extra / "model_card.md").read_text(encoding="utf-8")
    assert "3 classes: Blues, Jazz, Metal." in card
    assert "| `beat_times` | `(batch, beats)` | float32 |" in card
    (lines,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    (tmp_path / "saved_models").symlink_to(fitted / "saved_models")
    soundfile.write(tmp_path / "song.wav", np.sin(np.arange(44100) / 10), 44100)
    done = subprocess.run(
        [sys.executable, "-I", "-c", lines], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "'probabilities': <tf.Tensor: shape=(1, 3)" in done.stdout


def test_evaluate_agrees_with_the_report_of_fit(fitted, course_data, tmp_path):
    model = fitted / "saved_models" / "lstm-beat-mel"
    assert run(evaluate, tmp_path, model, "--data", course_data, "--split", "test") == 0
    evaluated = json.loads((tmp_path / "run" / "report.json").read_text())
    report = json.loads((fitted / "run" / "report.json").read_text())
    for key in ("accuracy", "confusion_matrix", "per_class"):
        assert evaluated[key] == report[key]
    error = report["expected_calibration_error"]  # of the calibrated model, which is what was exported
    assert evaluated["expected_calibration_error"] == pytest.approx(error, abs=1e-4)
    assert evaluated["baseline"] is None  # it knows no training clips


def test_evaluate_finds_the_validation_examples_again(fitted, course_data, tmp_path, capsys):
    model = fitted / "saved_models" / "lstm-beat-mel"
    assert run(evaluate, tmp_path, model, "--data", course_data, "--split", "validation") == 0
    history = (fitted / "run" / "history.csv").read_text().splitlines()
    column = history[0].split(",").index("val_accuracy")
    losses = [float(line.split(",")[history[0].split(",").index("val_loss")]) for line in history[1:]]
    best = history[1 + int(np.argmin(losses))].split(",")[column]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["accuracy"]["value"] == pytest.approx(float(best))


@pytest.mark.slow
def test_a_second_fit_exports_the_next_version(fitted, course_data, tmp_path):
    places = ("--out", tmp_path / "again", "--export-dir", fitted / "saved_models")
    killed = fitted / "saved_models" / ".other-tmp"  # an export that was stopped with kill -9
    (killed / "variables").mkdir(parents=True)
    assert (
        fit.main([*map(str, ("lstm-beat-mel", "--data", course_data, *SMALL_LSTM, "--seed", 5, *places))])
        == 0
    )
    assert (fitted / "saved_models" / "lstm-beat-mel" / "2" / "saved_model.pb").is_file()
    assert [path.name for path in (fitted / "saved_models").iterdir()] == ["lstm-beat-mel"]
    one, two = (
        json.loads((path / "report.json").read_text()) for path in (fitted / "run", tmp_path / "again")
    )
    assert one["confusion_matrix"] == two["confusion_matrix"]
    assert (fitted / "run" / "history.csv").read_text() == (tmp_path / "again" / "history.csv").read_text()


def test_too_little_memory_is_said(course_data, tmp_path, capsys, monkeypatch):
    def exhausted(*arguments, **options):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nHint: ...")

    monkeypatch.setattr("keras_mir.fit.run.fit", exhausted)
    line = mistake(fit, tmp_path, capsys, "lstm-beat-mel", "--data", course_data)
    assert "run: too little memory to train this; start a new run with a smaller batch_size" in line


@pytest.mark.slow
def test_an_export_that_fails_leaves_the_report_and_is_done_by_resume(
    course_data, tmp_path, capsys, monkeypatch
):
    def full(*arguments, **options):
        raise UserError("saved_models: cannot be written; free some space or choose another folder")

    flags = ("lstm-beat-mel", "--data", course_data, *SMALL_LSTM)
    with monkeypatch.context() as broken:
        broken.setattr("keras_mir.export.savedmodel.export_savedmodel", full)
        assert run(fit, tmp_path, *flags, export=True) == 2
    assert capsys.readouterr().err == (
        "error: saved_models: cannot be written; free some space or choose another folder\n"
    )
    before = (tmp_path / "run" / "history.csv").read_bytes()
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert Path(report["model"]).name == "model.keras"

    monkeypatch.setattr("keras_mir.fit.run.fit", None)  # nothing is trained again
    monkeypatch.setattr("keras_mir.fit.run.load_data", None)
    assert fit.main(["--resume", str(tmp_path / "run")]) == 0
    version = tmp_path / "saved_models" / "lstm-beat-mel" / "1"
    last = f"export  {version}\nnext: python -m keras_mir.predict SONG --model {version}\n"
    assert capsys.readouterr().out.endswith(last)
    assert (version / "saved_model.pb").is_file()
    assert (tmp_path / "run" / "history.csv").read_bytes() == before
    after = json.loads((tmp_path / "run" / "report.json").read_text())
    assert after == {**report, "model": str(version)}
    assert fit.main(["--resume", str(tmp_path / "run")]) == 2
    assert "the run is finished" in capsys.readouterr().err


@pytest.mark.slow
def test_multitask_learns_the_named_targets(course_data, tmp_path, session_predict):
    recipe = ("multitask-cnn-beat-mel", "--feature", "fused", "--targets", "power,calmness")
    flags = ("--data", course_data, *SMALL_CNN, "--loss-weights", "power=2")
    assert run(fit, tmp_path, *recipe, *flags, export=True) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert list(report["targets"]) == ["power", "calmness"]
    assert set(report["spearman"]) == {"power", "calmness"}
    assert (tmp_path / "run" / "scatter.png").is_file()
    answer = session_predict(
        tmp_path / "saved_models" / "multitask-cnn-beat-mel" / "1",
        np.zeros((2, 30, 140), np.float32),
        np.array([30, 20]),
    )
    shapes = {name: value.shape for name, value in answer.items()}
    assert shapes == {"power": (2,), "calmness": (2,), "error": (2,)}


@pytest.mark.slow
def test_the_fixed_length_cnn_runs_on_cropped_frames(course_data, tmp_path):
    flags = (
        "--sync",
        "beat",
        "--frames",
        "16",
        "--crop",
        "random",
        "--padding",
        "zero",
        "--class-weights",
        "balanced",
    )
    assert run(fit, tmp_path, "cnn", "--data", course_data, *SMALL_CNN, *flags, export=True) == 0
    assert read_description(tmp_path / "saved_models" / "cnn" / "1")["frames"] == 16


@pytest.mark.slow
def test_overfit_check_says_whether_batches_were_memorised(course_data, tmp_path, capsys):
    flags = ("--overfit-batches", "2", "--epochs", "60", "--learning-rate", "0.01", "--units", "16")
    assert run(fit, tmp_path, "lstm-beat-mel", "--data", course_data, *flags, "--batch-size", "4") == 0
    assert "2 batches memorised" in capsys.readouterr().out
    flags = (*SMALL_LSTM, "--overfit-batches", "2", "--epochs", "1", "--out", tmp_path / "b")
    assert run(fit, tmp_path, "lstm-beat-mel", "--data", course_data, *flags) == 1
    assert not (tmp_path / "saved_models").exists()


@pytest.mark.slow
def test_a_half_precision_model_is_served_in_float32(course_data, tmp_path):
    flags = ("--mixed-precision", "--units", "4", "--layers", "1", "--epochs", "1")
    assert run(fit, tmp_path, "lstm-beat-mel", "--data", course_data, *flags, export=True) == 0
    graph = (tmp_path / "saved_models" / "lstm-beat-mel" / "1" / "saved_model.pb").read_bytes()
    saved = SavedModel.FromString(graph).meta_graphs[0].graph_def
    nodes = [*saved.node, *(node for function in saved.library.function for node in function.node_def)]
    kinds = {node.attr["T"].type for node in nodes if node.op == "MatMul"}
    assert tf.float32.as_datatype_enum in kinds
    assert tf.float16.as_datatype_enum not in kinds


@pytest.mark.slow
def test_a_recipe_file_is_used(course_data, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text('base = "lstm-beat-chroma"\n[model]\nunits = 4\nlayers = 1\n[train]\nepochs = 1\n')
    assert run(fit, tmp_path, "--recipe", path, "--data", course_data) == 0
    description = json.loads((tmp_path / "run" / "description.json").read_text())
    assert description["recipe"]["name"] == "tiny"
    assert description["recipe"]["input"]["feature"] == "chroma"
    assert description["recipe"]["model"]["units"] == 4


def test_list_shows_every_recipe(capsys):
    assert fit.main(["--list"]) == 0
    shown = capsys.readouterr().out
    for name in ("lstm-beat-mel", "lstm-beat-chroma", "multitask-cnn-beat-mel", "transfer-cnn"):
        assert name in shown


@pytest.mark.parametrize("module", ["fit", "evaluate", "prepare"])
def test_help_needs_no_tensorflow(module):
    script = (
        f"import sys, keras_mir.{module}.__main__ as command\n"
        "try:\n    command.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'tensorflow', 'keras', 'librosa', 'sklearn', 'matplotlib', 'pandas'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.splitlines()[-1] == ""


class TestMistakes:
    def test_missing_folder(self, tmp_path, capsys):
        assert "no such folder" in mistake(
            fit, tmp_path, capsys, "lstm-beat-mel", "--data", tmp_path / "none"
        )

    @pytest.mark.parametrize("option", ["--out", "--cache-dir", "--export-dir"])
    def test_a_file_where_a_folder_is_wanted(self, option, course_data, tmp_path, capsys):
        file = tmp_path / "file"
        file.write_text("")
        asked = ["lstm-beat-mel", "--data", str(course_data), "--out", str(tmp_path / "run")]
        assert fit.main([*asked, option, str(file)]) == 2
        assert capsys.readouterr().err.startswith(f"error: {option} {file}: a file")

    @pytest.mark.parametrize("option", ["--data", "--labels", "--out", "--cache-dir", "--export-dir"])
    def test_a_name_that_is_not_utf8_is_refused_before_anything_is_written(self, option, tmp_path, capsys):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
        flags = {"--data": "data", "--labels": "l.csv", "--out": str(tmp_path / "run"), option: path}
        assert fit.main(["lstm-beat-mel", *chain.from_iterable(flags.items())]) == 2
        line = f"error: {option} {path!r}: a name that is not UTF-8, which TensorFlow wants; rename it\n"
        assert capsys.readouterr().err == line
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("option", ["--data", "--cache-dir"])
    def test_evaluate_refuses_a_name_that_is_not_utf8(self, option, fitted, tmp_path, capsys):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
        assert evaluate.main([str(fitted / "run"), option, path]) == 2
        assert f"error: {option} {path!r}: a name that is not UTF-8" in capsys.readouterr().err

    def test_unknown_recipe(self, tmp_path, capsys):
        line = "error: recipe 'lstm-beat-mell': no such recipe; python -m keras_mir.fit --list shows them"
        assert mistake(fit, tmp_path, capsys, "lstm-beat-mell") == line
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["my model", "../x", ".hidden"])
    def test_a_name_is_refused_before_data_are_touched(self, name, tmp_path, capsys):
        line = mistake(fit, tmp_path, capsys, "lstm-beat-mel", "--data", tmp_path / "none", "--name", name)
        assert line == (
            f"error: --name {name!r}: use letters a-z, digits, '_', '.' and '-', and no dot in front"
        )

    @pytest.mark.parametrize("target", ["tempo", "window_power", "genre", "a/b"])
    def test_a_target_that_no_model_can_have_is_refused_before_data_are_touched(
        self, target, tmp_path, capsys
    ):
        flags = ("affect-lstm", "--data", tmp_path / "none", "--targets", target)
        assert f"target {target!r}: " in mistake(fit, tmp_path, capsys, *flags)

    def test_a_column_that_no_model_can_have_is_refused_before_features_are(
        self, course_data, tmp_path, capsys, copy_tree
    ):
        data = copy_tree(course_data)
        for labels in (data / "multitask_dataset_beat").glob("*_labels.txt"):
            labels.write_text(labels.read_text().replace("calmness", "tempo"))
        line = mistake(fit, tmp_path, capsys, "multitask-cnn-beat-mel", "--data", data)
        assert "target 'tempo': that name has a meaning of its own; rename the column" in line
        assert not (tmp_path / "run").exists()

    def test_unknown_target(self, course_data, tmp_path, capsys):
        line = mistake(fit, tmp_path, capsys, "affect-lstm", "--data", course_data, "--targets", "valence")
        assert "valence" in line
        assert "calmness, power" in line

    def test_transfer_without_a_backbone(self, course_data, tmp_path, capsys):
        assert "--backbone" in mistake(fit, tmp_path, capsys, "transfer-cnn", "--data", course_data)
        line = mistake(fit, tmp_path, capsys, "transfer-cnn", "--backbone", tmp_path, "--data", course_data)
        assert str(tmp_path) in line

    def test_a_device_that_is_not_there(self, course_data, tmp_path, capsys):
        asked = ("lstm-beat-mel", "--data", course_data, "--devices", "GPU:7,GPU:8")
        line = mistake(fit, tmp_path, capsys, *asked)
        assert line.startswith("error: --devices GPU:7: no such device; there is CPU:0")
        assert not (tmp_path / "run").exists()

    def test_setting_out_of_range(self, course_data, tmp_path, capsys):
        assert "dropout" in mistake(
            fit, tmp_path, capsys, "lstm-beat-mel", "--data", course_data, "--dropout", "1.5"
        )

    @pytest.mark.slow
    def test_bad_files_are_found_before_training(self, course_data, tmp_path, capsys, copy_tree):
        data = copy_tree(course_data)
        folder = data / "fma_genre_spectrograms_beat" / "train"
        np.save(folder / "train3.fused.full.npy", np.full((140, 9), np.nan, np.float32))
        np.save(folder / "train7.fused.full.npy", np.zeros((7, 9), np.float32))
        line = mistake(fit, tmp_path, capsys, "lstm-beat-mel", "--data", data, *SMALL_LSTM)
        assert "1 more" in line
        assert "give skip_bad" in line
        assert not (tmp_path / "run" / "run.json").exists()
        assert run(fit, tmp_path, "lstm-beat-mel", "--data", data, *SMALL_LSTM, "--skip-bad") == 0
        output = capsys.readouterr().out
        assert "left out" in output
        report = json.loads((tmp_path / "run" / "report.json").read_text())
        assert len(report["split"]["left_out"]) == 2

    def test_one_class_only(self, course_data, tmp_path, capsys, copy_tree):
        data = copy_tree(course_data)
        for labels in (data / "fma_genre_spectrograms_beat").glob("*_labels.txt"):
            labels.write_text(labels.read_text().replace("Jazz", "Blues").replace("Metal", "Blues"))
        line = mistake(fit, tmp_path, capsys, "lstm-beat-mel", "--data", data)
        assert line.endswith(": found only the one (Blues) class, and a classifier needs two; add examples")

    def test_class_in_test_that_is_not_trained_on(self, course_data, tmp_path, capsys, copy_tree):
        data = copy_tree(course_data)
        labels = data / "fma_genre_spectrograms_beat" / "test_labels.txt"
        labels.write_text(labels.read_text().replace("Jazz", "Rock"))
        assert "'Rock'" in mistake(fit, tmp_path, capsys, "lstm-beat-mel", "--data", data)

    def test_class_too_small_to_split(self, course_data, tmp_path, capsys, copy_tree):
        data = copy_tree(course_data)
        labels = data / "fma_genre_spectrograms_beat" / "train_labels.txt"
        labels.write_text(labels.read_text().replace("Jazz", "Pop", 1))
        assert "'Pop'" in mistake(fit, tmp_path, capsys, "lstm-beat-mel", "--data", data)

    def test_a_run_is_not_overwritten(self, fitted, course_data, capsys):
        before = {path: path.read_bytes() for path in fitted.rglob("*") if path.is_file()}
        there = f"there is a run in it; go on with python -m keras_mir.fit --resume {fitted / 'run'}"
        line = mistake(fit, fitted, capsys, "lstm-beat-mel", "--data", course_data)
        assert line == f"error: --out {fitted / 'run'}: {there}"
        assert {path: path.read_bytes() for path in fitted.rglob("*") if path.is_file()} == before

    def test_a_finished_run_is_not_resumed(self, fitted, capsys):
        assert fit.main(["--resume", str(fitted / "run")]) == 2
        assert "finished" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["run.json", "recipe.toml", "split.csv", "checkpoint/state.json"])
    def test_a_run_with_damaged_state_is_not_resumed(self, name, fitted, capsys, copy_tree):
        folder = copy_tree(fitted / "run")
        (folder / "report.json").unlink()
        file = folder / name
        whole = file.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], b"[]", b"null", b"{}", b"\x93\xff\0" * 99):
            file.write_bytes(damaged)
            assert fit.main(["--resume", str(folder)]) == 2
            lines = capsys.readouterr().err.strip().splitlines()
            assert len(lines) == 1, lines
            assert file.name in lines[0]
            assert lines[0].endswith("; start a new run")

    @pytest.mark.parametrize("of", ["run", "export"])
    def test_a_damaged_description_is_named_by_every_command_that_reads_it(
        self, of, fitted, course_data, tmp_path, capsys, copy_tree
    ):
        folder = copy_tree(fitted)
        model = folder / "run" if of == "run" else folder / "saved_models" / "lstm-beat-mel" / "1"
        file = model / ("description.json" if of == "run" else "assets.extra/keras_mir.json")
        soundfile.write(tmp_path / "song.wav", np.zeros(22050), 22050)
        data = ("--data", course_data)
        commands = [(evaluate, model, *data), (export, model, "--format", "litert")]
        if of == "run":
            report = json.loads((model / "report.json").read_text())
            report["model"] = str(model / "model.keras")  # as before it is exported
            (model / "report.json").write_text(json.dumps(report))
            commands += [(fit, "--resume", model)]
        else:
            commands += [(predict, tmp_path / "song.wav", "--models", folder / "saved_models")]
            commands += [(fit, "lstm-beat-mel", "--transfer", "--backbone", model, *data)]
        whole = file.read_bytes()
        values = json.loads(whole)
        others = [json.dumps(values | other).encode() for other in ({"format": 2}, {"feature_spec": []})]
        for damaged in (b"", whole[:500], b"[]", b"null", b"{}", b"\x93\xff\0" * 99, *others):
            file.write_bytes(damaged)
            for command, *arguments in commands:
                assert str(file) in mistake(command, tmp_path, capsys, *arguments)
        matrix = {"report": values["report"] | {"confusion_matrix": [["x"]]}}
        for damage in (
            {"frames": 0},
            {"frames": "x"},
            {"classes": []},
            {"recipe": []},
            {"report": 3},
            matrix,
        ):
            file.write_text(json.dumps(values | damage))
            assert str(file) in mistake(evaluate, tmp_path, capsys, model, *data)
        file.write_text(json.dumps(values | {"classes": values["classes"][1:]}))
        line = mistake(evaluate, tmp_path, capsys, model, *data)
        assert "model.keras: has outputs {'genre': 3}, and should have {'genre': 2} by its descr" in line

    def test_a_model_of_another_run_is_not_taken_for_this_one(
        self, fitted, course_data, tmp_path, capsys, copy_tree
    ):
        folder = copy_tree(fitted / "run")
        model = keras.models.load_model(folder / "model.keras")
        model.set_weights([weight + 0.25 for weight in model.get_weights()])
        model.save(folder / "model.keras")
        line = mistake(evaluate, tmp_path, capsys, folder, "--data", course_data)
        assert (
            f"{folder / 'model.keras'}: damaged, or of another model, by its checksum in model.sha256; "
            in line
        )

    def test_a_model_that_was_lost_is_made_again_of_the_checkpoint(self, fitted, copy_tree):
        folder = copy_tree(fitted)
        (folder / "run" / "model.keras").unlink()
        options = json.loads((folder / "run" / "run.json").read_text()) | {"export": False}
        (folder / "run" / "run.json").write_text(json.dumps(options))
        assert fit.main(["--resume", str(folder / "run")]) == 0
        for name in ("history.csv", "predictions.csv"):
            assert (folder / "run" / name).read_bytes() == (fitted / "run" / name).read_bytes()
        assert load(folder / "run").keras

    def test_what_a_finished_run_was_asked_for_is_no_matter(self, fitted, course_data, tmp_path, copy_tree):
        """Its description has the recipe as it was trained."""
        folder = copy_tree(fitted / "run")
        (folder / "recipe.toml").write_text("[")
        assert run(evaluate, tmp_path, folder, "--data", course_data) == 0
        scores = [json.loads((place / "report.json").read_text()) for place in (folder, tmp_path / "run")]
        assert scores[0]["confusion_matrix"] == scores[1]["confusion_matrix"]

    def test_a_run_that_somebody_works_on_is_not_resumed(self, fitted, capsys, copy_tree):
        folder = copy_tree(fitted / "run")
        with locked(folder):
            assert fit.main(["--resume", str(folder)]) == 2
        assert f"{folder}: process {os.getpid()} on" in capsys.readouterr().err

    def test_resume_of_nothing(self, tmp_path, capsys):
        assert fit.main(["--resume", str(tmp_path)]) == 2
        assert "no run in it" in capsys.readouterr().err

    def test_a_clip_too_short_for_the_cnn(self, course_data, tmp_path, capsys):
        line = mistake(fit, tmp_path, capsys, "cnn", "--data", course_data, "--sync", "beat", "--frames", "8")
        assert "64" in line

    def test_evaluate_of_a_model_that_is_not_there(self, fitted, tmp_path, capsys):
        line = mistake(evaluate, tmp_path, capsys, fitted / "saved_models" / "none")
        assert "none" in line

    def test_evaluate_on_other_features(self, fitted, course_data, tmp_path, capsys, copy_tree):
        data = copy_tree(course_data)
        spec = {"sample_rate": 44100}
        (data / "dataset.json").write_text(json.dumps({"name": "other", "feature_spec": spec}))
        line = mistake(evaluate, tmp_path, capsys, fitted / "saved_models" / "lstm-beat-mel", "--data", data)
        exported = fitted / "saved_models" / "lstm-beat-mel" / "1"
        assert line == (
            f"error: {exported}: trained on features of sample_rate 22050, but other has 44100; "
            "prepare the data again with the model's"
        )
        assert not (tmp_path / "run").exists()

    def test_a_full_disk_leaves_nothing_half_written(self, course_data, tmp_path, capsys, monkeypatch):
        def full(self, content):
            raise OSError(28, "No space left on device", str(self))

        monkeypatch.setattr(Path, "write_bytes", full)
        line = mistake(fit, tmp_path, capsys, "lstm-beat-mel", "--data", course_data, *SMALL_LSTM)
        assert "no space left" in line
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    @pytest.mark.slow
    def test_a_disk_that_fills_up_in_training(self, course_data, tmp_path, capsys, monkeypatch):
        write = Path.write_bytes

        def full(self, content):
            if self.name == "variables.npz":
                raise OSError(28, "No space left on device")
            return write(self, content)

        monkeypatch.setattr(Path, "write_bytes", full)
        line = mistake(fit, tmp_path, capsys, "lstm-beat-mel", "--data", course_data, *SMALL_LSTM)
        assert "checkpoint: no space left" in line
        assert {path.name for path in (tmp_path / "run").iterdir()} == {
            "cache",
            "logs",
            "recipe.toml",
            "run.json",
            "split.csv",
        }


@pytest.fixture
def copy_tree(tmp_path):
    import shutil

    def copy(source: Path) -> Path:
        return Path(shutil.copytree(source, tmp_path / "data"))

    return copy

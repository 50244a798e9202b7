"""The Python API: what the commands do, in a few lines, and nothing heavy before it is used."""

from __future__ import annotations

import ast
import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console

import keras_mir as km
from keras_mir.models.trained_model import TrainedModel
from keras_mir.predict.__main__ import main as predict
from pipelines.errors import ArgumentError, UserError

ROOT = Path(__file__).parents[2]
SMALL = {"units": 8, "layers": 1, "epochs": 3, "batch_size": 8}


@pytest.fixture(scope="module")
def trained(course_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    return km.train(
        "lstm-beat-mel", data=course_data, out=folder / "run", console=Console(quiet=True), **SMALL
    )


@pytest.fixture(scope="module")
def exported(trained):
    return trained.export(trained.folder.parent / "saved_models")


def test_a_trained_model_says_how_good_it_is(trained):
    assert trained.report.n == 12
    assert 0 <= float(trained.report.accuracy) <= 1
    assert list(trained.history.columns[:2]) == ["accuracy", "loss"]
    assert len(trained.history) == trained.report.training.epochs == 3
    assert isinstance(trained.keras, keras.Model)
    assert trained.classes == ("Blues", "Jazz", "Metal")
    assert trained.recipe.train.epochs == 3
    assert trained.report.headline in repr(trained)


def test_a_notebook_shows_its_report_and_its_learning_curves(trained, tmp_path):
    shown = trained._repr_html_()
    report, _, image = shown.partition("<img ")
    assert report == trained.report._repr_html_()
    assert "<table" in report
    (content,) = re.findall(r'src="data:image/png;base64,([^"]+)"', image)
    assert base64.b64decode(content) == (trained.folder / "learning_curves.png").read_bytes()
    assert len(shown) < 500_000
    assert TrainedModel("elsewhere", trained.description, tmp_path)._repr_html_() == report


@pytest.mark.slow
def test_a_run_and_an_export_load_as_what_was_trained(trained, exported):
    features = {"features": np.full((1, 9, 128), -40, np.float32), "lengths": np.array([9], np.int32)}
    answer = np.asarray(trained.keras(features)["genre"])
    for place in (trained.folder, str(exported.parent), exported):
        loaded = km.load(place)
        np.testing.assert_allclose(loaded.keras(features)["genre"], answer, rtol=1e-5)
        assert loaded.report.headline == trained.report.headline
        assert loaded.description.to_dict() == trained.description.to_dict()
    assert km.load("lstm-beat-mel", exported.parents[1]).folder == exported
    assert len(km.load(trained.folder).history) == 3
    assert km.load(exported).history.empty


@pytest.mark.slow
def test_it_is_evaluated_alike_as_a_keras_model_and_as_served(trained, exported, course_data, tmp_path):
    for model in (trained, km.load(exported)):
        report = model.evaluate(course_data, cache_dir=tmp_path)
        np.testing.assert_array_equal(report.confusion_matrix, trained.report.confusion_matrix)
        assert report.accuracy == trained.report.accuracy
    with pytest.raises(ArgumentError, match=r"^split nothing: course"):
        trained.evaluate(course_data, cache_dir=tmp_path, split="nothing")


@pytest.mark.slow
def test_it_answers_about_songs_alike_before_and_after_export(trained, exported, songs):
    here = trained.predict(songs / "a.flac")
    served = km.load(exported).predict(songs / "a.flac")
    assert here.genre == served.genre
    assert here.probabilities == pytest.approx(served.probabilities, abs=1e-3)
    samples = np.random.default_rng(0).uniform(-1, 1, 44100).astype(np.float32)
    assert set(trained.predict(samples, 22050).probabilities) == {"Blues", "Jazz", "Metal"}
    assert len(trained.predict(songs)) == 3


@pytest.mark.slow
def test_the_command_answers_by_a_run_as_by_its_model(trained, songs, capsys):
    assert predict([str(songs / "a.flac"), "--model", str(trained.folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    here = trained.predict(songs / "a.flac")
    assert answer["genre"] == here.genre
    assert answer["probabilities"] == pytest.approx(here.probabilities, abs=1e-6)


def test_errors_speak_of_arguments(course_data, tmp_path):
    with pytest.raises(ArgumentError, match=r"^name 'my model': use letters"):
        km.train(data=tmp_path / "nothing", name="my model", out=tmp_path / "run")
    with pytest.raises(ArgumentError, match=r"^seed -1: give a number from 0 to 4294967295"):
        km.train(data=course_data, seed=-1, out=tmp_path / "run")
    with pytest.raises(UserError, match=r"^recipe small-cnn: unknown setting 'epoch'; did you mean 'epochs'"):
        km.train(data=course_data, epoch=1, out=tmp_path / "run")
    with pytest.raises(UserError, match="no exported model"):
        km.load(tmp_path)
    assert not list(tmp_path.iterdir())


def test_errors_name_no_flag_without_its_command():
    files = [path for top in ("keras_mir", "pipelines") for path in (ROOT / top).rglob("*.py")]
    outside = [path for path in files if path.name != "__main__.py" and path.parent.name != "command_line"]
    assert len(outside) > 200
    said = [text for path in outside for text in _raised(ast.parse(path.read_text(encoding="utf-8")))]
    assert len(said) > 300
    flagged = [text for text in said if re.search(r"(?<![\w-])--[a-z]", text)]
    assert [text for text in flagged if "python -m" not in text and "pip install" not in text] == []


def _raised(tree: ast.AST) -> Iterator[str]:
    """The texts within exceptions that are raised."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield from _texts(node.exc)


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)


def test_importing_it_imports_nothing_heavy():
    script = (
        "import sys, keras_mir as km\n"
        "assert {'train', 'load', 'features', 'layers', 'recipes', 'similar', 'Predictor'} <= set(dir(km))\n"
        "heavy = {'tensorflow', 'keras', 'librosa', 'numpy', 'pandas', 'rich'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
        "try: km.nothing\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "module 'keras_mir' has no attribute 'nothing'"]


@pytest.mark.slow
def test_python_sees_no_log_lines_of_tensorflow(course_data, tmp_path):
    script = (
        "import sys, keras_mir as km\n"
        "from rich.console import Console\n"
        f"options = {SMALL!r} | {{'out': 'run', 'console': Console(quiet=True)}}\n"
        "model = km.train('lstm-beat-mel', data=sys.argv[1], **options)\n"
        "print(model.report.n)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(course_data)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stderr == ""
    assert done.stdout == "12\n"
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert Path(report["model"]) == Path("run/model.keras")

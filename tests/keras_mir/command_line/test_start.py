"""How the package starts: without TensorFlow's notes, and not beside another package of its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


def python(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
    )


def test_layers_are_imported_and_used_without_notes_of_tensorflow(tmp_path):
    code = """
from keras_mir.layers import FrontEnd
import tensorflow as tf

@tf.function  # whose retracing TensorFlow warns of
def double(x):
    return 2 * x

for number in range(9):
    double(number)
print(FrontEnd.__name__, tf.ones(3).shape, tf.__spec__.origin == tf.__file__)
"""
    done = python("-c", code, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "FrontEnd (3,) True\n", "")


@pytest.mark.parametrize("name", ["pipelines/__init__.py", "pipelines.py"])
class TestAnotherPipelines:
    @pytest.fixture
    def place(self, tmp_path, name):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('must not run')\n", encoding="utf-8")
        return tmp_path

    @pytest.fixture
    def problem(self, place, name):
        found = place / name.removesuffix("/__init__.py")
        return (
            f"{found}: hides the package of that name that keras_mir needs; use the command `keras-mir`, "
            "start in another folder, or rename what is there\n"
        )

    @pytest.mark.parametrize("words", [["keras_mir.fit", "--list"], ["keras_mir", "--version"]])
    def test_commands_say_so_in_one_line(self, place, problem, words):
        done = python("-m", *words, cwd=place)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {problem}")

    def test_python_is_told_the_same(self, place, problem):
        done = python("-c", "import keras_mir.layers", cwd=place)
        assert done.returncode == 1
        assert done.stderr.endswith(f"\nImportError: {problem}")

    def test_the_console_script_works(self, place, name):
        # A script's own folder comes first on Python's path, and not the one it is started in.
        script = place / "bin" / "keras-mir"
        script.parent.mkdir()
        script.write_text(
            "import sys; from keras_mir.__main__ import main; sys.exit(main())", encoding="utf-8"
        )
        done = python(str(script), "fit", "--version", cwd=place)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_that_is_no_package_is_not_in_the_way(tmp_path):
    (tmp_path / "pipelines").mkdir()
    done = python("-m", "keras_mir", "--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("imports", ["keras, keras_mir", "keras_mir, keras"])
def test_keras_knows_the_layers_once_the_package_is_imported(tmp_path, imports):
    code = f"import {imports}; print(keras.saving.get_registered_object('keras_mir>LengthMask'))"
    done = python("-c", code, cwd=tmp_path)
    found = "<class 'keras_mir.layers.network.masks.LengthMask'>\n"
    assert (done.returncode, done.stdout) == (0, found), done.stderr

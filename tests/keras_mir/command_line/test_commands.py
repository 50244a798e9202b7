"""`keras-mir COMMAND`: what it lists, starts and refuses, in little time, and what shells complete."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keras_mir import __version__
from keras_mir.__main__ import COMMANDS, main

REPOSITORY = Path(__file__).parents[3]
HELP = """\
usage: keras-mir COMMAND ...

Music genre recognition, tagging and affect regression, from audio to a model behind TF Serving.

commands:
  prepare       extract features from audio and its labels, once
  fit           train a model, evaluate and export it
  evaluate      evaluate a trained model on labelled clips
  compare       set runs side by side on the same clips
  predict       genre, tags or affect of songs, written into their files where asked
  embed         make vectors of songs, by which those that sound alike are found
  similar       find songs that sound alike, write playlists and a map
  export        write a trained model for TF Serving, LiteRT or ONNX
  serve         serve exported models on this machine
  data-service  load training examples in processes of their own
  beam          extract features, embed and predict on Apache Beam
  reproduce     run a paper's experiments and write a page about them
  completion    print a script by which a shell completes commands and options

options:
  -h, --help  show this help message and exit
  --version   show program's version number and exit

A command's own options: keras-mir COMMAND --help
"""


def python(*words: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


@pytest.fixture(autouse=True)
def _started_by_script(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/keras-mir"])
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize("words", [["--help"], []])
def test_help_lists_the_commands(capsys, words):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert capsys.readouterr().out == HELP


@pytest.mark.parametrize("words", [["--version"], ["fit", "--version"], ["data-service", "--version"]])
def test_version(capsys, words):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert capsys.readouterr().out == f"keras-mir {__version__}\n"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("fitt", "did you mean fit?"),
        ("data-servis", "did you mean data-service?"),
        (
            "xyz",
            "there are prepare, fit, evaluate, compare, predict, embed, similar, export, serve, "
            "data-service, beam, reproduce, completion",
        ),
    ],
)
def test_an_unknown_command_is_told_the_nearest(capsys, name, advice):
    assert main([name, "--data", "DATA"]) == 2
    assert capsys.readouterr().err == f"error: {name}: no such command; {advice}\n"


def test_a_command_gets_its_words_and_gives_its_status(capsys):
    assert main(["evaluate", "/no/model"]) == 2
    assert capsys.readouterr().err.startswith("error: /no/model: ")


@pytest.mark.parametrize("name", COMMANDS)
def test_usage_is_what_was_typed_by_script(capsys, name):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: keras-mir {name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_line_that_cannot_be_read_has_the_usage_before_it(capsys, name):
    with pytest.raises(SystemExit) as end:
        main([name, "--no-such-option"])
    usage, *_, line = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert usage.startswith(f"usage: keras-mir {name} ")
    assert line.startswith(f"keras-mir {name}: error: ")


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["keras_mir.data_service"], "usage: python -m keras_mir.data_service ["),
        (["keras_mir", "data-service"], "usage: python -m keras_mir data-service ["),
    ],
)
def test_usage_is_what_was_typed_by_module(words, start):
    assert python("-m", *words, "--help").stdout.startswith(start)


def test_only_the_command_asked_for_is_imported():
    for words, wanted in ((["--help"], set()), (["serve", "--help"], {"serve"})):
        code = (
            "import sys\nfrom keras_mir.__main__ import main\n"
            f"try: main({words})\n"
            "except SystemExit: pass\n"
            "heavy = {'tensorflow', 'keras', 'librosa', 'numpy', 'pandas', 'matplotlib', 'rich', 'shtab'}\n"
            "print(*sorted(heavy & sys.modules.keys()), *(m for m in sys.modules if m.count('.') == 1))"
        )
        done = python("-c", code)
        imported = {m.partition(".")[2] for m in done.stdout.splitlines()[-1].split() if "keras_mir" in m}
        assert imported - {"__main__", "command_line"} == wanted, done.stderr
        assert not {m for m in done.stdout.splitlines()[-1].split() if "." not in m}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = python("-m", "keras_mir", "completion", "bash")
    assert done.returncode == 0, done.stderr
    path = tmp_path_factory.mktemp("completion") / "keras-mir"
    path.write_text(done.stdout, encoding="utf-8")
    return path


class TestCompletion:
    @pytest.fixture
    def complete(self, script, tmp_path):
        if (bash := shutil.which("bash")) is None:
            pytest.skip("no bash")
        (tmp_path / "data").mkdir()
        (tmp_path / "date.csv").touch()

        def complete(*words: str) -> list[str]:
            code = (
                f"source '{script}'; COMP_WORDS=(keras-mir \"$@\"); COMP_CWORD=$#; _shtab_keras_mir; "
                'printf "%s\\n" "${COMPREPLY[@]}"'
            )
            done = subprocess.run(
                [bash, "-c", code, "bash", *words], capture_output=True, text=True, check=True, cwd=tmp_path
            )
            return sorted(done.stdout.split())

        return complete

    def test_bash_takes_the_script(self, script):
        if (bash := shutil.which("bash")) is None:
            pytest.skip("no bash")
        done = subprocess.run([bash, "-n", script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def test_commands_options_choices_and_files(self, complete):
        assert complete("") == sorted(COMMANDS)
        assert complete("fit", "--learn") == ["--learning-rate"]
        assert complete("data-service", "--j") == ["--join"]
        assert complete("export", "--format", "") == ["litert", "onnx", "savedmodel", "zip"]
        assert complete("fit", "--data", "da") == ["data"]
        assert complete("fit", "--labels", "da") == ["data", "date.csv"]

    @pytest.mark.parametrize(("shell", "start"), [("zsh", "#compdef keras-mir\n"), ("tcsh", "")])
    def test_other_shells(self, capsys, shell, start):
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        assert script.startswith(start)
        assert "learning-rate" in script

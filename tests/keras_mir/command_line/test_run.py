"""The runner of all commands: exit status, and mistakes in one line and the option's spelling."""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from keras_mir.command_line.run import run
from keras_mir.recipes.flags import add_setting_flags
from pipelines.errors import ArgumentError, UserError


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("songs", nargs="*", metavar="SONG_OR_FOLDER")
    parser.add_argument("model", nargs="?")
    parser.add_argument("-l", "--split-lists")
    parser.add_argument("--recipe", dest="recipe_file")
    add_setting_flags(parser)
    return parser


def test_options_of_a_command_within_a_command(capsys):
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("embed").add_argument("--out-place")
    assert run(parser, raising(ArgumentError("out_place", "x", "a file")), ["embed"]) == 2
    assert capsys.readouterr().err == "error: --out-place x: a file\n"


def raising(error):
    def body(arguments):
        raise error

    return body


@pytest.mark.parametrize("by_tensorflow", [False, True])
def test_too_little_memory_is_one_line(parser, capsys, by_tensorflow):
    error = tf.errors.ResourceExhaustedError(None, None, "OOM") if by_tensorflow else MemoryError()
    assert run(parser, raising(error), []) == 2
    said = "error: too little memory for this; close other programs, or give less at a time\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("status", [0, 1])
def test_the_body_gets_the_arguments_and_gives_the_status(parser, status):
    def body(arguments):
        assert (arguments.songs, arguments.split_lists) == (["a.wav"], "mine")
        return status

    assert run(parser, body, ["a.wav", "--split-lists", "mine"]) == status


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--recipe", ""], "--recipe"),
        (["--recipe="], "--recipe"),
        (["--epochs", ""], "--epochs"),
        ([""], "an argument"),
        (["a.wav", ""], "an argument"),
    ],
)
def test_an_empty_argument_is_refused_and_is_no_path(parser, words, name, capsys):
    assert run(parser, raising(AssertionError), words) == 2
    assert capsys.readouterr().err == f"error: {name}: empty; give a value, or leave it out\n"


def test_a_refusal_of_any_length_is_a_line_that_can_be_read(parser, capsys):
    assert run(parser, raising(UserError(f"t.csv: line 3, tags {'x' * 10**6}; write a,b")), []) == 2
    line = capsys.readouterr().err
    assert len(line) < 1100
    assert line.startswith("error: t.csv: line 3, tags xxx")
    assert line.endswith("x; write a,b\n")


@pytest.mark.parametrize(
    ("argument", "spelling"),
    [
        ("split_lists", "--split-lists"),
        ("group_by", "--group-by"),
        ("recipe_file", "--recipe"),
        ("learning_rate", "--learning-rate"),
        ("mixed_precision", "--mixed-precision"),
        ("songs", "SONG_OR_FOLDER"),
        ("model", "model"),
        ("nothing_of_ours", "nothing_of_ours"),
    ],
)
def test_an_argument_is_called_by_its_option(parser, capsys, argument, spelling):
    assert run(parser, raising(ArgumentError(argument, "x", "there is none")), []) == 2
    assert capsys.readouterr().err == f"error: {spelling} x: there is none\n"
    assert run(parser, raising(ArgumentError(argument, None, "give one")), []) == 2
    assert capsys.readouterr().err == f"error: {spelling}: give one\n"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UserError("a.wav: damaged; leave it out"), 2, "error: a.wav: damaged; leave it out\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/full/x"),
            2,
            "error: /full/x: no space left on device; free some space or choose another folder\n",
        ),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_what_a_user_may_cause_is_one_line(parser, capsys, error, status, said):
    assert run(parser, raising(error), []) == status
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("encoding", "name", "remedy"),
    [("ascii", "東.wav", "set PYTHONUTF8=1"), ("utf-8", "\udcff", "rename it")],
)
def test_a_name_that_the_locale_has_no_letters_for(parser, capsys, monkeypatch, encoding, name, remedy):
    error = UnicodeEncodeError(encoding, f"a\n{name}\0b", 2, 3, "not in range")
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "latin-1")
    with pytest.raises(UnicodeEncodeError):
        run(parser, raising(error), [])
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    assert run(parser, raising(error), []) == 2
    shown = name.encode("utf-8", "backslashreplace").decode()
    said = f"error: {shown}: no name in this terminal's encoding, {encoding}; {remedy}\n"
    assert capsys.readouterr().err.replace("\udcff", "\\udcff") == said


def test_a_working_folder_that_is_gone_is_said(parser, capsys, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run(parser, lambda arguments: Path("out").mkdir(parents=True), []) == 2
    assert capsys.readouterr().err == (
        "error: the folder that this was started in is no longer there; change to another\n"
    )


@pytest.mark.parametrize("error", [ValueError("ours"), OSError(errno.EIO, "broken"), BrokenPipeError()])
def test_what_is_not_the_users_keeps_its_traceback(parser, error):
    with pytest.raises(type(error)):
        run(parser, raising(error), [])


@pytest.mark.parametrize("lines", [3, 100_000])
def test_who_has_read_enough_ends_it_quietly(lines):
    code = (
        "import argparse, sys; from keras_mir.command_line.run import run\n"
        f"def body(_):\n    sys.stdin.readline()\n    for n in range({lines}): print(n)\n    return 0\n"
        "sys.exit(run(argparse.ArgumentParser(), body, []))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"now\n")
        process.stdin.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("words", [["--help"], ["fit", "--version"], ["fit", "--list"]])
def test_what_cannot_be_printed_is_said_in_a_line(words):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "keras_mir", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "PYTHONUNBUFFERED": "",
            },
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: standard output: no space left on device; ")
    assert ended.stderr.count("\n") == 1

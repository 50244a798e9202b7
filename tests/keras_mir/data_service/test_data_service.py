"""`fit` with a tf.data service in processes of its own: the same numbers, and every mistake one line."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keras_mir.data_service import __main__ as data_service
from keras_mir.fit import __main__ as fit

REPOSITORY = Path(__file__).parents[3]
SMALL = (
    "lstm-beat-mel",
    "--units",
    "8",
    "--layers",
    "1",
    "--epochs",
    "2",
    "--batch-size",
    "8",
    "--no-export",
)
CHANGES = ("--batch-size", "8", "--freq-mask", "20", "--time-mask", "8", "--mixup", "0.2", "--bucket")


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, running, and the line it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_mir.data_service", "--expose", "--workers", "2", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdout
    yield process, process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.slow
def test_fit_gives_the_same_numbers_until_the_service_is_gone(service, course_data, tmp_path, capsys):
    process, line = service
    found = re.fullmatch(
        r"tf.data service at (grpc://127.0.0.1:\d+), open on every interface of this machine, "
        r"2 workers; Ctrl-C stops it\n",
        line,
    )
    assert found, line

    def run(name: str, *more: str) -> int:
        return fit.main([*SMALL, *CHANGES, "--data", str(course_data), "--out", str(tmp_path / name), *more])

    assert run("here") == 0
    assert run("there", "--data-service", found[1]) == 0
    assert "did not come from the data service" not in capsys.readouterr().out
    here, there = ((tmp_path / name / "history.csv").read_text() for name in ("here", "there"))
    assert there == here
    assert "data_service" not in (tmp_path / "there" / "run.json").read_text()  # a run may go on without

    process.terminate()  # Ctrl-C is deaf where a shell started the tests in the background
    assert process.communicate(timeout=60)[0] == "stopped\n"  # and nothing of TensorFlow's
    assert process.returncode == 130
    assert run("gone", "--data-service", found[1]) == 2
    (refusal,) = capsys.readouterr().err.splitlines()
    assert refusal.startswith(
        f"error: --data-service {found[1]}: no tf.data service answers there; start one"
    )
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    "options", [[], ["--host", "127.0.0.1"], ["--host", "192.0.2.1"], ["--join", "grpc://127.0.0.1:1"]]
)
def test_nothing_is_opened_to_the_network_unasked(options, capsys, monkeypatch):
    monkeypatch.setattr("keras_mir.data_service.service.serve", lambda *_: pytest.fail("started"))
    assert data_service.main(options) == 2
    assert capsys.readouterr().err == (
        "error: a data service (grpc://) listens on every interface of this machine, and whoever reaches it "
        "can read and write your files; where you trust everyone who does, start it with --expose\n"
    )


def test_a_port_that_is_taken_is_refused(capsys):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        assert data_service.main(["--expose", "--port", str(port)]) == 2
    assert (
        capsys.readouterr().err
        == f"error: --port {port}: taken; choose another one, or 0 for any that is free\n"
    )


def test_joining_nobody_is_refused(capsys):
    assert data_service.main(["--expose", "--join", "grpc://127.0.0.1:1"]) == 2
    (refusal,) = capsys.readouterr().err.splitlines()
    assert refusal.startswith("error: --join grpc://127.0.0.1:1: no tf.data service answers there")


def test_help_needs_no_tensorflow():
    script = (
        "import sys\n"
        "from keras_mir.data_service.__main__ import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'grpc')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, env={"PYTHONPATH": str(REPOSITORY)}
    )
    assert done.returncode == 0, done.stderr

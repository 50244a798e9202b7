"""Clips of two genres, one of them damaged, and what runs a command on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
GENRES = ("Jazz", "Metal")
CLIPS = 4  # of each genre

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def music(tmp_path_factory) -> Path:
    """Eight clips of 2 s in folders, one that is no music, and `labels.csv`."""
    import soundfile

    from pipelines.synthetic.render import render_clip

    folder = tmp_path_factory.mktemp("beam") / "MUSIC"
    lines = ["file,genre,artist"]
    for genre in GENRES:
        (folder / genre).mkdir(parents=True)
        for number in range(CLIPS):
            file = f"{genre}/{genre}{number}.flac"
            soundfile.write(folder / file, render_clip(genre, number, 2.0).audio, 22050)
            lines.append(f"{file},{genre},{genre} {number}")
    (folder / "Jazz" / "bad.flac").write_bytes(b"fLaC and no more")
    lines.append("Jazz/bad.flac,Jazz,nobody")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # Beam starts `python`
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "NO_COLOR": "1", "COLUMNS": "400"}
    return {**os.environ, "PYTHONPATH": path, "PATH": programs, **quiet}


@pytest.fixture(scope="session")
def run(environment) -> Run:
    """Run a command, `beam embed` for one, to its end."""

    def run(command: str, *words: object, more: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        name, *rest = command.split()
        line = [sys.executable, "-m", f"keras_mir.{name}", *rest, *map(str, words), *more]
        return subprocess.run(
            line, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=environment, timeout=600
        )

    return run

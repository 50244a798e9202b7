"""The command line from audio to a data set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from keras_mir.prepare.__main__ import main
from pipelines.datasets.course import load_course

RATE = 22050


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    """A folder of four clips, with `labels.csv` beside it."""
    folder = tmp_path / "audio"
    folder.mkdir()
    lines = ["file,genre,calm,power"]
    for number in range(4):
        noise = 0.1 * np.random.default_rng(number).standard_normal(RATE)
        soundfile.write(folder / f"{number}.wav", noise, RATE)
        lines.append(f"{number}.wav,{'Rock' if number % 2 else 'Folk'},.{number},.5")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return folder


def arguments(audio: Path, *more: str) -> list[str]:
    folder = audio.parent
    paths = [str(audio), "--labels", str(folder / "labels.csv"), "--out", str(folder / "my data")]
    return [*paths, "--test-fraction", ".5", "--jobs", "1", *more]


def test_a_data_set_comes_out_and_the_next_command_is_told(
    audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (audio / "extra.wav").touch()
    assert main(arguments(audio, "--targets", "calm", "--name", "mine", "--hop-length", "1024")) == 0
    lines = capsys.readouterr().out.splitlines()
    data = audio.parent / "my data"
    assert lines[-2:] == [f"data in {data}", f"next: python -m keras_mir.fit small-cnn --data '{data}'"]
    assert "4 extracted, 0 already there, 0 failed" in lines
    assert any(line.startswith("warning: 1 audio file has no line in") for line in lines)
    examples = load_course(data, "affect", synced=False)
    assert (examples.name, examples.targets, examples.spec.hop_length) == ("mine", ("calm",), 1024)


def test_failures_are_shown_in_a_table_and_in_the_status(
    audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(audio / "2.wav", np.zeros(RATE), RATE)
    assert main(arguments(audio)) == 1
    printed = capsys.readouterr().out
    assert "1 clip could not be extracted" in printed
    assert "silent" in printed
    assert "3 extracted, 0 already there, 1 failed" in printed
    assert main(arguments(audio)) == 1
    assert "0 extracted, 3 already there, 1 failed" in capsys.readouterr().out


def test_nothing_extracted_is_no_data_set(audio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        soundfile.write(audio / f"{number}.wav", np.zeros(RATE), RATE)
    assert main(arguments(audio)) == 1
    streams = capsys.readouterr()
    assert "no clip could be extracted" in streams.err
    assert "next:" not in streams.out


def test_mistakes_end_with_status_2_and_one_line(audio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(audio, "--targets", "joy")) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "no target 'joy'; numeric columns are calm, power" in error


def test_starting_up_imports_nothing_heavy() -> None:
    code = (
        "import sys, keras_mir.prepare.__main__ as p\n"
        "try: p.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('tensorflow', 'librosa', 'pandas', 'numba') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_extraction_needs_no_tensorflow() -> None:
    code = "import sys; sys.modules['tensorflow'] = None; import pipelines.extraction.dataset"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)

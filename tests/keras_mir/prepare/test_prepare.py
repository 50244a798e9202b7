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


def test_what_was_understood_is_printed_before_any_work(
    audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = audio.parent / "labels.csv"
    table.write_text(
        "File Name;Label;calm;power;bpm;loud [dB];title;artist;split\n"
        "0.wav;Folk;0,5;;120;1;one\u2028two;Ann;val\n1.wav;rock;0,25;2;99;2;x;Ann;train\n"
        "2.wav;nan;-1;3;98;3;y;Bob;test\n3.wav;Rock;1;4;97;4;z;nan;test\n",
        encoding="utf-8",
    )
    assert main(arguments(audio)) == 0
    assert capsys.readouterr().out.splitlines()[:12] == [
        f"{table}: 4 clips",
        "  2 classes: Folk 1, rock 2; 1 clip without",
        "  target calm: -1 to 1, 4 clips",
        "  split by the table: train 2, test 2",
        "  other columns, kept: title, artist",
        "  note: column 'bpm' is no target: it is rarely of affect; ask for it if it is",
        "  note: column 'loud [dB]' is no target: an output's name may hold letters a-z, digits, '_', '.' "
        "and '-' only; rename the column",
        "  note: column 'power' is no target: line 2 has other targets, and none here",
        "  note: column 'File Name' is taken for the file",
        "  note: column 'Label' is taken for the genre",
        "  note: 'Rock' is taken for 'rock', from which it differs in case or blanks alone",
        "  note: split 'val' is taken for train, since fit makes a validation part of its own",
    ]
    table.write_text(
        "file,genre,bpm,band,\n0.wav,Folk,1,a,\n1.wav,Folk,2,b,x\n2.wav,Pop,3,c,\n3.wav,Pop,4,,\n"
    )
    assert main(arguments(audio, "--targets", "none", "--group-by", "band", "--out", f"{audio}/../two")) == 0
    assert capsys.readouterr().out.splitlines()[:6] == [
        f"{table}: 4 clips",
        "  2 classes: Folk 2, Pop 2",
        "  no affect targets",
        "  split: 50% to test on, drawn with seed 0, no band on both sides",
        "  other columns, kept: bpm, band",
        "  note: column 5 has no name; left out",
    ]
    table.write_text("file,tempo\n0.wav,120\n")
    assert main(arguments(audio)) == 2
    assert capsys.readouterr().out == ""


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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "AUDIO_DIR: name the folder of the audio, or a data set with --mirdata"),
        (["M", "--data-home", "M"], "--data-home M: is for --mirdata; name the data set with that"),
        (["M", "--mirdata", "toy"], "AUDIO_DIR: mirdata's toy has its own; leave it out"),
        (["--mirdata", "toy", "--labels", "L"], "--labels: mirdata's toy has its own; leave it out"),
        (["--mirdata", "toy", "--check"], "--data-home: name the folder that is to be checked"),
    ],
)
def test_a_folder_or_a_data_set_of_mirdata(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*given, "--out", "DATA"]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


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


def test_tags_are_kept_and_read_back(audio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = audio.parent / "labels.csv"
    table.write_text(
        'file,tags\n0.wav,"rock, live"\n1.wav,live\n2.wav,rock\n3.wav,"ROCK,live,""so called"""\n'
    )
    assert main(arguments(audio)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        f"{table}: 4 clips",
        '  3 tags: "so called" 1, live 3, rock 3',
        "  no affect targets",
        "  split: 50% to test on, drawn with seed 0",
        "  note: 'ROCK' is taken for 'rock', from which it differs in case or blanks alone",
    ]
    data = audio.parent / "my data"
    assert lines[-1] == f"next: python -m keras_mir.fit small-cnn-tags --data '{data}'"
    examples = load_course(data, "tags", synced=True)
    assert (examples.tags, examples.targets, examples.synced) == (('"so called"', "live", "rock"), (), True)
    found = dict(zip(examples.table["id"], examples.table["tags"], strict=True))
    assert found == {
        "0": ("live", "rock"),
        "1": ("live",),
        "2": ("rock",),
        "3": ('"so called"', "live", "rock"),
    }
    # Chosen by name: another run links what is there.
    assert main(arguments(audio, "--tags", "live,rock")) == 0
    assert "0 extracted, 4 already there, 0 failed" in capsys.readouterr().out
    assert load_course(data, "tags", synced=False).tags == ("live", "rock")
    table.write_text("file,rock,live\n0.wav,1,1\n1.wav,0,1\n2.wav,1,0\n3.wav,0,0\n")
    assert main(arguments(audio, "--tags", "rock,live")) == 0
    examples = load_course(data, "tags", synced=False)
    assert examples.table.set_index("id")["tags"].to_dict() == {
        "0": ("rock", "live"),
        "1": ("live",),
        "2": ("rock",),
        "3": (),
    }
    assert main(arguments(audio, "--tags", "rock,polka")) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: --tags polka: {table} has no such tag or column; there is no column tags"
    )

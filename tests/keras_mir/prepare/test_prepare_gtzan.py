"""GTZAN in miniature, with and without the lists of its artist-filtered split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from keras_mir.prepare.__main__ import main
from pipelines.datasets.audio import load_labelled_audio
from pipelines.datasets.course import load_course
from pipelines.datasets.gtzan import recognises
from pipelines.datasets.labels import LabelledAudio
from pipelines.errors import UserError

RATE = 22050
CLIPS = ("blues.00000.wav", "blues.00029.au", "jazz.00001.wav", "jazz.00002.wav")


@pytest.fixture
def genres(tmp_path: Path) -> Path:
    """Four clips of two genres."""
    folder = tmp_path / "genres"
    for seed, name in enumerate(CLIPS):
        path = folder / name.partition(".")[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.random.default_rng(seed).standard_normal(2 * RATE), RATE)
    return folder


def write_lists(folder: Path, *contents: str) -> list[Path]:
    paths = [folder / f"{name}_filtered.txt" for name in ("train", "valid", "test")]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content)
    return paths


@pytest.fixture
def lists(tmp_path: Path) -> list[Path]:
    """As published: names end in .wav whatever the copy has; Windows line ends, none after the last."""
    return write_lists(
        tmp_path,
        "blues/blues.00029.wav\r\njazz/jazz.00054.wav\r\n",
        "jazz/jazz.00001.wav\n",
        "blues/blues.00000.wav",
    )


def load_gtzan(folder: Path, lists: list[Path] | None = None) -> LabelledAudio:
    return load_labelled_audio(folder, None, layout="gtzan", split_lists=lists)


def prepare(genres: Path, *more: str | Path) -> int:
    out = ["--out", str(genres.parent / "data"), "--jobs", "1"]
    return main([str(genres), *out, *map(str, more)])


def test_lists_make_the_split(genres: Path, lists: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    (genres / "jazz" / "jazz.00054.wav").write_bytes(b"RIFF, so they say")
    assert prepare(genres, "--split-lists", *lists) == 0
    printed = capsys.readouterr().out
    assert "warning: 1 audio file has no line in the split lists; left out" in printed
    assert "1 clip known to be damaged, left out" in printed
    assert "3 extracted, 0 already there, 0 failed, 1 left out" in printed
    examples = load_course(genres.parent / "data", "genre", synced=True)
    assert examples.table.set_index("id")[["genre", "split"]].T.to_dict("list") == {
        "blues_00029": ["blues", "train"],
        "jazz_00001": ["jazz", "train"],
        "blues_00000": ["blues", "test"],
    }
    assert examples.name == "GTZAN (artist-filtered split)"
    assert "no licence stated" in examples.licence
    assert "Tzanetakis" in examples.licence
    assert "Sturm" in examples.licence


def test_without_lists_every_report_says_that_artists_are_not_kept_apart(
    genres: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(genres, "--test-fraction", ".5") == 0
    assert "note: the split will not be artist-filtered" in capsys.readouterr().out
    examples = load_course(genres.parent / "data", "genre", synced=False)
    assert examples.name == "GTZAN (not artist-filtered)"
    assert examples.table["split"].value_counts().to_dict() == {"train": 2, "test": 2}
    assert json.loads((genres.parent / "data" / "dataset.json").read_text())["test_fraction"] == 0.5


def test_a_clip_that_should_be_good_still_fails(genres: Path, lists: list[Path]) -> None:
    (genres / "jazz" / "jazz.00001.wav").write_bytes(b"no audio")
    assert prepare(genres, "--split-lists", *lists) == 1


def test_a_copy_without_the_damaged_clip_is_complete(genres: Path, lists: list[Path]) -> None:
    loaded = load_gtzan(genres, lists)
    assert len(loaded.labels) == 3
    assert loaded.notes == (f"left out: jazz.00054, not in {genres}",)


def test_only_clips_of_gtzan_are_taken(genres: Path) -> None:
    for name in (
        "blues/._blues.00000.wav",
        "blues/jazz.00007.wav",
        "blues/blues.7.wav",
        "polka/polka.00001.wav",
    ):
        (genres / name).parent.mkdir(exist_ok=True)
        (genres / name).touch()
    assert len(load_gtzan(genres).labels) == 4
    assert recognises(genres, None)
    assert not recognises(genres / "polka", None)
    assert not recognises(genres / "nowhere", None)


def test_mistakes_are_named(genres: Path, tmp_path: Path) -> None:
    good = ("blues/blues.00000.wav", "jazz/jazz.00001.wav", "jazz/jazz.00002.wav")
    for position, line, message in (
        (0, "\n \n", "train_filtered.txt: the file is empty"),
        (1, "jazz/jazz.00099.wav", "'jazz.00099' is in the split lists and not in the folder"),
        (1, "\njazz/jazz.mp3", "valid_filtered.txt: line 2: 'jazz/jazz.mp3' is not as blues/blues.00029.wav"),
        (
            2,
            "blues/blues.00000.wav",
            "test_filtered.txt: line 1: blues.00000 is there twice, or in a list before",
        ),
    ):
        contents = [*good[:position], line, *good[position + 1 :]]
        with pytest.raises(UserError, match=message):
            load_gtzan(genres, write_lists(tmp_path, *contents))
    lists = write_lists(tmp_path, *good)
    lists[1].write_bytes(b"caf\xe9")
    with pytest.raises(UserError, match=r"valid_filtered.txt: not UTF-8 text"):
        load_gtzan(genres, lists)
    lists[1].unlink()
    with pytest.raises(UserError, match=r"valid_filtered.txt: no such file"):
        load_gtzan(genres, lists)
    with pytest.raises(UserError, match=r"no such folder"):
        load_gtzan(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no clip such as blues/blues.00029.wav"):
        load_gtzan(genres / "blues")
    (genres / "blues" / "blues.00029.wav").touch()
    with pytest.raises(UserError, match=r"blues.00029.wav: blues/blues.00029.au is the same clip"):
        load_gtzan(genres)


def test_the_command_says_what_is_wrong_in_one_line(genres: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, message in (
        (("--split-lists", "a.txt", "b.txt", "c.txt"), "error: a.txt: no such file"),
        (("--targets", "valence"), "error: --targets: GTZAN has genres alone; leave it out"),
        (("--layout", "table"), "are not known; name their table"),
        (("--group-by", "artist"), "has no such column; it has id, file, genre"),
    ):
        assert prepare(genres, *options) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1

"""Audio files are found, and decoded whole or in parts to the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.errors import UserError
from pipelines.extraction import audio_files
from pipelines.extraction.audio_files import Sound, decode, decode_parts

RATE = 8000


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (2 * RATE + 123, 2))
    soundfile.write(path, noise, RATE, subtype="PCM_16")
    return path


def unreadable(path: Path, seconds: float | None) -> Iterator[Sound]:
    raise soundfile.LibsndfileError(1)


@pytest.mark.parametrize("fallback", [False, True])
def test_parts_follow_each_other_without_gaps(
    stereo: Path, fallback: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = soundfile.read(stereo, dtype="float32")[0].T
    if fallback:
        monkeypatch.setattr(audio_files, "_by_soundfile", unreadable)
    whole = decode(stereo)
    assert whole.rate == RATE
    assert whole.samples.dtype == np.float32
    np.testing.assert_array_equal(whole.samples, expected)
    parts = [part.samples for part in decode_parts(stereo, 0.5)]
    assert [part.shape for part in parts] == [(2, RATE // 2)] * 4 + [(2, 123)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), expected)


def test_a_file_of_whole_parts_has_no_empty_one(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros(RATE), RATE)
    assert [part.samples.shape for part in decode_parts(tmp_path / "song.wav", 0.5)] == [(1, RATE // 2)] * 2
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    assert [part.samples.shape for part in decode_parts(tmp_path / "empty.wav", 0.5)] == [(1, 0)]


def test_that_a_file_is_cut_off_shows_in_parts_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "whole.ogg", np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE), RATE)
    content = (tmp_path / "whole.ogg").read_bytes()
    cut = tmp_path / "cut.ogg"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"cut\.ogg: (truncated|cannot be decoded)"):
        list(decode_parts(cut, 0.5))


def test_files_are_found_at_any_depth_by_their_names(tmp_path: Path) -> None:
    for name in ("b.WAV", "deep/er/a.opus", "deep/._a.mp3", "notes.txt", "c.aac"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.mp3").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in audio_files.audio_files(tmp_path)]
    assert found == ["b.WAV", "c.aac", "deep/er/a.opus"]

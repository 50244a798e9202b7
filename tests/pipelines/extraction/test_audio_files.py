"""Audio files are found, and decoded whole or in parts to the same samples."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import audioread
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
        monkeypatch.setattr(audio_files, "_is_of_other_kind", lambda path: True)
    whole = decode(stereo)
    assert whole.rate == RATE
    assert whole.samples.dtype == np.float32
    np.testing.assert_array_equal(whole.samples, expected)
    parts = [part.samples for part in decode_parts(stereo, 0.5)]
    assert [part.shape for part in parts] == [(2, RATE // 2)] * 4 + [(2, 123)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), expected)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.wav", b"not audio at all\n" * 50),
        ("page.mp3", b"<!DOCTYPE html><html><body>404</body></html>"),
        ("cover.m4a", b"\x89PNG\r\n\x1a\n" + bytes(200)),
        ("photo.ogg", b"\xff\xd8\xff\xe0" + bytes(200)),
        ("half.flac", b"fLaC" + bytes(200)),
    ],
)
def test_what_is_no_audio_is_not_handed_to_a_decoder_that_guesses(
    tmp_path: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ffmpeg makes noise of a text."""
    monkeypatch.setattr(audioread, "audio_open", lambda path: pytest.fail("was handed on"))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: cannot be decoded; it is damaged, not audio, or"):
        decode(tmp_path / name)


@pytest.mark.parametrize("begin", [b"\0\0\0\x20ftypM4A \0\0\0\0", b"\xff\xf1\x50\x40", b"\x1a\x45\xdf\xa3"])
def test_kinds_that_soundfile_does_not_read_are_known_by_how_they_begin(
    tmp_path: Path, begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_decoder(path: str) -> None:
        handed_on.append(path)
        raise audioread.NoBackendError

    handed_on: list[str] = []
    monkeypatch.setattr(audioread, "audio_open", no_decoder)
    song = tmp_path / "song.mp3"  # the name may be wrong
    song.write_bytes(begin + bytes(200))
    with pytest.raises(UserError, match=r"no decoder for \(ffmpeg adds m4a\)"):
        decode(song)
    assert handed_on == [str(song)]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here")
def test_ffmpeg_decodes_m4a(stereo: Path) -> None:
    song = stereo.with_suffix(".m4a")
    subprocess.run(["ffmpeg", "-v", "error", "-i", stereo, song], check=True)
    whole = decode(song)
    assert whole.rate == RATE
    assert whole.samples.shape[0] == 2
    assert whole.samples.shape[1] == pytest.approx(2 * RATE, rel=0.1)


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

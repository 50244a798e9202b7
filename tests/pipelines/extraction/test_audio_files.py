"""Audio files are found, and decoded whole or in parts to the same samples."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import audioread
import numpy as np
import pytest
import soundfile

from pipelines.errors import UserError
from pipelines.extraction import audio_files
from pipelines.extraction.audio_files import decode, decode_parts
from pipelines.extraction.containers import mp4_sound

W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"  # how its sound begins
RATE = 8000


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (2 * RATE + 123, 2))
    soundfile.write(path, noise, RATE, subtype="PCM_16")
    return path


class OtherDecoder:
    """What audioread gives: 16-bit samples in pieces of any size, and a length."""

    channels, samplerate = 2, RATE

    def __init__(self, samples: np.ndarray, duration: float) -> None:
        self.content, self.duration = (samples.T * 2**15).astype("<i2").tobytes(), duration

    def __iter__(self) -> Iterator[bytes]:
        return (self.content[at : at + 999] for at in range(0, len(self.content), 999))

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("fallback", [False, True])
def test_parts_follow_each_other_without_gaps(
    stereo: Path, fallback: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = soundfile.read(stereo, dtype="float32")[0].T
    if fallback:
        monkeypatch.setattr(audioread, "audio_open", lambda *_: OtherDecoder(expected, 2))
        stereo.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(200))
    whole = decode(stereo)
    assert whole.rate == RATE
    assert whole.samples.dtype == np.float32
    np.testing.assert_array_equal(whole.samples, expected)
    parts = [part.samples for part in decode_parts(stereo, 0.5)]
    assert [part.shape for part in parts] == [(2, RATE // 2)] * 4 + [(2, 123)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), expected)
    if fallback:
        monkeypatch.setattr(audioread, "audio_open", lambda *_: OtherDecoder(expected, 4))
        with pytest.raises(UserError, match=r"damaged or cut off, 2\.0 of 4\.0 s"):
            decode(stereo)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.wav", b"not audio at all\n" * 50),
        ("page.mp3", b"<!DOCTYPE html><html><body>404</body></html>"),
        ("cover.m4a", b"\x89PNG\r\n\x1a\n" + bytes(200)),
        ("photo.ogg", b"\xff\xd8\xff\xe0" + bytes(200)),
        ("half.flac", b"fLaC" + bytes(200)),
        ("tagged.mp3", b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + b"<!DOCTYPE html>" * 50),
        ("utf16.mp3", ("not audio at all" * 50).encode("utf-16")),
        ("noise.mp3", b"\xff\xd8\xff\xe0" + np.random.default_rng(0).bytes(99_999)),
        ("web.wav", b"RIFF\0\0\1\0WEBPVP8 " + bytes(200)),
        *((f"page.{suffix}", b"<!DOCTYPE html>" * 200) for suffix in ("au", "snd", "gsm", "vox", "raw")),
    ],
)
def test_what_is_no_audio_is_not_handed_to_a_decoder_that_guesses(
    tmp_path: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ffmpeg makes noise of a text."""
    monkeypatch.setattr(audioread, "audio_open", lambda *_: pytest.fail("was handed on"))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: cannot be decoded; it is damaged, not audio, or"):
        decode(tmp_path / name)


@pytest.mark.parametrize("begin", [b"\0\0\0\x20ftypM4A \0\0\0\0", b"\xff\xf1\x50\x40", b"\x1a\x45\xdf\xa3"])
def test_kinds_that_soundfile_does_not_read_are_known_by_how_they_begin(
    tmp_path: Path, begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_decoder(path: str, _: object) -> None:
        handed_on.append(path)
        raise audioread.NoBackendError

    handed_on: list[str] = []
    monkeypatch.setattr(audioread, "audio_open", no_decoder)
    song = tmp_path / "song.mp3"  # the name may be wrong
    song.write_bytes(begin + bytes(200))
    with pytest.raises(UserError, match=r"no decoder for \(ffmpeg adds m4a, wma"):
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


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here")
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_video_may_go_on_after_its_sound(stereo: Path, suffix: str) -> None:
    video = stereo.with_suffix(suffix)
    picture = ["-f", "lavfi", "-i", "color=size=32x32:rate=5:duration=8"]
    options = ["-c:v", "mpeg4", "-c:a", "aac", "-movflags", "+faststart"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, "-i", stereo, *options, video], check=True)
    assert decode(video).samples.shape[1] == pytest.approx(2 * RATE, rel=0.1)
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])  # what it promises stands before it
    with pytest.raises(
        UserError, match=r"damaged or cut off, \d\.\d of 2\.1 s can be decoded; copy it again or convert it$"
    ):
        decode(video)


def box(name: bytes, *inside: bytes) -> bytes:
    content = b"".join(inside)
    return (8 + len(content)).to_bytes(4, "big") + name + content


def track(kind: bytes, *numbers: int, version: int = 0) -> bytes:
    size = 8 if version else 4  # of what dates and durations are written in
    header = bytes([version, 0, 0, 0]) + bytes(2 * size) + numbers[0].to_bytes(4, "big")
    header += b"".join(number.to_bytes(size, "big") for number in numbers[1:]) + bytes(4)
    return box(b"trak", box(b"mdia", box(b"mdhd", header), box(b"hdlr", bytes(8), kind, bytes(12))))


@pytest.mark.parametrize(
    ("tracks", "seconds"),
    [
        ([track(b"vide", 10, 90), track(b"soun", 44100, 88200)], 2.0),
        ([track(b"soun", 48000, 2**33, version=1)], 2**33 / 48000),
        ([track(b"soun", 44100, 0)], None),  # in fragments
        ([track(b"soun", 0, 5)], None),
        ([track(b"vide", 10, 90)], None),
        ([track(b"soun", 44100)[:30]], None),
        ([], None),
    ],
)
def test_the_length_of_the_sound_in_mp4(tracks: list[bytes], seconds: float | None) -> None:
    moov = box(b"moov", box(b"mvhd", bytes(100)), *tracks)
    for content in (box(b"ftyp", b"isom") + box(b"mdat", bytes(50)) + moov, moov):
        assert mp4_sound(content) == seconds
        for end in range(len(content)):  # cut anywhere, it is what it was, or nothing
            assert mp4_sound(content[:end]) in (seconds, None)
    assert mp4_sound(b"RIFF" + bytes(20)) is None


def test_a_file_of_whole_parts_has_no_empty_one(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros(RATE), RATE)
    assert [part.samples.shape for part in decode_parts(tmp_path / "song.wav", 0.5)] == [(1, RATE // 2)] * 2
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    assert [part.samples.shape for part in decode_parts(tmp_path / "empty.wav", 0.5)] == [(1, 0)]


def noise(seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE))


def written(path: Path, samples: np.ndarray, **how: object) -> bytes:
    soundfile.write(path, samples, RATE, **how)
    return path.read_bytes()


@pytest.mark.parametrize(
    "container", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "SVX", "OGG", "FLAC", "MP3"]
)
def test_what_is_cut_off_is_refused(tmp_path: Path, container: str) -> None:
    song = tmp_path / "song"
    content = written(song, noise(), format=container)
    assert sum(part.samples.shape[1] for part in decode_parts(song, 0.5)) == 4 * RATE
    for size in (len(content) // 3, len(content) * 4 // 5):
        song.write_bytes(content[:size])
        with pytest.raises(UserError, match=r"song: .*cut off|song: cannot be decoded; it is damaged"):
            decode(song)
    if container in ("W64", "SVX"):  # all that follows is sound, by libsndfile
        return
    # What stands behind the sound changes nothing.
    song.write_bytes(content + bytes(70_000))
    assert decode(song).samples.shape[1] == pytest.approx(4 * RATE, abs=1152)


def test_a_wma_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """Of one without its end ffmpeg takes what is there for the whole."""
    header = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(14)
    properties = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365") + bytes(24) + (9000).to_bytes(8, "little")
    (tmp_path / "song.wma").write_bytes((header + properties).ljust(4000, b"x"))
    with pytest.raises(UserError, match=r"song.wma: cut off, 4000 of 9000 bytes of sound are there; copy it"):
        decode(tmp_path / "song.wma")


@pytest.mark.parametrize("container", ["OGG", "FLAC", "MP3"])
def test_streams_that_follow_each_other_are_one_song(tmp_path: Path, container: str) -> None:
    parts = [written(tmp_path / "part", noise(3, seed), format=container) for seed in (1, 2)]
    (tmp_path / "song").write_bytes(b"".join(parts))
    assert decode(tmp_path / "song").samples.shape[1] == pytest.approx(6 * RATE, rel=0.05)


def test_a_change_of_rate_within_a_file_is_said(tmp_path: Path) -> None:
    one = written(tmp_path / "part.ogg", noise(3))
    soundfile.write(tmp_path / "part.ogg", noise(3), 2 * RATE)
    (tmp_path / "song.ogg").write_bytes(one + (tmp_path / "part.ogg").read_bytes())
    with pytest.raises(
        UserError, match=r"song\.ogg: its rate or number of channels changes after 3\.0 s; convert it$"
    ):
        decode(tmp_path / "song.ogg")


def without_length(path: Path) -> bytes:
    """An mp3 that begins quietly, without the frame that says how many follow."""
    samples = np.concatenate([np.zeros(2 * RATE), noise(4)])
    content = written(path, samples, format="MP3", bitrate_mode="VARIABLE", compression_level=0.0)
    return content[content.index(b"\xff", 100 + content.index(b"Xing")) :]


def test_an_mp3_is_read_to_its_end_whatever_its_length_seems_to_be(tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    content = without_length(song)
    tag = b"ID3\3\0\0\0\0\1\0" + bytes(128)
    for begin in (b"", tag, tag + bytes(3000), b"the end of another frame"):
        song.write_bytes(begin + content)
        assert decode(song).samples.shape[1] == pytest.approx(6 * RATE, abs=3 * 1152)


def test_music_behind_damage_is_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    song = tmp_path / "song.mp3"
    content = without_length(song)
    middle = len(content) // 2
    song.write_bytes(content[:middle] + bytes(3000) + content[middle + 3000 :])
    assert 5 * RATE < decode(song).samples.shape[1] < 6 * RATE
    assert capfd.readouterr() == ("", "")  # mpg123 has its say about it


@pytest.mark.parametrize("container", ["OGG", "FLAC"])
def test_damage_inside_is_not_passed_over(tmp_path: Path, container: str) -> None:
    content = written(tmp_path / "song", noise(), format=container)
    middle, hole = len(content) // 2, len(content) // 4
    (tmp_path / "song").write_bytes(content[:middle] + bytes(hole) + content[middle + hole :])
    with pytest.raises(
        UserError, match=r"song: (damaged or cut off, .* of 4\.0 s|cannot be decoded; it is dam)"
    ):
        decode(tmp_path / "song")


def test_a_wave64_written_to_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    content = bytearray(written(tmp_path / "song.w64", noise(), format="W64"))
    at = content.index(W64_DATA) + 16
    content[at : at + 8] = (2**63 - 1).to_bytes(8, "little")  # as ffmpeg says that it did not know
    (tmp_path / "song.w64").write_bytes(content)
    assert decode(tmp_path / "song.w64").samples.shape[1] == 4 * RATE


def test_a_flac_written_to_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    content = bytearray(written(tmp_path / "song.flac", noise()))
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # 36 bits of length: not known
    (tmp_path / "song.flac").write_bytes(content)
    assert decode(tmp_path / "song.flac").samples.shape[1] == 4 * RATE
    content[21:26] = bytes([content[21] | 0x0F, 255, 255, 255, 255])  # 2^36 samples, which fit no memory
    (tmp_path / "song.flac").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        decode(tmp_path / "song.flac")


@pytest.mark.parametrize("rate", [0, 1, 999, 2**31 - 1])
def test_rates_that_no_sound_has_are_refused(tmp_path: Path, rate: int) -> None:
    content = bytearray(written(tmp_path / "song.wav", noise()))
    content[24:28] = rate.to_bytes(4, "little")
    (tmp_path / "song.wav").write_bytes(content)
    said = f"a sample rate of {rate:g} Hz; give audio of 1000 to 768000$|cannot be decoded".replace("+", ".")
    with pytest.raises(UserError, match=said):
        decode(tmp_path / "song.wav")


def test_a_clip_that_memory_does_not_hold_is_named(stereo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_little(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pipelines.extraction.audio_files.check_sound", too_little)
    with pytest.raises(UserError) as refusal:
        decode(stereo)
    assert str(refusal.value) == f"{stereo}: too long for this machine's memory; cut it into pieces"


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, "NaN or infinite"), (1e30, r"samples of 1e\+30, and full")]
)
def test_samples_that_are_no_sound_are_refused(tmp_path: Path, value: float, reason: str) -> None:
    written(tmp_path / "song.wav", np.append(noise(), value), subtype="FLOAT")
    with pytest.raises(UserError, match=reason):
        list(decode_parts(tmp_path / "song.wav", 1.0))


@pytest.mark.parametrize(
    "error", [ZeroDivisionError, RuntimeError, OverflowError, ValueError, MemoryError, OSError]
)
def test_whatever_a_decoder_raises_is_a_reason(
    stereo: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "buffer_read_into", fail)
    with pytest.raises(UserError, match=r"song\.wav: .*; \w+ "):
        decode(stereo)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "song.wav")
    with pytest.raises(UserError, match=r"song\.wav: not a file"):
        decode(tmp_path / "song.wav")


def test_no_file_stays_open(stereo: Path) -> None:
    (stereo.parent / "bad.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    mp3 = stereo.with_suffix(".mp3")
    written(mp3, noise(60))  # more than a pipe holds
    before = len(list(Path("/dev/fd").iterdir()))
    for song in (stereo, mp3, stereo.parent / "bad.wav"):
        with suppress(UserError):
            decode(song)
        assert next(decode_parts(mp3, 0.5)).rate == RATE  # and leave the rest
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_files_are_found_by_name_and_by_what_is_in_them(tmp_path: Path) -> None:
    music, elsewhere = tmp_path / "music", tmp_path / "elsewhere"
    for name in (
        "b.WAV",
        "deep/er/a.opus",
        "deep/._a.mp3",
        ".hidden/c.mp3",
        "notes.txt",
        "c.wma",
        "cover.jpg",
    ):
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).write_bytes(b"\xff\xd8\xff\xe0" + bytes(99))
    (music / "folder.mp3").mkdir()
    elsewhere.mkdir()
    written(elsewhere / "song.bak", noise(1), format="WAV")
    written(elsewhere / "no suffix", noise(1), format="FLAC")
    (music / "link").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(music)
    found, others = audio_files.audio_files(music)
    assert [str(path.relative_to(music)) for path in found] == [
        "b.WAV",
        "c.wma",
        "deep/er/a.opus",
        "link/no suffix",
        "link/song.bak",
    ]
    assert [str(path.relative_to(music)) for path in others] == [
        ".hidden",
        "cover.jpg",
        "deep/._a.mp3",
        "notes.txt",
    ]

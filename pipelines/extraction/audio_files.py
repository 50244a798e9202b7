"""Audio files: which they are, and their samples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import audioread
import numpy as np
import soundfile

from pipelines.errors import UserError

AUDIO_SUFFIXES = (".aac", ".aif", ".aiff", ".au", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav")

# How files of kinds begin that soundfile does not read and others may: where, and with what. Only these
# are handed on, for ffmpeg takes anything for music: a text comes out as noise.
_OTHER_KINDS = (
    (4, b"ftyp"),  # MP4: m4a, m4b
    (0, b"\xff\xf1"),  # AAC in ADTS: MPEG-4
    (0, b"\xff\xf9"),  # MPEG-2
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF: wma
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska: mka, webm
    (0, b"caff"),  # CAF, with AAC in it
    (0, b"FORM"),  # AIFF-C, with a codec in it
    (0, b"wvpk"),  # WavPack
    (0, b"MAC "),  # Monkey's Audio
    (0, b"#!AMR"),
)

_COMPLETE = 0.9  # headers of cut mp3 files are a little wrong now and then; less than this is truncated


class Sound(NamedTuple):
    """Samples, float32 `(channels, n)` from -1 to 1, and their rate in Hz."""

    samples: np.ndarray
    rate: int


def audio_files(folder: Path) -> list[Path]:
    """The files in a folder, at any depth, whose names say that they are audio; sorted."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def decode(path: Path) -> Sound:
    """Decode a file.

    soundfile (libsndfile) decodes wav, flac, ogg, mp3, aiff and au; m4a and other kinds known by how
    they begin go to audioread, which finds ffmpeg or the system's decoders where there are any.

    Raises:
        UserError: If the file is not there, is empty, cannot be decoded or is truncated.
    """
    (whole,) = decode_parts(path)
    return whole


def decode_parts(path: Path, seconds: float | None = None) -> Iterator[Sound]:
    """Decode a file part by part, so that hours of audio need no more memory than a part.

    Args:
        path: An audio file.
        seconds: Length of a part; the last may be shorter. None for the whole file at once.

    Yields:
        The parts, at least one; a file without samples is an empty part.

    Raises:
        UserError: As `decode`. That a file is truncated shows after its last part.
    """
    decoded = 0.0
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path}: the file is empty; copy it again")
        for part in _by_any_decoder(path, seconds):
            decoded += part.samples.shape[1] / part.rate
            yield part
    except (soundfile.LibsndfileError, audioread.DecodeError, EOFError):
        raise UserError(
            f"{path}: cannot be decoded; it is damaged, not audio, or of a kind this machine has "
            f"no decoder for (ffmpeg adds m4a)"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or 'cannot be read').lower()}; check the file") from None
    _check_complete(path, decoded)


def _by_any_decoder(path: Path, seconds: float | None) -> Iterator[Sound]:
    started = False
    try:
        for part in _by_soundfile(path, seconds):
            started = True
            yield part
        return
    except soundfile.LibsndfileError:
        if started or not _is_of_other_kind(path):
            raise
    yield from _by_audioread(path, seconds)


def _is_of_other_kind(path: Path) -> bool:
    with path.open("rb") as file:
        begin = file.read(16)
    return any(begin.startswith(mark, at) for at, mark in _OTHER_KINDS)


def _name(path: Path) -> str | bytes:
    # soundfile takes names that are not UTF-8 as bytes only.
    return os.fsencode(path) if os.name == "posix" else str(path)


def _by_soundfile(path: Path, seconds: float | None) -> Iterator[Sound]:
    with soundfile.SoundFile(_name(path)) as file:
        frames = -1 if seconds is None else round(seconds * file.samplerate)
        samples = file.read(frames, dtype="float32", always_2d=True)
        yield Sound(samples.T, file.samplerate)
        while seconds is not None and len(samples) == frames:
            samples = file.read(frames, dtype="float32", always_2d=True)
            if len(samples):
                yield Sound(samples.T, file.samplerate)


def _by_audioread(path: Path, seconds: float | None) -> Iterator[Sound]:
    with closing(audioread.audio_open(str(path))) as file:
        channels, rate = file.channels, file.samplerate
        size = None if seconds is None else 2 * channels * round(seconds * rate)  # bytes, 2 a sample

        def part(content: bytes) -> Sound:
            whole = len(content) // (2 * channels) * channels
            interleaved = np.frombuffer(content, "<i2", whole).astype(np.float32) / 2**15
            return Sound(interleaved.reshape(-1, channels).T, rate)

        waiting = bytearray()
        none_yet = True
        for buffer in file:
            waiting += buffer
            while size is not None and len(waiting) >= size:
                yield part(bytes(waiting[:size]))
                del waiting[:size]
                none_yet = False
        if waiting or none_yet:
            yield part(bytes(waiting))


def _check_complete(path: Path, seconds: float) -> None:
    """Refuse files that say, or whose container shows, that there was more."""
    try:
        info = soundfile.info(_name(path))
    except soundfile.LibsndfileError:
        return  # decoded by audioread, which does not say
    promised = info.frames / info.samplerate
    if seconds < _COMPLETE * promised:
        raise UserError(f"{path}: truncated, {seconds:.1f} s of {promised:.1f} s are there; copy it again")
    if info.format == "OGG" and not _ogg_has_end(path):
        raise UserError(f"{path}: truncated, it stops after {seconds:.1f} s without an end; copy it again")


def _ogg_has_end(path: Path) -> bool:
    """Whether the last page has the end-of-stream flag (RFC 3533, section 6)."""
    longest_page = 65307  # bytes
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - longest_page), os.SEEK_SET)
        tail = file.read()
    page = tail.rfind(b"OggS")
    return page >= 0 and len(tail) > page + 5 and bool(tail[page + 5] & 4)

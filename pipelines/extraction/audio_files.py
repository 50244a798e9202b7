"""Audio files: which they are, and their samples."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

import audioread
import numpy as np
import soundfile

from pipelines.errors import UserError, reason_of
from pipelines.extraction.containers import (
    flac_links,
    missing,
    mp4_sound,
    mpeg_frames,
    mpeg_start,
    never_filled_in,
    ogg_links,
)
from pipelines.limits import MAX_CHANNELS, MAX_LEVEL, MAX_RATE, MIN_RATE, TOO_LONG
from pipelines.quiet import quiet

# A file of such a name is taken for audio, and for damaged if no decoder knows it.
AUDIO_SUFFIXES = (
    *(".aac", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka"),
    *(".mp2", ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".spx", ".tta", ".w64"),
    *(".wav", ".wave", ".weba", ".webm", ".wma", ".wv"),
)

# How files of kinds begin that ffmpeg may decode where soundfile does not: where, and with what. Only these
# are handed on, for ffmpeg takes anything for music: a text comes out as noise.
_OTHER_KINDS = (
    (4, b"ftyp"),  # MP4: m4a, m4b
    (0, b"\xff\xf0"),  # AAC in ADTS: MPEG-4, with and without a checksum
    (0, b"\xff\xf1"),
    (0, b"\xff\xf8"),  # MPEG-2
    (0, b"\xff\xf9"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF: wma
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska: mka, webm
    (0, b"caff"),  # CAF, with AAC in it
    (8, b"AIFC"),  # AIFF-C, with a codec in it
    (8, b"WAVE"),  # WAV, with a codec in it
    (0, b"OggS"),  # Ogg, with FLAC or Speex in it
    (0, b"wvpk"),  # WavPack
    (0, b"MAC "),  # Monkey's Audio
    (0, b"MPCK"),  # Musepack
    (0, b"TTA1"),  # True Audio
    (0, b"#!AMR"),
)

_BLOCK = 1 << 16  # frames that are decoded at a time, whatever a header says
_COMPLETE = 0.9  # lengths of compressed files are a little wrong now and then; less than this is damaged
_OPEN_LENGTH = 2**62  # libsndfile's lengths from here on mean that the header does not say
_MPEG_1_RATE = 32_000  # Hz; its frames are longer than those of MPEG-2, whose rates are below
_PIECE = 4096  # bytes that go into a pipe wholly or not at all (POSIX, PIPE_BUF)


class Sound(NamedTuple):
    """Samples, float32 `(channels, n)` from -1 to 1, and their rate in Hz."""

    samples: np.ndarray
    rate: int


class Found(NamedTuple):
    """The audio files in a folder, sorted, and what else is there: other files, what is hidden."""

    audio: list[Path]
    others: list[Path]


def audio_files(folder: Path) -> Found:
    """Find the audio files in a folder, at any depth and through links, by their names or how they begin.

    Hidden files and folders, whose names begin with a dot, are not looked into.
    """
    found = Found([], [])
    seen = {_identity(folder)}
    for place, folders, names in os.walk(
        folder, followlinks=True, onerror=lambda error: found.others.append(Path(error.filename))
    ):
        here = Path(place)
        found.others.extend(here / name for name in (*folders, *names) if name.startswith("."))
        # A link may lead to a folder that holds it.
        new = {_identity(here / name): name for name in folders if not name.startswith(".")}
        folders[:] = [name for identity, name in new.items() if identity not in seen]
        seen |= new.keys()
        for path in (here / name for name in names if not name.startswith(".")):
            (found.audio if _is_audio(path) else found.others).append(path)
    return Found(sorted(found.audio), sorted(found.others))


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_audio(path: Path) -> bool:
    if path.suffix.lower() in AUDIO_SUFFIXES:
        return True
    try:
        with _mapped(path) as content, quiet():
            try:
                _open(path).close()
            except soundfile.LibsndfileError:
                if not _is_of_other_kind(content):
                    return False
                _open_by_audioread(path).close()
    except Exception:
        return False
    return True


def check_sound(samples: np.ndarray, rate: float) -> None:
    """Refuse samples that are no sound, however they came.

    Raises:
        UserError: If the rate, the number of channels or a sample is out of range.
    """
    channels = samples.shape[0] if samples.ndim > 1 else 1
    _check_format(rate, channels)
    if not samples.size:
        return
    loudest = max(samples.max(), -samples.min())  # NaN if there is one
    if not np.isfinite(loudest):
        raise UserError("has samples that are NaN or infinite; export the audio again")
    if loudest > MAX_LEVEL:
        raise UserError(f"has samples of {loudest:.0e}, and full scale is 1; export the audio again")


def _check_format(rate: float, channels: int) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UserError(f"a sample rate of {rate:g} Hz; give audio of {MIN_RATE} to {MAX_RATE}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise UserError(f"{channels} channels; give audio of 1 to {MAX_CHANNELS}")


def decode(path: Path) -> Sound:
    """Decode a file.

    soundfile (libsndfile) decodes wav, flac, ogg, mp3, aiff and au; m4a and other kinds known by how
    they begin go to audioread, which finds ffmpeg or the system's decoders where there are any. Files
    are read to their end, whatever their headers say.

    Raises:
        UserError: If the file is not there, is empty, cannot be decoded, is cut off or damaged, or is no
            sound (see `check_sound`).
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
        UserError: As `decode`. That a file is damaged may show after its last part.
    """
    waiting: list[np.ndarray] = []
    length, rate, first = 0, 0, True
    for samples, rate in _blocks(path):
        waiting.append(samples)
        length += samples.shape[1]
        size = None if seconds is None else round(seconds * rate)
        while size is not None and length >= size:
            joined = np.concatenate(waiting, axis=1)
            yield Sound(joined[:, :size], rate)
            waiting, length, first = [joined[:, size:]], length - size, False
    if length or first:
        yield Sound(np.concatenate(waiting, axis=1), rate)


def _blocks(path: Path) -> Iterator[Sound]:
    """A file's samples, a few at a time; whatever is wrong with it is one line that names it."""
    length, like = 0, (0, 0)
    try:
        # A decoder that is left in the middle is done with the bytes before they go.
        with _mapped(path) as content, closing(_by_any_decoder(path, content)) as blocks:
            while (found := _next_quietly(blocks)) is not None:
                # Channel by channel, a little at a time: whoever mixes them would go through memory in steps.
                block = Sound(np.ascontiguousarray(found.samples), found.rate)
                check_sound(*block)
                if like not in ((0, 0), (block.rate, len(block.samples))):
                    at = f"{length / like[0]:.1f} s"
                    raise UserError(f"its rate or number of channels changes after {at}; convert it")
                like, length = (block.rate, len(block.samples)), length + block.samples.shape[1]
                yield block
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except MemoryError:
        raise UserError(f"{path}: {TOO_LONG}") from None
    except OSError as error:
        raise UserError(f"{path}: {reason_of(error)}; check the file") from None


def _next_quietly(blocks: Iterator[Sound]) -> Sound | None:
    try:
        with quiet():  # mpg123 speaks of every odd frame
            return next(blocks, None)
    except (UserError, MemoryError):
        raise
    except Exception:  # decoders raise whatever occurs to them
        raise UserError(
            "cannot be decoded; it is damaged, not audio, or of a kind this machine has no decoder for "
            "(ffmpeg adds m4a, wma and others)"
        ) from None


def _mapped(path: Path) -> mmap:
    """A file's bytes."""
    # A pipe would keep us until somebody writes.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UserError("not a file; give an audio file")
        if status.st_size == 0:
            raise UserError("the file is empty; copy it again")
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _by_any_decoder(path: Path, content: mmap) -> Generator[Sound]:
    if lacking := missing(content):
        raise UserError(f"cut off, {lacking}; copy it again")
    with closing(_by_soundfile(path, content)) as blocks:
        try:
            first = next(blocks)
        except soundfile.LibsndfileError:
            if not _is_of_other_kind(content):
                raise
            yield from _by_audioread(path, content)
        else:
            yield first
            yield from blocks


def _is_of_other_kind(content: mmap) -> bool:
    begin = bytes(content[:16])
    return any(begin.startswith(mark, at) for at, mark in _OTHER_KINDS)


class _Stream(soundfile.SoundFile):
    """Read from beginning to end: seeking after every read, as usual, fails where the length is not known."""

    def seekable(self) -> bool:
        return False


def _open(path: Path) -> _Stream:
    # Not by its name: by some suffixes libsndfile takes whatever is in the file for samples.
    return _Stream(os.open(path, os.O_RDONLY), closefd=True)


def _by_soundfile(path: Path, content: mmap) -> Generator[Sound]:
    if content[:4] == b"OggS":
        links = ogg_links(content)[0]
    else:
        links = flac_links(content) if content[:4] == b"fLaC" else []
    if len(links) > 1:
        for start, end in links:
            with _Stream(io.BytesIO(content[start:end])) as file:
                yield from _read(file)
        return
    if at := never_filled_in(content):  # libsndfile would believe that there is no sound
        with _Stream(io.BytesIO(content[:at] + b"\xff" * 4 + content[at + 4 :])) as file:
            yield from _read(file)
        return
    try:
        opened = _open(path)
    except soundfile.LibsndfileError:
        if _is_of_other_kind(content):
            raise
        yield from _by_mpeg(content)
        return
    with opened as file:
        yield from _by_mpeg(content) if file.format == "MP3" else _read(file)


def _read(file: _Stream) -> Iterator[Sound]:
    """All samples, a block at a time; of a damaged file, all that come before what is damaged."""
    _check_format(file.samplerate, file.channels)
    promised = file.frames if file.frames < _OPEN_LENGTH else None
    length = 0
    while True:
        size = _BLOCK if promised is None else min(_BLOCK, promised - length)
        block, filled = np.full((size, file.channels), np.nan, np.float32), 0
        try:
            while read := file.buffer_read_into(block[filled:], dtype="float32"):
                filled += read
        except soundfile.LibsndfileError:
            # It does not say how many came before.
            if filled := int(np.append(np.isnan(block[:, 0]), True).argmax()):
                yield Sound(block[:filled].T, file.samplerate)
            raise
        if filled or not length:
            yield Sound(block[:filled].T, file.samplerate)
        if not filled:
            break
        length += filled
    _check_length(length, promised or 0, file.samplerate, 1.0 if file.format == "FLAC" else _COMPLETE)


def _check_length(length: int, promised: int, rate: int, share: float = _COMPLETE) -> None:
    """Refuse a file of which so many frames could be decoded, fewer than that share of those promised."""
    if length < share * promised:
        there = f"{length / rate:.1f} of {promised / rate:.1f} s"
        raise UserError(f"damaged or cut off, {there} can be decoded; copy it again or convert it")


class _Streamed(NamedTuple):
    """How many bytes and frames of a stream were read until it ended or nothing more could be made of it."""

    size: int
    length: int
    rate: int


def _through_pipe(content: mmap, start: int) -> Generator[Sound, None, _Streamed]:
    """Decode the rest of a file as a stream.

    libsndfile believes in no length then, and reads to the end.
    """
    reading, writing = os.pipe()
    stopped = threading.Event()
    fed = 0

    def feed() -> None:
        nonlocal fed
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            while (piece := content[start + fed : start + fed + _PIECE]) and not stopped.is_set():
                pipe.write(piece)
                fed += len(piece)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    length, rate, left = 0, 0, 0
    try:
        with _Stream(reading, closefd=False) as file:
            rate = file.samplerate
            try:
                for sound in _read(file):
                    length += sound.samples.shape[1]
                    yield sound
            except soundfile.LibsndfileError:
                if not length:
                    raise
    finally:
        stopped.set()
        while piece := os.read(reading, _BLOCK):
            left += len(piece)
        feeder.join()
        os.close(reading)
    return _Streamed(fed - left, length, rate)


def _by_mpeg(content: mmap) -> Iterator[Sound]:
    """mpg123 gives up where a frame is followed by too much else, and there may be music behind it."""
    at = first = mpeg_start(content)
    length, rate = 0, 0
    while at is not None:
        try:
            streamed = yield from _through_pipe(content, at)
        except soundfile.LibsndfileError:
            if not length:
                raise
            break  # tags behind the music
        length, rate = length + streamed.length, streamed.rate
        at = mpeg_start(content, at + streamed.size) if streamed.length else None
    if first is None:
        raise audioread.DecodeError
    per_frame = 1152 if rate >= _MPEG_1_RATE else 576
    _check_length(length, mpeg_frames(content, first) * per_frame, rate)


def _open_by_audioread(path: Path) -> audioread.AudioFile:
    # Not by Python's own reader of WAV, which comes first: it knows less than soundfile.
    _, *others = audioread.available_backends()
    # The whole path, for ffmpeg takes what stands before a colon for a protocol.
    return audioread.audio_open(str(path.absolute()), others)


def _by_audioread(path: Path, content: mmap) -> Iterator[Sound]:
    with closing(_open_by_audioread(path)) as file:
        channels, rate = file.channels, file.samplerate
        if not channels or not rate:  # ffmpeg did not say
            raise audioread.DecodeError
        _check_format(rate, channels)
        waiting, length = bytearray(), 0
        for buffer in chain(file, [b""]):
            waiting += buffer
            if len(waiting) >= _BLOCK or not buffer:
                count = len(waiting) // (2 * channels)  # 2 bytes a sample
                interleaved = np.frombuffer(bytes(waiting[: 2 * channels * count]), "<i2").astype(np.float32)
                del waiting[: 2 * channels * count]
                yield Sound(interleaved.reshape(-1, channels).T / 2**15, rate)
                length += count
        if content[0] != 0xFF:  # of AAC in ADTS it is a guess
            # That of a video is the longer of picture and sound, and of a part that was cut out the part's.
            promised = min(file.duration, mp4_sound(content) or file.duration)
            _check_length(length, round(promised * rate), rate)

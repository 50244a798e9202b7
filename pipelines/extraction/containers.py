"""What containers of audio say of the sound in them, read from their bytes.

libsndfile takes what is there of a file that was cut off, the first of streams that follow each
other, and a guess at the length of an mp3; so these are asked of the file itself.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from mmap import mmap

from pipelines.limits import OPEN_SIZE

_CHUNK_AT = 12  # bytes before the first chunk of RIFF and IFF
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_W64_OPEN = 2**62  # a size from here on means that it was not known, as where ffmpeg writes into a pipe
_ASF, _ASF_FILE = b"\x30\x26\xb2\x75", bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # its properties
_ID3, _ID3_HEADER = b"ID3", 10  # bytes
_JUNK = 65536  # bytes in which a first frame of MPEG is looked for

# Bit rates in kbit/s of MPEG-1 and of MPEG-2, by layer (ISO/IEC 11172-3, 2.4.2.3; 13818-3).
_BIT_RATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SYNC = re.compile(b"\xff[\xe0-\xff]")
_FRAMES = 3  # that must follow each other: two bytes that look like the start of one are anywhere
_FLAC = re.compile(b"fLaC[\x00\x80]\x00\x00\x22", re.DOTALL)  # with the STREAMINFO that comes first


def missing(content: mmap) -> str:
    """What a header promises and the file lacks, in words; empty where all is there, or no size is said."""
    if content[:4] == b"OggS":
        return "" if ogg_links(content)[1] else "it stops without an end"
    start, size = _promised(content)
    there = max(0, len(content) - start)
    return f"{there} of {size} bytes of sound are there" if there < size else ""


def never_filled_in(content: mmap) -> int:
    """Where a WAV file would have the size of its sound, if neither that nor its own size is there; else 0.

    Who writes into a pipe, or was stopped, leaves them at 0. With a size of the whole, 0 means no sound.
    """
    if content[:4] != b"RIFF" or any(content[4:8]):
        return 0
    start, size = _chunk(content, b"data", "<4sI")
    return start - 4 if start and not size else 0


def _promised(content: mmap) -> tuple[int, int]:
    """Where the sound of WAV, AIFF, AU, CAF or Wave64 starts, and its size; 0 where that is not said.

    ASF (wma) says the size of the whole file; of the length ffmpeg makes a guess where the end is missing.
    """
    begin = bytes(content[:_CHUNK_AT])
    if len(begin) < _CHUNK_AT:
        return 0, 0
    if begin[:4] in (b"RIFF", b"RF64", b"RIFX"):
        order = ">" if begin[:4] == b"RIFX" else "<"
        start, size = _chunk(content, b"data", f"{order}4sI")
        if begin[:4] == b"RF64" and content[12:16] == b"ds64" and len(content) >= 36:
            (size,) = struct.unpack_from("<Q", content, 28)
        return start, 0 if size >= OPEN_SIZE and begin[:4] != b"RF64" else size
    if begin[:4] == b"FORM":
        return _chunk(content, b"BODY" if begin[8:] in (b"8SVX", b"16SV") else b"SSND", ">4sI")
    if begin[:4] in (b".snd", b"dns."):
        start, size = struct.unpack_from((">" if begin[:1] == b"." else "<") + "II", begin, 4)
        return start, 0 if size >= OPEN_SIZE else size
    if begin[:4] == b"caff":
        start, size = _chunk(content, b"data", ">4sq", 8)
        return start, max(0, size)  # -1 where it is not known
    if begin[:4] == _ASF:
        at = content.find(_ASF_FILE)
        return 0, struct.unpack_from("<Q", content, at + 40)[0] if 0 < at <= len(content) - 48 else 0
    at = content.find(_W64_DATA, 40) if begin == _W64_RIFF else -1
    if 0 < at <= len(content) - 24:
        (size,) = struct.unpack_from("<Q", content, at + 16)
        return at + 24, max(0, size - 24) if size < _W64_OPEN else 0
    return 0, 0


def _chunk(content: mmap, name: bytes, header: str, at: int = _CHUNK_AT) -> tuple[int, int]:
    """Where the content of the first chunk of a name starts, and its size; 0 where there is none."""
    while 0 <= at <= len(content) - struct.calcsize(header):
        found, size = struct.unpack_from(header, content, at)
        at += struct.calcsize(header)
        if found == name:
            return at, size
        at += max(0, size) + (size % 2 if header.endswith("I") else 0)  # those of CAF are not filled up
    return 0, 0


def mp4_sound(content: mmap | bytes) -> float | None:
    """Seconds of the first sound in MP4 or QuickTime, whose video may go on; None where that is not said."""
    if content[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return None
    for track in _boxes(content, [(0, len(content))], b"moov", b"trak"):
        kind = next(_boxes(content, [track], b"mdia", b"hdlr"), None)
        header = next(_boxes(content, [track], b"mdia", b"mdhd"), None)
        if kind is None or header is None or content[kind[0] + 8 : kind[0] + 12] != b"soun":
            continue
        # Version, flags, when it was made and changed; then what is asked for.
        start, layout = header[0], ">II" if content[header[0]] == 0 else ">IQ"
        at = start + (12 if layout == ">II" else 20)
        if at + struct.calcsize(layout) <= header[1]:
            scale, duration = struct.unpack_from(layout, content, at)
            return duration / scale if scale and duration else None
    return None


def _boxes(
    content: mmap | bytes, places: Iterable[tuple[int, int]], *path: bytes
) -> Iterator[tuple[int, int]]:
    """Where the boxes of MP4 begin and end that are at the end of a path of names, below some places."""
    for at, end in places:
        while at + 8 <= end:
            size, name = struct.unpack_from(">I4s", content, at)
            inside = at + 8
            if size == 1 and at + 16 <= end:
                (size,), inside = struct.unpack_from(">Q", content, inside), at + 16
            last = end if size == 0 else min(end, at + size)
            if last < inside:
                break
            if name == path[0]:
                yield from _boxes(content, [(inside, last)], *path[1:]) if path[1:] else [(inside, last)]
            at = last


def ogg_links(content: mmap) -> tuple[list[tuple[int, int]], bool]:
    """The streams of an Ogg file that follow each other (RFC 3533, section 4: chaining).

    Returns:
        Where each begins and ends, and whether the last page is the end of its stream.
    """
    starts: list[int] = []
    at, end, begins, ends = 0, 0, False, False
    while (at := content.find(b"OggS", at)) >= 0 and at + 27 <= len(content):
        flags, segments = content[at + 5], content[at + 26]
        size = 27 + segments + sum(content[at + 27 : at + 27 + segments])
        if at + size > len(content):
            ends = False
            break
        if flags & 2 and not begins:
            starts.append(at)
        begins, ends = bool(flags & 2), bool(flags & 4)
        at = end = at + size
    return list(zip(starts, [*starts[1:], end], strict=True)), ends


def flac_links(content: mmap) -> list[tuple[int, int]]:
    """Where the streams begin and end that a FLAC file has one after the other."""
    starts = [found.start() for found in _FLAC.finditer(content)]
    return list(zip(starts, [*starts[1:], len(content)], strict=True))


def mpeg_start(content: mmap, at: int = 0) -> int | None:
    """Where the next frame of MPEG audio (mp3) may begin, after tags and not far from there."""
    while content[at : at + 3] == _ID3 and at + _ID3_HEADER <= len(content):
        size = 0
        for byte in content[at + 6 : at + _ID3_HEADER]:
            size = size << 7 | byte & 0x7F
        at += _ID3_HEADER + size
    while at < len(content) and not any(content[at : at + _JUNK]):
        at += _JUNK  # zeros
    for found in _SYNC.finditer(content, at, at + 2 * _JUNK):
        if _are_frames(content, found.start()):
            return found.start()
    return None


def _are_frames(content: mmap, at: int) -> bool:
    """Whether frames of one kind follow each other, or the last one ends the file."""
    kind = None
    for number in range(_FRAMES):
        header = content[at : at + 4]
        if number and len(header) < 4:
            return True
        size = _frame_size(header)
        if not size or kind not in (None, (header[1] & 0xFE, header[2] & 0x0C)):
            return False
        kind, at = (header[1] & 0xFE, header[2] & 0x0C), at + size
    return True


def _frame_size(header: bytes) -> int:
    """Bytes of the frame of MPEG audio that has this header; 0 if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bit_rate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or not 0 < bit_rate < 15 or rate == 3:  # reserved, or without a size
        return 0
    bits = 1000 * _BIT_RATES[version == 3, layer][bit_rate - 1]
    per_second = (44_100, 48_000, 32_000)[rate] // {3: 1, 2: 2, 0: 4}[version]
    if layer == 1:
        return (12 * bits // per_second + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // per_second + padding


def mpeg_frames(content: mmap, start: int) -> int:
    """How many frames the first one, at `start`, says there are (Xing); 0 where it does not."""
    found = re.compile(b"Xing|Info").search(content, start, start + 64)
    if not found or found.end() + 8 > len(content):
        return 0
    flags, frames = struct.unpack_from(">II", content, found.end())
    return frames if flags & 1 else 0

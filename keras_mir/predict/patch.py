"""What turns a file's bytes into others: which stretches it has already, and the bytes that it has not."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator

# A stretch of what is there, (from, to), or new bytes as text.
Part = tuple[int, int] | str

_ANCHOR = 64  # bytes that are looked for
_ANCHORS = (
    0.487,
    0.311,
    0.673,
)  # where; one alone may fall on the few bytes that differ, and so may round ones
_SMALL = 4096  # bytes; what is shorter is not searched for what it may share


def patch(present: bytes, wanted: bytes) -> list[Part]:
    """What makes `wanted` of `present`; small where one has, in the same order, most of the other's bytes."""
    parts: list[Part] = []
    for part in _parts(present, wanted, 0, len(present), 0, len(wanted)):
        if isinstance(part, bytes):
            parts.append(base64.b85encode(zlib.compress(part)).decode())
        elif parts and not isinstance(parts[-1], str) and parts[-1][1] == part[0]:
            parts[-1] = (parts[-1][0], part[1])
        else:
            parts.append(part)
    return parts


def apply_patch(present: bytes, parts: list[Part]) -> bytes:
    """What `patch` was made for.

    Raises:
        ValueError: If it is not a patch.
        zlib.error: Likewise.
    """
    made = []
    for part in parts:
        if isinstance(part, str):
            made.append(zlib.decompress(base64.b85decode(part)))
        else:
            start, end = part
            made.append(present[start:end])
    return b"".join(made)


def _parts(
    present: bytes, wanted: bytes, start: int, end: int, low: int, high: int
) -> Iterator[tuple[int, int] | bytes]:
    """The parts of `wanted[low:high]`, from `present[start:end]`."""
    head = _shared(present, wanted, start, end, low, high)
    if head:
        yield start, start + head
    start, low = start + head, low + head
    tail = _shared_at_end(present, wanted, start, end, low, high)
    rest, until = end - tail, high - tail
    for share in _ANCHORS if until - low > _SMALL else ():
        at = low + int(share * (until - low))
        found = present.find(wanted[at : at + _ANCHOR], start, rest)
        if found >= 0:
            ahead = _shared(present, wanted, found, rest, at, until)
            behind = _shared_at_end(present, wanted, start, found, low, at)
            yield from _parts(present, wanted, start, found - behind, low, at - behind)
            yield found - behind, found + ahead
            yield from _parts(present, wanted, found + ahead, rest, at + ahead, until)
            break
    else:
        if until > low:
            yield wanted[low:until]
    if tail:
        yield rest, end


def _shared(a: bytes, b: bytes, start: int, end: int, low: int, high: int) -> int:
    """How many bytes are the same from `a[start]` and `b[low]` on."""
    most = min(end - start, high - low)
    same, step = 0, most
    while step and same < most:  # halves what is compared until one byte tells
        size = min(step, most - same)
        if a[start + same : start + same + size] == b[low + same : low + same + size]:
            same += size
        else:
            step = size // 2
    return same


def _shared_at_end(a: bytes, b: bytes, start: int, end: int, low: int, high: int) -> int:
    """How many bytes are the same up to `a[end]` and `b[high]`."""
    most = min(end - start, high - low)
    same, step = 0, most
    while step and same < most:
        size = min(step, most - same)
        if a[end - same - size : end - same] == b[high - same - size : high - same]:
            same += size
        else:
            step = size // 2
    return same

"""Counts, times, paths and several names, in words; and what of a name is none."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path


def counted(n: int, one: str, many: str = "") -> str:
    """Such as `1 clip` and `1,200 clips`."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def listed(names: Sequence[str]) -> str:
    """Such as `genre`, `genre and tags`, and `genre, tags and affect`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def clock(seconds: float) -> str:
    """A time as `3:05` or `1:03:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def path_text(path: str | Path | None) -> str:
    """A path as text that can be written, even if it is not UTF-8."""
    return os.fsencode(path or "").decode("utf-8", "backslashreplace")


def has_control_characters(text: str) -> bool:
    """Whether a text has characters that steer a terminal, or end a line, rather than stand for something."""
    return any(unicodedata.category(character) == "Cc" for character in text)

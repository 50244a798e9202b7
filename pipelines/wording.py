"""Counts, and several names, in words; and what of a name is none."""

import unicodedata
from collections.abc import Sequence


def counted(n: int, one: str, many: str = "") -> str:
    """Such as `1 clip` and `1,200 clips`."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def listed(names: Sequence[str]) -> str:
    """Such as `genre`, `genre and tags`, and `genre, tags and affect`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def has_control_characters(text: str) -> bool:
    """Whether a text has characters that steer a terminal, or end a line, rather than stand for something."""
    return any(unicodedata.category(character) == "Cc" for character in text)

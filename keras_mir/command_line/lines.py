"""Lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.wording import has_control_characters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


def printable(text: str) -> str:
    """A text in one line, with escapes such as `\\n` for what would steer a terminal or end the line."""
    return "".join(repr(each)[1:-1] if has_control_characters(each) else each for each in text)


def say(console: Console, *lines: str) -> None:
    """Print lines as they are, however long: names of users are no markup, and paths stay whole."""
    console.print(
        "\n".join(map(printable, lines)), highlight=False, soft_wrap=True, markup=False, emoji=False
    )


def tally(counts: Mapping[str, int]) -> str:
    """Such as `3 answered, 1 failed`; what there is none of is left out."""
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

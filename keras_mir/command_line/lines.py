"""Lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


def say(console: Console, *lines: str) -> None:
    """Print lines as they are, however long: names of users are no markup, and paths stay whole."""
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False, emoji=False)


def tally(counts: Mapping[str, int]) -> str:
    """Such as `3 answered, 1 failed`; what there is none of is left out."""
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

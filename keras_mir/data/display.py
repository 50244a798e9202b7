"""Where a person sees how long work on a data set goes, without a word of what shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class Display(Protocol):
    """Whoever is told; a command's is `command_line.progress.Shown`."""

    def say(self, *lines: str) -> None:
        """Show lines."""

    def progress(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Show how far a piece of work is: the function is called with the items done and all."""

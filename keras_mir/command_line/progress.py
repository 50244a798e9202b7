"""A progress bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from keras_mir.command_line.lines import say

_SECONDS_BETWEEN_LINES = 15.0


def in_notebook() -> bool:
    """Whether a notebook's cell runs this command: it keeps each state of a bar, as a line of its own."""
    return "JPY_PARENT_PID" in os.environ  # `!command` has a terminal that IPython makes


def busy(label: str, console: Console) -> AbstractContextManager[Any]:
    """Show on a terminal what is being done, for as long as it is."""
    shown = console.is_terminal and not in_notebook()
    return console.status(label) if shown else contextlib.nullcontext()


class Shown:
    """A console as where work is shown, for what knows of no console.

    Args:
        console: Where to show it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, *lines: str) -> None:
        """Print lines; see `lines.say`."""
        say(self._console, *lines)

    def progress(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Show how far a piece of work is; see `progress`."""
        return progress(label, self._console)


@contextlib.contextmanager
def progress(label: str, console: Console) -> Iterator[Callable[[int, int], None]]:
    """Show how far a piece of work is.

    Args:
        label: What is being done.
        console: Where to show it.

    Yields:
        A function to call with the number of items done and of all.
    """
    if console.is_terminal and not in_notebook():
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(label)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    last = time.monotonic()

    def line(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(console, f"{label}: {done} of {total}")

    yield line

"""One line that says which experiment of how many is running, and how long the rest may take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType

from rich.console import Console
from rich.status import Status

from keras_mir.reproduce.estimate import TimeLeft, in_words
from keras_mir.reproduce.results import Run

_SECONDS_BETWEEN_LINES = 60.0  # where there is no terminal


class Progress:
    """A line that changes on a terminal; elsewhere a line a training, and one a minute.

    Args:
        expected: Guessed seconds by name of every training to do or to find done.
        console: Where it is shown.
    """

    def __init__(self, expected: Mapping[str, float], console: Console) -> None:
        self._total = len(expected)
        self._number = 0
        self._left = TimeLeft(expected)
        self._console = console
        self._status = Status("starting", console=console) if console.is_terminal else None
        self._started = 0.0
        self._said = 0.0

    def __enter__(self) -> Progress:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    @contextlib.contextmanager
    def training(self, name: str, step: str, epochs: int) -> Iterator[Callable[[int], None]]:
        """Show a training; gives a function to call with the number of epochs done."""
        self._number += 1
        self._started = self._said = time.monotonic()
        what = f"experiment {self._number} of {self._total}: step {step}, {name}"

        def show(done: int) -> None:
            elapsed = time.monotonic() - self._started
            line = f"{what}, epoch {min(done + 1, epochs)} of {epochs} at most, {self._remaining(elapsed)}"
            if self._status:
                self._status.update(line)
            elif time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
                self._said = time.monotonic()
                self._console.print(line, highlight=False, soft_wrap=True)

        if self._status:
            show(0)
        yield show

    def finished(self, name: str, run: Run) -> None:
        """Say how a training went, with one line; nothing of one that was done before."""
        elapsed = time.monotonic() - self._started
        new = elapsed > 1.0 or run.status == "failed"
        self._left.done(name, elapsed if new else 0.0)
        if new:
            line = f"[{self._number}/{self._total}] {name}: {_outcome(run)}, {self._remaining(0.0)}"
            self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _remaining(self, elapsed: float) -> str:
        seconds = self._left.seconds - elapsed
        return f"{in_words(max(seconds, 0.0))} left" if self._number < self._total or elapsed else "all done"


def _outcome(run: Run) -> str:
    if run.status == "failed":
        return f"FAILED: {run.reason}"
    if run.report is None:
        return "done"
    name, score = (
        ("accuracy", run.report["accuracy"])
        if run.report["task"] == "genre"
        else ("Spearman", run.report["spearman_mean"])
    )
    value = "undefined" if score["value"] is None else f"{score['value']:.3f}"
    return f"{name} {value} after {run.report['training']['epochs']} epochs"

"""Both sides of a row, by turns, each in a process of its own that is halted while the other works."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.row import DifferenceError, Results, Row, Side, Statistic

_QUANTILES: dict[Statistic, float] = {"median": 0.5, "p50": 0.5, "p99": 0.99}


class SideError(Exception):
    """A side's process ended early."""


@dataclass(frozen=True)
class Comparison:
    """What came of a row.

    Attributes:
        statistic: Statistic of the rounds.
        ratio: Theirs / ours.
        low: Lower end of the ratio's 95 % bootstrap interval over the rounds.
        high: Upper end.
        ours: Our statistic, in the row's unit.
        theirs: The rival's fastest form's.
        floor: The greatest ratio possible, or None.
    """

    statistic: Statistic
    ratio: float
    low: float
    high: float
    ours: float
    theirs: float
    floor: float | None


class _Process:
    """A side at work in a process of its own."""

    def __init__(self, side: Side, inputs: Inputs) -> None:
        self._side = side
        arguments = [
            side.module,
            json.dumps(dict(side.settings)),
            str(inputs.folder),
            str(inputs.audio or ""),
        ]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, closed on exit
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self._answer()
        except BaseException:
            self._process.kill()
            raise

    def __enter__(self) -> _Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            self._process.kill()
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate()
        self._errors.close()

    def run(self) -> float:
        """Let it run once; what was measured.

        Otherwise it is halted: a data set that reads ahead would do its next round's work in the other's.
        """
        self._process.send_signal(signal.SIGCONT)
        measured = self._ask("run")
        self._process.send_signal(signal.SIGSTOP)
        if measured is None:
            raise SideError(f"{self._side.module}: no measurement")
        return measured

    def result(self) -> Results:
        """What it gives."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "result.npz"
            self._ask(f"result {file}")
            with np.load(file) as arrays:
                return dict(arrays)

    def _ask(self, command: str) -> float | None:
        if self._process.stdin is None:
            raise SideError(f"{self._side.module}: not listening")
        print(command, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> float | None:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._process.wait()
            self._errors.seek(0)
            text = self._errors.read().decode(errors="replace").strip()
            raise SideError(f"{self._side.module}: ended early\n{text[-2000:]}")
        value: float | None = json.loads(line)
        return value


def compare(row: Row, inputs: Inputs, rounds: int, progress: Callable[[int, int], None]) -> list[Comparison]:
    """Check that all sides of a row do the same, then time them by turns.

    The first round warms up and is not counted.

    Raises:
        DifferenceError: If they do not do the same.
        SideError: If a side's process ends.
    """
    with ExitStack() as stack:
        ours = stack.enter_context(_Process(row.ours, inputs))
        theirs = [stack.enter_context(_Process(side, inputs)) for side in row.theirs]
        floor = stack.enter_context(_Process(row.floor, inputs)) if row.floor else None
        expected = ours.result()
        for side, process in zip(row.theirs, theirs, strict=True):
            try:
                row.check(expected, process.result())
            except DifferenceError as difference:
                raise DifferenceError(
                    f"{row.name}: ours and {side.module} do not do the same: {difference}"
                ) from None
        sides = [ours, *theirs, *([floor] if floor else [])]
        measured = []
        for done in range(rounds + 1):
            # Every other round runs backwards, so that no side is always the one after a given other.
            order = sides if done % 2 == 0 else sides[::-1]
            values = {id(side): side.run() for side in order}
            if done:
                measured.append([values[id(side)] for side in sides])
            progress(done + 1, rounds + 1)
    measurements = np.array(measured).T
    return [_summarise(row, statistic, measurements) for statistic in row.statistics]


def _summarise(row: Row, which: Statistic, measured: np.ndarray) -> Comparison:
    """From measurements `(sides, rounds)`, ours first, then the rival's forms, then the floor."""
    from scipy.stats import bootstrap

    def statistic(values: np.ndarray) -> float:
        return float(np.quantile(values, _QUANTILES[which]))

    forms = measured[1 : 1 + len(row.theirs)]
    fastest = forms[np.argmin([statistic(form) for form in forms])]
    ours = measured[0]

    def ratio(theirs: np.ndarray, mine: np.ndarray, axis: int = -1) -> np.ndarray:
        if which == "median":  # of each round's ratio: both sides had the same machine
            return np.median(theirs / mine, axis=axis)
        return np.asarray(
            np.quantile(theirs, _QUANTILES[which], axis=axis)
            / np.quantile(mine, _QUANTILES[which], axis=axis)
        )

    low, high = _interval(bootstrap, ratio, fastest, ours)
    return Comparison(
        statistic=which,
        ratio=float(ratio(fastest, ours)),
        low=low,
        high=high,
        ours=statistic(ours),
        theirs=statistic(fastest),
        floor=float(ratio(fastest, measured[-1])) if row.floor else None,
    )


def _interval(
    bootstrap: Callable[..., Any], ratio: Callable[..., np.ndarray], theirs: np.ndarray, ours: np.ndarray
) -> tuple[float, float]:
    if len(ours) < 2:
        return float(ratio(theirs, ours)), float(ratio(theirs, ours))
    found = bootstrap(
        (theirs, ours), ratio, paired=True, vectorized=True, method="percentile", random_state=0
    ).confidence_interval
    return float(found.low), float(found.high)

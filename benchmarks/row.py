"""A row of the table: two sides that do the same, how to see that they do, and what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from benchmarks.inputs import Inputs

Statistic = Literal["median", "p50", "p99"]
Results = Mapping[str, np.ndarray]


class Work(Protocol):
    """One side, ready to run: what `prepare` of its module returns."""

    def run(self) -> float | None:
        """Do the work once.

        Returns:
            What was measured, in the row's unit; None for the seconds that the call took.
        """

    def result(self) -> Results:
        """What the work gives, for the check that both sides do the same."""


@dataclass(frozen=True)
class Side:
    """A module with a function `prepare(inputs, **settings) -> Work`, run in a process of its own.

    Attributes:
        module: Its dotted name.
        settings: Arguments beside the inputs; JSON.
    """

    module: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """What is measured, and against whom. The ratio is theirs / ours: above 1, ours is the better.

    Attributes:
        name: What is measured.
        rival: The other side, as the table calls it.
        ours: Our side.
        theirs: The rival. Where a rival has several forms, the fastest one counts.
        check: Raises `DifferenceError` unless both sides' results are the same thing.
        rounds: How often both sides are run, by turns.
        unit: Unit of the measurements.
        statistics: What of the rounds is compared, a line of the table each.
        wanted: The ratio aimed at.
        at_most: Where a time is aimed at instead, that time; the ratio follows from the rival's.
        floor: What no implementation can do without, measured in the same rounds.
        note: What a reader of the table should know.
        inputs: Makes the input before anything is timed.
    """

    name: str
    rival: str
    ours: Side
    theirs: tuple[Side, ...]
    check: Callable[[Results, Results], None]
    rounds: int = 15
    unit: str = "s"
    statistics: tuple[Statistic, ...] = ("median",)
    wanted: float = 1.0
    at_most: float | None = None
    floor: Side | None = None
    note: str = ""
    inputs: Callable[[Inputs], object] = lambda _: None


class DifferenceError(Exception):
    """Two sides that should do the same do not."""


def close(ours: Results, theirs: Results, *, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Check that both sides give the same arrays, up to rounding.

    Raises:
        DifferenceError: If names, shapes or numbers differ.
    """
    if ours.keys() != theirs.keys():
        raise DifferenceError(f"one gives {sorted(ours)}, the other {sorted(theirs)}")
    for name, value in ours.items():
        other = theirs[name]
        if value.shape != other.shape:
            raise DifferenceError(f"{name}: shapes {value.shape} and {other.shape}")
        if not np.allclose(value, other, rtol=rtol, atol=atol):
            raise DifferenceError(f"{name}: numbers differ by up to {np.abs(value - other).max():.2g}")

"""What came of a reproduction: everything its page shows, as `results.json` holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from keras_mir.models.json_file import write_json
from keras_mir.models.report import AffectReport, GenreReport, report_to_dict

FORMAT = 2

Status = Literal["done", "failed", "waiting"]  # waiting where the reproduction was stopped before it
Settings = Literal["paper", "ours"]
SETTINGS: tuple[Settings, ...] = ("paper", "ours")


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: Also that of its folder, such as `paper-5c-beat-mel-seed0`.
        recipe: Named recipe it was made with.
        settings: Whether the recipe has the paper's settings, or is our better variant.
        variant: What runs with both settings, and all seeds, have in common; see `Variant`.
        target: The one target it learns; empty for genre and for several targets.
        command: What repeats it.
        folder: Where it is, relative to the page.
        reason: Why it failed, in one line.
        report: Its report; None until it is done, and for a training that has none.
        history: Metric to values by epoch.
        facts: What else is worth a line, by name: the losses of an overfit check, say.
    """

    name: str
    recipe: str
    settings: Settings
    variant: str
    target: str
    seed: int
    command: str
    folder: str
    status: Status = "waiting"
    reason: str = ""
    report: GenreReport | AffectReport | None = None
    history: Mapping[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What the seeds of a training have in common."""
        return f"{self.recipe}, {self.target}" if self.target else self.recipe


@dataclass(frozen=True)
class Picture:
    """A figure: a PNG relative to the page, the paper's figure it stands for, if any, and what made it."""

    file: str
    caption: str
    counterpart: str
    command: str


@dataclass(frozen=True)
class Outcome:
    """What came of an experiment: `failed` if any part of it is; notes are sentences a reader needs."""

    id: str
    title: str
    status: Status
    reason: str = ""
    runs: tuple[Run, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        number: The paper's table it stands for, `"1"` to `"7"`; empty if none.
        title: What it shows.
        settings: Whose settings its runs have; `both` where the columns tell.
        numbers: A record each: `row` and `column` where it stands, `mean` and `spread` (sample
            standard deviation) over `n` seeds, NaN where undefined; `runs`, the names of those it
            was made from; and `published`, the paper's value, NaN where it may not be shown.
        note: Such as why no published values stand beside ours.
        clips: Test clips by row, where rows are classes.
        place: The experiment it stands with; empty for the top of the page.
    """

    number: str
    title: str
    settings: Settings | Literal["both"]
    numbers: pd.DataFrame
    note: str = ""
    clips: Mapping[str, int] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True)
class Comparison:
    """A question the paper answers, put to this data set: the answer, and both sides' scores by seed."""

    question: str
    answer: str
    first: Mapping[str, float]
    second: Mapping[str, float]
    metric: str
    settings: Settings
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """A whole reproduction.

    Attributes:
        dataset: `name`, `licence`, `synthetic`, `left_out`; `is_course`: whether it is the paper's own
            data, and `why_not`; `genre` and `affect`: how they were split, and classes or targets.
        command: What repeats everything.
        quick: Whether it was a trial, too short for its numbers to mean anything.
        versions: Versions of what results depend on.
        started: ISO date and time.
        seconds: Time the parts took, stops left out.
        experiments: In the paper's order; only those requested, and what they need.
        tables: Made from the runs, as are the comparisons.
    """

    dataset: Mapping[str, Any]
    command: str
    quick: bool
    seeds: tuple[int, ...]
    versions: Mapping[str, str | None]
    machine: str
    started: str
    seconds: float
    experiments: tuple[Outcome, ...]
    tables: tuple[Table, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.experiments if outcome.status == "failed")

    def write(self, folder: Path) -> None:
        """Write `results.json` so that it is there whole or not at all; what is not finite is null."""
        content = asdict(self)
        for outcome, written in zip(self.experiments, content["experiments"], strict=True):
            for run, values in zip(outcome.runs, written["runs"], strict=True):
                values["report"] = run.report and report_to_dict(run.report)
        for table in content["tables"]:
            table["numbers"] = table["numbers"].to_dict("records")
        write_json(folder / "results.json", {"format": FORMAT, **content})

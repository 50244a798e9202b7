"""What came of a reproduction: everything its page shows, as `results.json` holds it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipelines.files import write_atomically

FORMAT = 1
FILE_NAME = "results.json"

Status = Literal["done", "failed", "waiting"]
Settings = Literal["report", "ours"]


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: Also that of its folder, such as `report-5c-beat-mel-seed0`.
        recipe: Named recipe it was made with.
        settings: Whether the recipe has the report's settings, or is our better variant.
        variant: What runs with both settings, and all seeds, have in common: the input of an LSTM
            (`mel`, `beat-mel`, `beat-chroma`, `beat-fused`), or the model of an affect
            regression (`lstm`, `cnn`, `transfer`, `multitask` ...).
        target: The one target it learns; empty for genre and for several targets.
        seed: Of the training.
        command: What repeats it.
        folder: Where it is, relative to the page.
        status: `done`, `failed`, or `waiting` where the reproduction was stopped before it.
        reason: Why it failed, in one line.
        report: Content of its `report.json`, see `keras_mir.models.report`; None
            unless it is done, and for an overfit check and for digits, which have none.
        history: Metric to values by epoch.
        seconds: Time it took.
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
    status: Status
    reason: str = ""
    report: Mapping[str, Any] | None = None
    history: Mapping[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes:
        file: PNG, relative to the page.
        caption: What it shows.
        counterpart: The figure of the report it stands for, such as `Fig 9b`; empty if none.
        command: What made it.
    """

    file: str
    caption: str
    counterpart: str
    command: str


@dataclass(frozen=True)
class Experiment:
    """One step of the report.

    Attributes:
        id: As the report's list has it: `1` ... `5a`, `5b` ... `11`.
        title: What is done.
        status: `failed` if any part of it is.
        reason: Why it failed, in one line.
        runs: Its trainings.
        pictures: Its figures.
        notes: Sentences a reader needs, such as what had to be left out.
    """

    id: str
    title: str
    status: Status
    reason: str = ""
    runs: tuple[Run, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A number of a table: mean and spread over seeds.

    Attributes:
        mean: None where no run has it.
        spread: Sample standard deviation over seeds; None with fewer than two.
        n: Seeds.
        runs: Names of the runs it was made from.
    """

    mean: float | None
    spread: float | None
    n: int
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: Of a class, an average, or a model.
        cells: One for each column.
        published: The report's values, column by column; empty where they may not be shown.
        command: What made the cells, for the first seed; empty where several did.
        support: Test examples of a class; None for rows that are no class.
    """

    name: str
    cells: tuple[Cell, ...]
    published: tuple[float | None, ...] = ()
    command: str = ""
    support: int | None = None


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        number: The report's table it stands for, `"1"` to `"7"`; empty if none.
        title: What it shows.
        settings: Whose settings its runs have; `both` where the columns tell.
        columns: Names of the cells.
        rows: The rows.
        note: Such as why no published values stand beside ours.
    """

    number: str
    title: str
    settings: Settings | Literal["both"]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """A question the report answers, asked of this data set.

    Attributes:
        question: Such as "Does beat-synchronous mel beat mel?".
        answer: Yes, no or not told apart, with the numbers, in one sentence.
        first: Scores of the first side by seed.
        second: Scores of the other side by seed.
        metric: What is compared.
        settings: Whose settings the runs have.
        runs: Names of the runs compared.
    """

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
        dataset: `name`, `licence`, `synthetic`, `is_course`: whether it is the report's own
            data, and `why_not` in one sentence; `genre` and `affect`: sizes of the splits,
            classes or targets, and how the split was made.
        command: What repeats everything.
        quick: Whether it was a trial, too short to judge anything by.
        seeds: Of the trainings.
        versions: Of what results depend on.
        machine: One line about it.
        started: ISO date and time.
        seconds: Time the parts took, stops left out.
        experiments: In the report's order; only those asked for, and what they need.
        tables: Made from the runs.
        comparisons: Made from the runs.
    """

    dataset: Mapping[str, Any]
    command: str
    quick: bool
    seeds: tuple[int, ...]
    versions: Mapping[str, str | None]
    machine: str
    started: str
    seconds: float
    experiments: tuple[Experiment, ...]
    tables: tuple[Table, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    @property
    def failed(self) -> tuple[Experiment, ...]:
        return tuple(experiment for experiment in self.experiments if experiment.status == "failed")


def write_results(results: Results, folder: Path) -> Path:
    """Write `results.json` so that it is there whole or not at all; what is not finite is null."""
    from keras_mir.models.report import plain

    content = {"format": FORMAT, **plain(dataclasses.asdict(results))}
    path = folder / FILE_NAME
    write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return path

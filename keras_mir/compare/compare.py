"""Which of several runs is better, by their predictions for the same clips."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from keras_mir.compare.figure import intervals
from keras_mir.evaluate.predictions_table import Predictions, read_heads
from keras_mir.models.cross_validation import read_cross_validation
from keras_mir.models.report import Interval, read_report, score_name
from keras_mir.models.report_table import Printer
from keras_mir.models.run_folder import RunFolder
from pipelines.datasets.base import Task
from pipelines.errors import ArgumentError, UserError
from pipelines.figures import save
from pipelines.places import check_folder
from pipelines.wording import counted, path_text

_RUN_WIDTH = 40  # a recipe and a time
_PICTURE = "comparison.png"


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    Attributes:
        name: Name of its folder.
        recipe: What was trained.
        score: Its main score on the clips that all have.
        difference: That less the first run's, by a paired bootstrap over clips; None for the first.
    """

    name: str
    recipe: str
    score: Interval
    difference: Interval | None


@dataclass(frozen=True)
class Comparison:
    """Runs on the same clips.

    Attributes:
        score: What the main score is, in words.
        n: Number of clips.
        left_out: Clips that some runs have and others lack.
        runs: In the order they were given.
    """

    score: str
    n: int
    left_out: int
    runs: tuple[ComparedRun, ...]


def compare(
    places: Sequence[str | Path], out: str | Path | None = None, seed: int = 0, head: Task | None = None
) -> Comparison:
    """Compare runs on the clips that all of them were evaluated on.

    A cross-validation is compared by its out-of-fold predictions, a clip's being the mean over the repeats.

    Args:
        places: Folders of runs or cross-validations, or their names in `runs`, or folders that `evaluate`
            wrote; two or more.
        out: Folder for a picture, `comparison.png`; None writes none.
        seed: Seed of the confidence intervals.
        head: What to compare, of runs that have several heads in common.

    Raises:
        UserError: If a run has no predictions, or they have no clips in common, or cannot be compared.
    """
    if len(places) < 2:
        raise ArgumentError("runs", None, "give two or more to compare")
    if out is not None:
        check_folder("out", Path(out))
    folders = [_folder(place) for place in places]
    if twice := [folder for folder, n in Counter(path.resolve() for path in folders).items() if n > 1]:
        raise ArgumentError("runs", twice[0], "it is named twice; give different runs")
    recipes = [_recipe_name(folder) for folder in folders]
    tables = [each.mean_over_repeats() for each in _of_one_head(folders, head)]
    for folder, table in zip(folders[1:], tables[1:], strict=True):
        _check_same_task(folders[0], tables[0], folder, table)
    of_each = [table.table.index for table in tables]
    ids = functools.reduce(lambda one, other: one.intersection(other, sort=False), of_each)
    if ids.empty:
        raise UserError(
            f"{' and '.join(map(str, folders))}: no evaluated clip in common; evaluate them on the same clips"
        )
    for folder, table in zip(folders[1:], tables[1:], strict=True):
        _check_same_labels(folders[0], tables[0], folder, table, ids)
    evaluations = [table.evaluation(ids, seed) for table in tables]
    first, names = evaluations[0], [path_text(Path(folder.resolve().name)) for folder in folders]
    runs = tuple(
        ComparedRun(
            name=name if names.count(name) == 1 else path_text(folder),
            recipe=recipe,
            score=evaluation.scores.main_score,
            difference=None if evaluation is first else evaluation.difference(first),
        )
        for name, folder, recipe, evaluation in zip(names, folders, recipes, evaluations, strict=True)
    )
    left_out = len(set().union(*of_each)) - len(ids)
    score = score_name(next(iter(first.scores.main_scores)))
    comparison = Comparison(score, len(ids), left_out, runs)
    if out is not None:
        scores = {run.name: run.score for run in runs}
        save(intervals(scores, score), Path(out) / _PICTURE)
    return comparison


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a headline and one row per run; anything but a terminal gets plain ASCII but for names."""
    printer = Printer(console)
    runs = counted(len(comparison.runs), "run")
    score = f"{comparison.score[0].upper()}{comparison.score[1:]}"
    printer.line(f"{score} of {runs} on the same {counted(comparison.n, 'clip')}.", style="bold")
    if comparison.left_out:
        printer.line(f"Left out: {counted(comparison.left_out, 'clip')} that not all of them have.")
    rows: list[tuple[str, ...]] = [
        (run.name, run.recipe, str(run.score), "" if run.difference is None else str(run.difference))
        for run in comparison.runs
    ]
    head: tuple[str, ...] = ("run", "recipe", comparison.score, "difference")
    if all(run.name.startswith(run.recipe) for run in comparison.runs):  # as runs are named: said once
        head, rows = head[:1] + head[2:], [row[:1] + row[2:] for row in rows]
    printer.table(head, rows, texts=len(head) - 2, name_width=_RUN_WIDTH)
    printer.line(
        "Differences are from the first run. The 95 % intervals are by bootstrap over clips, those of "
        "differences by drawing the same clips for both: where one holds 0, the clips do not tell the runs "
        "apart."
    )


def _folder(place: str | Path) -> Path:
    for folder in (Path(place), Path("runs") / place):
        if folder.is_dir():
            return folder
    raise UserError(f"{place}: no such run; give its folder")


def _recipe_name(folder: Path) -> str:
    crossed = RunFolder(folder).cross_validation.is_file()
    report = read_cross_validation(folder) if crossed else read_report(folder)
    return str(report.recipe.get("name", ""))


def _of_one_head(folders: Sequence[Path], head: Task | None) -> list[Predictions]:
    """The predictions of a head that all runs have; of those that have but one, of that, whichever it is."""
    every = [read_heads(RunFolder(folder).predictions) for folder in folders]
    for folder, heads in zip(folders, every, strict=True):
        if head is not None and head not in heads:
            raise ArgumentError("head", head, f"{folder} has none; it has {', '.join(heads)}")
    common = [task for task in every[0] if all(task in heads for heads in every)]
    if head is None and len(common) > 1:
        raise ArgumentError("head", None, f"the runs have {', '.join(common)} in common; choose one")
    chosen = head or next(iter(common), None)
    return [heads[chosen] if chosen else next(iter(heads.values())) for heads in every]


_TASKS: dict[Task, str] = {"genre": "tells genres", "tags": "gives tags", "affect": "rates affect"}


def _check_same_task(first: Path, one: Predictions, second: Path, other: Predictions) -> None:
    problem = ""
    if one.task != other.task:
        problem = f"one run {_TASKS[one.task]}, the other {_TASKS[other.task]}"
    elif one.tags != other.tags:
        problem = "the tags differ"
    elif one.classes != other.classes:
        problem = "the classes differ"
    elif set(one.targets) != set(other.targets):
        problem = "the targets differ"
    if problem:
        raise UserError(f"{first} and {second}: {problem}; compare runs that learnt the same")


def _check_same_labels(
    first: Path, one: Predictions, second: Path, other: Predictions, ids: pd.Index[str]
) -> None:
    differ = (one.labels.loc[ids] != other.labels.loc[ids]).any(axis=1)
    if differ.any():
        clip = differ.index[differ.to_numpy()][0]
        raise UserError(
            f"{first} and {second}: clip {clip!r} has another label in each; train both on the same labels"
        )

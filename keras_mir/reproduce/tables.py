"""The paper's tables 1 to 7 and an overview, made from runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from keras_mir.reproduce import paper, scores
from keras_mir.reproduce.results import SETTINGS, Run, Settings, Table
from keras_mir.reproduce.scores import finished
from keras_mir.reproduce.wording import count, score

_COLUMNS = {"paper": "the paper's settings", "ours": "our variant"}
_NOTHING = pd.DataFrame()


@dataclass(frozen=True)
class Line:
    """A row of the overview.

    Attributes:
        name: Of the kind of training.
        runs: By settings, whatever came of them.
        targets: Affect targets; none for genre.
        published: The paper's number, None if it has none, or none for these targets.
        remark: What has to be said beside that number.
    """

    name: str
    runs: Mapping[Settings, Sequence[Run]]
    targets: tuple[str, ...] = ()
    published: float | None = None
    remark: str = ""


def genre_table(number: str, title: str, settings: Settings, runs: Sequence[Run], why_not: str) -> Table:
    """Scores by class, accuracy and averages; `why_not` is why this is not the paper's data."""
    done, unpublished = finished(runs), why_unpublished(settings, runs, why_not)
    printed = _NOTHING if unpublished else paper.published(number)
    cells = []
    if done:
        every = pd.concat([scores.class_scores(run) for run in done])
        for row in map(str, every.index.unique()):
            for column in paper.SCORES:
                # Below F1 alone stands the accuracy.
                made_from = done if row != "accuracy" or column == "F1" else []
                cells.append(_cell(row, column, every[column].loc[[row]], made_from, printed))
    clips = scores.class_clips(done[0]) if done else {}
    note = _note(_evaluated_on(runs), unpublished, _left_out(runs))
    return Table(number, _titled(title, settings, runs), settings, pd.DataFrame(cells), note, clips)


def affect_table(
    number: str, title: str, settings: Settings, models: Mapping[str, Sequence[Run]], why_not: str
) -> Table:
    """Correlations by target, and their mean, a row for each of the models."""
    runs = [run for of_model in models.values() for run in of_model]
    unpublished, targets = why_unpublished(settings, runs, why_not), scores.targets_of(runs)
    printed = _NOTHING if unpublished else paper.published(number)
    if set(targets) != set(paper.TARGETS):
        printed = printed.drop(columns="mean", errors="ignore")
    cells = []
    for name, of_model in models.items():
        for target in targets:
            learning = finished(run for run in of_model if run.target in ("", target))
            cells.append(_cell(name, target, scores.correlations(learning, [target]), learning, printed))
        mean = scores.correlations(of_model, targets)
        cells.append(_cell(name, "mean", mean, finished(of_model), printed))
    note = _note(_evaluated_on(runs), unpublished, _left_out(runs), _undefined(runs))
    return Table(number, _titled(title, settings, runs), settings, pd.DataFrame(cells), note)


def overview(lines: Iterable[Line], why_not: str) -> Table | None:
    """One number for each kind of training, in the paper's settings and in ours; None if there is none."""
    lines = [line for line in lines if any(line.runs.values())]
    used = [one for one in SETTINGS if any(line.runs[one] for line in lines)]
    if not used:
        return None
    runs = [run for line in lines for one in used for run in line.runs[one]]
    cells, remarks = [], []
    for line in lines:
        several = "mean Spearman" if len(line.targets) != 1 else f"Spearman of {line.targets[0]}"
        row = f"{line.name}: {several if line.targets else 'accuracy'}"
        known = line.published is not None and not why_unpublished("paper", line.runs["paper"], why_not)
        printed = pd.DataFrame({_COLUMNS["paper"]: [line.published]}, [row]) if known else _NOTHING
        remarks += [line.remark] if known and "paper" in used else []
        for one in used:
            done = finished(line.runs[one])
            values = scores.correlations(done, line.targets) if line.targets else scores.accuracies(done)
            cells.append(_cell(row, _COLUMNS[one], values, done, printed))
    chance = ""
    if majority := scores.majority(runs):
        name, share = majority
        chance = f"Always answering {name}, the most frequent class, has accuracy {score(share)}."
    note = _note(chance, why_not, *remarks, _left_out(runs))
    settings = "both" if len(used) > 1 else used[0]
    return Table("", "Every kind of training in one number", settings, pd.DataFrame(cells), note)


def why_unpublished(settings: Settings, runs: Iterable[Run], why_not: str) -> str:
    """Why the paper's numbers may not stand beside those of the runs; empty if they may.

    They may where data set, settings, classes and clips are all the paper's own.
    """
    if settings == "ours":
        return "The paper has no numbers for our variant."
    if why_not:
        return why_not
    unshown = "The paper's numbers are not shown: they were measured on"
    for run in finished(runs):
        if limit := scores.limit(run):
            here = f"this training was limited to {limit} in each part of the split"
            return f"{unshown} all of its clips, and {here}."
        clips = scores.class_clips(run) if scores.is_genre(run) else paper.CLIPS
        if list(clips.items()) != list(paper.CLIPS.items()):
            theirs = f"{sum(paper.CLIPS.values())} test clips of {len(paper.CLIPS)} classes"
            ours = f"{count(sum(clips.values()), 'clip')} of {count(len(clips), 'class', 'classes')}"
            return f"{unshown} {theirs}, and this is {ours}."
    return ""


def _cell(
    row: str, column: str, values: pd.Series[float], runs: Iterable[Run], printed: pd.DataFrame
) -> dict[str, Any]:
    """A record of `Table.numbers`, from a value a seed and the paper's table as it may be shown."""
    known = row in printed.index and column in printed.columns
    return {
        "row": row,
        "column": column,
        "mean": values.mean(),
        "spread": values.std(),
        "n": int(values.count()),
        "runs": tuple(run.name for run in runs),
        "published": float(printed[column][row]) if known else float("nan"),
    }


def _left_out(runs: Sequence[Run]) -> str:
    missing = [f"{run.name} failed ({run.reason})" for run in runs if run.status == "failed"]
    missing += [f"{run.name} was not reached" for run in runs if run.status == "waiting"]
    return f"Left out: {'; '.join(missing)}." if missing else ""


def _undefined(runs: Iterable[Run]) -> str:
    reasons = [(run.name, *one) for run in finished(runs) for one in scores.undefined(run).items()]
    found = [f"{target} by {name} ({why})" for name, target, why in reasons]
    return f"Undefined, and in no mean: {'; '.join(found)}." if found else ""


def _evaluated_on(runs: Iterable[Run]) -> str:
    parts = dict.fromkeys(map(scores.evaluated_on, finished(runs)))
    return f"Evaluated on {' and '.join(parts)}." if parts else ""


def _titled(title: str, settings: Settings, runs: Iterable[Run]) -> str:
    recipes = ", ".join(dict.fromkeys(run.recipe for run in runs))
    whose = "the paper's settings" if settings == "paper" else "our variant, not the paper's settings"
    return f"{title} ({whose}: {recipes})"


def _note(*sentences: str) -> str:
    return " ".join(filter(None, sentences))

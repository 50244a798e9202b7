"""The paper's tables 1 to 7 and an overview, made from runs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from keras_mir.reproduce import paper, scores
from keras_mir.reproduce.results import SETTINGS, Outcome, Run, Settings, Table
from keras_mir.reproduce.scores import finished
from keras_mir.reproduce.wording import score
from pipelines.wording import counted

if TYPE_CHECKING:
    from keras_mir.reproduce.experiments.base import Experiment

Printed = Mapping[Hashable, Mapping[str, float]]  # the paper's values as they may be shown, by column and row

_COLUMNS = {"paper": "the paper's settings", "ours": "our variant"}


def genre_table(number: str, title: str, settings: Settings, runs: Sequence[Run], why_not: str) -> Table:
    """Scores by class, accuracy and averages; `why_not` is why this is not the paper's data."""
    done, unpublished = finished(runs), why_unpublished(settings, runs, why_not)
    printed = {} if unpublished else paper.published(number).to_dict()
    cells = []
    if done:
        every = pd.concat([scores.class_scores(run) for run in done])
        for row in map(str, every.index.unique()):
            for column in paper.SCORES:
                # Below F1 alone stands the accuracy.
                made_from = done if row != "accuracy" or column == "F1" else []
                cells.append(_cell(row, column, every[column].loc[[row]], made_from, printed))
    clips = scores.class_clips(done[0]) if done else {}
    return _table(number, title, settings, runs, cells, unpublished, clips)


def affect_table(
    number: str, title: str, settings: Settings, models: Mapping[str, Sequence[Run]], why_not: str
) -> Table:
    """Correlations by target, and their mean, a row for each of the models."""
    runs = [run for of_model in models.values() for run in of_model]
    unpublished, targets = why_unpublished(settings, runs, why_not), scores.targets_of(runs)
    printed = {} if unpublished else paper.published(number).to_dict()
    if set(targets) != set(paper.TARGETS):
        printed.pop("mean", None)
    cells = []
    for name, of_model in models.items():
        for target in targets:
            learning = finished(run for run in of_model if run.target in ("", target))
            cells.append(_cell(name, target, scores.correlations(learning, [target]), learning, printed))
        mean = scores.correlations(of_model, targets)
        cells.append(_cell(name, "mean", mean, finished(of_model), printed))
    return _table(number, title, settings, runs, cells, unpublished)


def overview(experiments: Iterable[Experiment], outcomes: Sequence[Outcome], why_not: str) -> Table | None:
    """One number for each kind of training, in the paper's settings and in ours; None if there is none."""
    lines = [
        (one, variant, {name: scores.runs_of(outcomes, one.id, variant.name, name) for name in SETTINGS})
        for one in experiments
        for variant in one.variants
        if variant.label
    ]
    lines = [line for line in lines if any(line[2].values())]
    used = [settings for settings in SETTINGS if any(runs[settings] for _, _, runs in lines)]
    if not used:
        return None
    cells, remarks, shown = [], [], []
    for one, variant, runs in lines:
        here = (run for outcome in outcomes if outcome.id == one.id for run in outcome.runs)
        targets = scores.targets_of(here) or one.paper_targets
        several = "mean Spearman" if len(targets) != 1 else f"Spearman of {targets[0]}"
        row = f"{one.id} {variant.label}: {several if targets else 'accuracy'}"
        printed: Printed = {}
        if targets == one.paper_targets and not why_unpublished("paper", runs["paper"], why_not):
            printed = {_COLUMNS["paper"]: {row: paper.OVERVIEW.get(variant.paper, float("nan"))}}
            remarks += [variant.remark] if "paper" in used else []
        for settings in used:
            done = finished(runs[settings])
            values = scores.correlations(done, targets) if targets else scores.accuracies(done)
            cells.append(_cell(row, _COLUMNS[settings], values, done, printed))
            shown += runs[settings]
    chance = ""
    if majority := scores.majority(shown):
        name, share = majority
        chance = f"Always answering {name}, the most frequent class, has accuracy {score(share)}."
    note = " ".join(filter(None, [chance, why_not, *remarks, _left_out(shown)]))
    whose = "both" if len(used) > 1 else used[0]
    return Table("", "Every kind of training in one number", whose, pd.DataFrame(cells), note)


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
        if limit := scores.report_of(run).split.limit:
            here = f"this training was limited to {limit} in each part of the split"
            return f"{unshown} all of its clips, and {here}."
        clips = scores.class_clips(run) if scores.is_genre(run) else paper.CLIPS
        if list(clips.items()) != list(paper.CLIPS.items()):
            theirs = f"{sum(paper.CLIPS.values())} test clips of {len(paper.CLIPS)} classes"
            ours = f"{counted(sum(clips.values()), 'clip')} of {counted(len(clips), 'class', 'classes')}"
            return f"{unshown} {theirs}, and this is {ours}."
    return ""


def _cell(
    row: str, column: str, values: pd.Series[float], runs: Iterable[Run], printed: Printed
) -> dict[str, Any]:
    """A record of `Table.numbers`, from a value a seed and the paper's table as it may be shown."""
    return {
        "row": row,
        "column": column,
        "mean": values.mean(),
        "spread": values.std(),
        "n": int(values.count()),
        "runs": tuple(run.name for run in runs),
        "published": printed.get(column, {}).get(row, float("nan")),
    }


def _table(
    number: str,
    title: str,
    settings: Settings,
    runs: Sequence[Run],
    cells: list[dict[str, Any]],
    unpublished: str,
    clips: Mapping[str, int] | None = None,
) -> Table:
    """Named after its recipes, with a note on what it is made from and what it lacks."""
    done = finished(runs)
    recipes = ", ".join(dict.fromkeys(run.recipe for run in runs))
    whose = "the paper's settings" if settings == "paper" else "our variant, not the paper's settings"
    reports = [scores.report_of(run) for run in done]
    evaluated = dict.fromkeys(counted(one.n, f"{one.split.evaluated} clip") for one in reports)
    undefined = [
        f"{target} by {run.name} ({why})" for run in done for target, why in scores.undefined(run).items()
    ]
    sentences = (
        f"Evaluated on {' and '.join(evaluated)}." if evaluated else "",
        unpublished,
        _left_out(runs),
        f"Undefined, and in no mean: {'; '.join(undefined)}." if undefined else "",
    )
    note, numbers = " ".join(filter(None, sentences)), pd.DataFrame(cells)
    return Table(number, f"{title} ({whose}: {recipes})", settings, numbers, note, clips or {})


def _left_out(runs: Sequence[Run]) -> str:
    missing = [f"{run.name} failed ({run.reason})" for run in runs if run.status == "failed"]
    missing += [f"{run.name} was not reached" for run in runs if run.status == "waiting"]
    return f"Left out: {'; '.join(missing)}." if missing else ""

"""The report's tables 1 to 7, made from runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_mir.reproduce import published
from keras_mir.reproduce.overview import make_overview
from keras_mir.reproduce.results import Cell, Experiment, Row, Run, Settings, Table
from keras_mir.reproduce.scores import (
    accuracies,
    cell,
    command_of,
    correlations,
    finished,
    mean_correlations,
    runs_of,
    targets_of,
)
from keras_mir.reproduce.table_notes import judged_on, left_out, undefined, why_unpublished

_SETTINGS: tuple[Settings, ...] = ("report", "ours")
_SCORES = ("precision", "recall", "F1")
_AVERAGES = ("macro", "micro", "weighted")

# Number, step and variant of the classification reports, and what they judge.
_GENRE = (
    ("1", "5c", "mel", "LSTM on mel"),
    ("2", "5c", "beat-mel", "LSTM on beat-synchronous mel"),
    ("3", "5c", "beat-chroma", "LSTM on beat-synchronous chroma"),
    ("4", "5c", "beat-fused", "LSTM on beat-synchronous mel and chroma"),
    ("5", "7b", "cnn", "CNN on mel"),
)
# Number, step and rows by variant of the affect tables, and what they judge.
_AFFECT = (
    ("6", "8", {"lstm": "LSTM", "cnn": "CNN"}, "Spearman correlation, one model a target"),
    ("7", "10", {"multitask": "multitask CNN"}, "Spearman correlation, one model for all targets"),
)


def make_tables(experiments: Sequence[Experiment], is_course: bool, why_not: str) -> tuple[Table, ...]:
    """An overview, and the report's tables, for each of the settings that were run.

    Args:
        experiments: With their runs.
        is_course: Whether the data set is the report's own. Only then do published values stand
            in the tables, and only beside the report's settings, classes and clips.
        why_not: Why it is not, in one sentence; noted instead of them.
    """
    overview = make_overview(experiments, is_course, why_not)
    tables = [overview] if overview else []
    for settings in _SETTINGS:
        for number, step, variant, title in _GENRE:
            if runs := runs_of(experiments, step, variant, settings):
                unpublished = why_unpublished(settings, runs, is_course, why_not)
                tables.append(_genre_table(number, title, settings, runs, unpublished))
        for number, step, names, title in _AFFECT:
            models = {variant: runs_of(experiments, step, variant, settings) for variant in names}
            runs = [run for of_model in models.values() for run in of_model]
            if runs:
                unpublished = why_unpublished(settings, runs, is_course, why_not)
                tables.append(_affect_table(number, title, settings, names, models, unpublished))
    return tuple(tables)


def _genre_table(number: str, title: str, settings: Settings, runs: Sequence[Run], unpublished: str) -> Table:
    """Scores by class, accuracy, and averages."""
    reports = [run.report for run in finished(runs) if run.report]
    printed = None if unpublished else published.GENRE[number]
    rows = [
        *_class_rows(reports, runs, printed),
        _accuracy_row(runs, printed),
        *_average_rows(reports, runs, printed),
    ]
    return Table(
        number=number,
        title=_titled(title, settings, runs),
        settings=settings,
        columns=_SCORES,
        rows=tuple(rows) if reports else (),
        note=_note(judged_on(runs), unpublished, left_out(runs)),
    )


def _class_rows(
    reports: Sequence[Mapping[str, Any]], runs: Sequence[Run], printed: published.ClassificationTable | None
) -> list[Row]:
    rows = []
    for index, name in enumerate(reports[0]["class_names"] if reports else ()):
        scores = [report["per_class"][name] for report in reports]
        rows.append(
            Row(
                name,
                _classification_cells(scores, runs),
                printed.classes[index] if printed else (),
                command_of(runs),
                support=scores[0]["support"],
            )
        )
    return rows


def _accuracy_row(runs: Sequence[Run], printed: published.ClassificationTable | None) -> Row:
    """One number, which the report prints in the column of F1."""
    nothing = Cell(None, None, 0)
    return Row(
        "accuracy",
        (nothing, nothing, cell(accuracies(runs).values(), runs)),
        (None, None, printed.accuracy) if printed else (),
        command_of(runs),
    )


def _average_rows(
    reports: Sequence[Mapping[str, Any]], runs: Sequence[Run], printed: published.ClassificationTable | None
) -> list[Row]:
    """The averages; of a micro average the report prints nothing, as it is the accuracy."""
    values = {"macro": printed.macro, "weighted": printed.weighted} if printed else {}
    return [
        Row(
            f"{average} avg",
            _classification_cells([report["averages"][average] for report in reports], runs),
            values.get(average, (None, None, None)) if printed else (),
            command_of(runs),
        )
        for average in _AVERAGES
    ]


def _classification_cells(
    scores: Sequence[Mapping[str, float | None]], runs: Sequence[Run]
) -> tuple[Cell, ...]:
    return tuple(cell((one[name.lower()] for one in scores), runs) for name in _SCORES)


def _affect_table(
    number: str,
    title: str,
    settings: Settings,
    names: Mapping[str, str],
    models: Mapping[str, Sequence[Run]],
    unpublished: str,
) -> Table:
    """Correlations by target, and their mean."""
    runs = [run for of_model in models.values() for run in of_model]
    targets = targets_of(runs)
    rows = [
        Row(
            names[variant],
            (
                *(_target_cell(of_model, target) for target in targets),
                cell(mean_correlations(of_model, targets).values(), of_model),
            ),
            () if unpublished else _published_correlations(variant, targets),
            command_of(of_model),
        )
        for variant, of_model in models.items()
        if of_model
    ]
    return Table(
        number=number,
        title=_titled(title, settings, runs),
        settings=settings,
        columns=(*targets, "mean"),
        rows=tuple(rows),
        note=_note(judged_on(runs), unpublished, left_out(runs), undefined(runs)),
    )


def _target_cell(runs: Sequence[Run], target: str) -> Cell:
    learning = [run for run in runs if run.target in ("", target)]  # it among others, or it alone
    return cell(correlations(learning, target).values(), learning)


def _published_correlations(variant: str, targets: Sequence[str]) -> tuple[float | None, ...]:
    printed = published.SPEARMAN[variant]
    mean = printed["mean"] if set(targets) == set(published.TARGETS) else None
    return (*(printed.get(target) for target in targets), mean)


def _titled(title: str, settings: Settings, runs: Sequence[Run]) -> str:
    recipes = ", ".join(dict.fromkeys(run.recipe for run in runs))
    whose = "the report's settings" if settings == "report" else "our variant, not the report's settings"
    return f"{title} ({whose}: {recipes})"


def _note(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)

"""Scores of a reproduction's runs, by seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import pandas as pd

from keras_mir.models.report import AffectReport, GenreReport, TrainingSummary
from keras_mir.reproduce.results import Outcome, Run, Settings
from keras_mir.reproduce.wording import score


def report_of(run: Run) -> GenreReport | AffectReport:
    """The report of a run that was evaluated."""
    assert run.report is not None
    return run.report


def _genre(run: Run) -> GenreReport:
    return cast(GenreReport, run.report)


def runs_of(outcomes: Iterable[Outcome], experiment: str, variant: str, settings: Settings) -> list[Run]:
    """The runs of one of an experiment's variants, whatever came of them."""
    runs = [run for outcome in outcomes if outcome.id == experiment for run in outcome.runs]
    return [run for run in runs if (run.variant, run.settings) == (variant, settings)]


def finished(runs: Iterable[Run]) -> list[Run]:
    """Those that were evaluated, which all functions below that take one run want."""
    return [run for run in runs if run.status == "done" and run.report]


def alike(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs that differ in their seed only, together."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.kind, []).append(run)
    return list(groups.values())


def is_genre(run: Run) -> bool:
    """Whether it learns genres; else it learns affect."""
    return report_of(run).task == "genre"


def targets_of(runs: Iterable[Run]) -> tuple[str, ...]:
    """Affect targets that runs learn, evaluated or not, in their order."""
    names: dict[str, None] = {}
    for run in runs:
        learnt = run.report.targets if isinstance(run.report, AffectReport) else ()
        names |= dict.fromkeys([run.target] if run.target else learnt)
    return tuple(names)


def accuracies(runs: Iterable[Run]) -> pd.Series[float]:
    """Accuracy of genre runs, by seed."""
    return _series({run.seed: _genre(run).accuracy.value for run in finished(runs)})


def correlations(runs: Iterable[Run], targets: Sequence[str]) -> pd.Series[float]:
    """Mean Spearman correlation over targets, by seed, of the seeds that have all of them.

    A target is learnt by a run alone or among others.
    """
    learnt = [(run.seed, cast(AffectReport, run.report).spearman) for run in finished(runs)]
    by_target = {
        target: _series({seed: scores[target].value for seed, scores in learnt if target in scores})
        for target in targets
    }
    return pd.DataFrame(by_target, dtype=float).dropna().mean(axis=1)


def class_scores(run: Run) -> pd.DataFrame:
    """Precision, recall, F1 and support by class, of the whole, and of the averages."""
    report = _genre(run)
    rows: dict[str, Any] = {name: vars(report.per_class[name]) for name in report.class_names}
    rows["accuracy"] = {"f1": report.accuracy.value}  # the paper prints it below F1
    rows |= {f"{name} avg": vars(report.averages[name]) for name in ("macro", "micro", "weighted")}
    table = pd.DataFrame.from_dict(rows, orient="index", dtype=float).rename(columns={"f1": "F1"})
    return table.loc[list(rows)]  # older pandas puts rows with a gap elsewhere


def class_clips(run: Run) -> dict[str, int]:
    """Test clips by class."""
    return {name: _genre(run).per_class[name].support for name in _genre(run).class_names}


def majority(runs: Iterable[Run]) -> tuple[str, float] | None:
    """The most frequent class and its share, by the first genre run."""
    return next((_genre(run).majority for run in finished(runs) if is_genre(run)), None)


def split_of(runs: Iterable[Run], task: str) -> dict[str, Any]:
    """How the clips of a task were split, and its classes, by the first run that learnt it."""
    found = next((run for run in finished(runs) if report_of(run).task == task), None)
    if found is None:
        return {}
    return {
        **asdict(report_of(found).split),
        "class_names": list(class_clips(found)) if is_genre(found) else [],
    }


def undefined(run: Run) -> dict[str, str]:
    """Why a correlation does not exist, by target."""
    prefix, report = "spearman.", report_of(run)
    reasons = report.undefined if isinstance(report, AffectReport) else {}
    return {name.removeprefix(prefix): why for name, why in reasons.items() if name.startswith(prefix)}


def in_words(run: Run, interval: bool = True) -> str:
    """What it came to, such as `accuracy .583 (.541 to .620)`."""
    found = report_of(run).main_score
    several = len(targets_of([run])) > 1
    metric = "accuracy" if is_genre(run) else "mean Spearman" if several else "Spearman"
    if found.value is None:
        return f"{metric} undefined"
    low_to_high = f" ({score(found.low)} to {score(found.high)})" if interval else ""
    return f"{metric} {score(found.value)}{low_to_high}"


def training(run: Run) -> TrainingSummary:
    """How its training went."""
    summary = report_of(run).training
    assert summary is not None  # it was trained here
    return summary


def _series(scores: Mapping[int, float | None]) -> pd.Series[float]:
    return pd.Series(scores, dtype=float).dropna().sort_index()

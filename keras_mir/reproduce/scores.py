"""Scores of a reproduction's runs, by seed; reports are read here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from keras_mir.reproduce.results import Outcome, Run, Settings
from keras_mir.reproduce.wording import score
from pipelines.wording import counted


def _report(run: Run) -> Mapping[str, Any]:
    assert run.report is not None  # for evaluated runs alone
    return run.report


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
    return bool(_report(run)["task"] == "genre")


def targets_of(runs: Iterable[Run]) -> tuple[str, ...]:
    """Affect targets that runs learn, evaluated or not, in their order."""
    names: dict[str, None] = {}
    for run in runs:
        names |= dict.fromkeys([run.target] if run.target else (run.report or {}).get("targets", ()))
    return tuple(names)


def accuracies(runs: Iterable[Run]) -> pd.Series[float]:
    """Accuracy of genre runs, by seed."""
    return _series({run.seed: _report(run)["accuracy"]["value"] for run in finished(runs)})


def correlations(runs: Iterable[Run], targets: Sequence[str]) -> pd.Series[float]:
    """Mean Spearman correlation over targets, by seed, of the seeds that have all of them.

    A target is learnt by a run alone or among others.
    """
    learnt = [(run.seed, _report(run)["spearman"]) for run in finished(runs)]
    by_target = {
        target: _series({seed: scores[target]["value"] for seed, scores in learnt if target in scores})
        for target in targets
    }
    return pd.DataFrame(by_target, dtype=float).dropna().mean(axis=1)


def class_scores(run: Run) -> pd.DataFrame:
    """Precision, recall, F1 and support by class, of the whole, and of the averages."""
    report = _report(run)
    rows = {name: report["per_class"][name] for name in report["class_names"]}
    rows["accuracy"] = {"f1": report["accuracy"]["value"]}  # the paper prints it below F1
    rows |= {f"{name} avg": report["averages"][name] for name in ("macro", "micro", "weighted")}
    table = pd.DataFrame.from_dict(rows, orient="index", dtype=float).rename(columns={"f1": "F1"})
    return table.loc[list(rows)]  # older pandas puts rows with a gap elsewhere


def class_clips(run: Run) -> dict[str, int]:
    """Test clips by class."""
    return {name: _report(run)["per_class"][name]["support"] for name in _report(run)["class_names"]}


def majority(runs: Iterable[Run]) -> tuple[str, float] | None:
    """The most frequent class and its share, by the first genre run."""
    chances = (_report(run)["chance"] for run in finished(runs) if is_genre(run))
    return next(((chance["majority_class"], chance["majority_share"]) for chance in chances), None)


def split_of(runs: Iterable[Run], task: str) -> dict[str, Any]:
    """How the clips of a task were split, and its classes, by the first run that learnt it."""
    reports = (_report(run) for run in finished(runs))
    found = (report for report in reports if report["task"] == task)
    return next(({**one["split"], "class_names": one.get("class_names", [])} for one in found), {})


def limit(run: Run) -> int:
    """To how many clips each part of the split was limited; 0 for all."""
    return int(_report(run)["split"].get("limit") or 0)


def evaluated_on(run: Run) -> str:
    """The clips that the scores are of, such as `575 test clips`."""
    return counted(_report(run)["n"], f"{_report(run)['split']['evaluated']} clip")


def undefined(run: Run) -> dict[str, str]:
    """Why a correlation does not exist, by target."""
    prefix, reasons = "spearman.", _report(run).get("undefined") or {}
    return {name.removeprefix(prefix): why for name, why in reasons.items() if name.startswith(prefix)}


def in_words(run: Run, interval: bool = True) -> str:
    """What it came to, such as `accuracy .583 (.541 to .620)`."""
    report = _report(run)
    found = report["accuracy" if is_genre(run) else "spearman_mean"]
    several = not is_genre(run) and len(report["targets"]) > 1
    metric = "accuracy" if is_genre(run) else "mean Spearman" if several else "Spearman"
    if found["value"] is None:
        return f"{metric} undefined"
    low_to_high = f" ({score(found['low'])} to {score(found['high'])})" if interval else ""
    return f"{metric} {score(found['value'])}{low_to_high}"


def training(run: Run) -> Mapping[str, Any]:
    """Its `epochs`, its `best_epoch`, counted from 1, and whether it `stopped_early`."""
    return _report(run)["training"]


def _series(scores: Mapping[int, float | None]) -> pd.Series[float]:
    return pd.Series(scores, dtype=float).dropna().sort_index()

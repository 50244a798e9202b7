"""Scores of a reproduction's runs, by seed; those that are undefined are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev

from keras_mir.reproduce.results import Cell, Experiment, Run, Settings

BySeed = dict[int, float]


def runs_of(experiments: Sequence[Experiment], step: str, variant: str, settings: Settings) -> list[Run]:
    """The runs of a step's variant, whatever came of them."""
    return [
        run
        for experiment in experiments
        if experiment.id == step
        for run in experiment.runs
        if run.variant == variant and run.settings == settings
    ]


def finished(runs: Sequence[Run]) -> list[Run]:
    """Those that were evaluated."""
    return [run for run in runs if run.status == "done" and run.report]


def targets_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """Affect targets that the runs learn, in their order."""
    names: dict[str, None] = {}
    for run in runs:
        names |= dict.fromkeys([run.target] if run.target else (run.report or {}).get("targets", ()))
    return tuple(names)


def accuracies(runs: Sequence[Run]) -> BySeed:
    """Accuracy of genre runs."""
    return _defined({run.seed: run.report["accuracy"]["value"] for run in finished(runs) if run.report})


def correlations(runs: Sequence[Run], target: str) -> BySeed:
    """Spearman correlation of a target, by the runs that learn it, alone or among others."""
    return _defined(
        {
            run.seed: run.report["spearman"][target]["value"]
            for run in finished(runs)
            if run.report and target in run.report["spearman"]
        }
    )


def mean_correlations(runs: Sequence[Run], targets: Sequence[str]) -> BySeed:
    """Mean over the targets, of the seeds that have all of them."""
    by_target = [correlations(runs, target) for target in targets]
    if not by_target:
        return {}
    seeds = sorted(set.intersection(*(set(scores) for scores in by_target)))
    return {seed: fmean(scores[seed] for scores in by_target) for seed in seeds}


def cell(scores: Iterable[float | None], runs: Sequence[Run]) -> Cell:
    """Mean and sample standard deviation of the scores that are defined, one a seed, made from `runs`."""
    values = [value for value in scores if value is not None]
    return Cell(
        mean=fmean(values) if values else None,
        spread=stdev(values) if len(values) > 1 else None,
        n=len(values),
        runs=tuple(run.name for run in finished(runs)),
    )


def command_of(runs: Sequence[Run]) -> str:
    """What made the first of runs that differ in their seed only; empty if they differ in more."""
    kinds = {(run.recipe, run.target) for run in runs}
    return runs[0].command if len(kinds) == 1 else ""


def _defined(scores: Mapping[int, float | None]) -> BySeed:
    return {seed: value for seed, value in sorted(scores.items()) if value is not None}

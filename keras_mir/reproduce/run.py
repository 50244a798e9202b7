"""Run the experiments one after another, and write the page."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Console

from keras_mir.command_line.lines import say
from keras_mir.models.report import versions
from keras_mir.reproduce.comparisons import compare
from keras_mir.reproduce.dataset import open_dataset
from keras_mir.reproduce.experiments import EXPERIMENTS, named_experiments
from keras_mir.reproduce.experiments.base import Earlier, Experiment, Outcomes, Setup
from keras_mir.reproduce.page import write_page
from keras_mir.reproduce.request import Request
from keras_mir.reproduce.results import SETTINGS, Comparison, Outcome, Picture, Results, Status, Table
from keras_mir.reproduce.tables import overview
from keras_mir.reproduce.trainings import Training, attempt, do_all

Plans = Mapping[Experiment, Sequence[Training]]


def run(request: Request, console: Console) -> Results:
    """Do the trainings that are not done yet, then write the page; see `keras_mir.reproduce.reproduce`."""
    now = named_experiments(request.only)
    only, started = request.open_folder()
    setup = Setup(request, open_dataset(request, console))
    plans = {one: [] if _missing(one, setup) else one.trainings(setup) for one in named_experiments(only)}
    try:
        do_all([(one.id, training) for one in now for training in plans[one]], console)
    except KeyboardInterrupt:
        _write(setup, plans, started, console)
        say(console, f"continue with: {request.command()}")
        raise
    results = _write(setup, plans, started, console)
    lines = [f"failed: {one.id}: {one.reason}" for one in results.failed]
    for label, name in (("page", "index.html"), ("text", "index.md"), ("numbers", "results.json")):
        lines.append(f"{label:8} {request.folder / name}")
    say(console, *lines)
    return results


def make_tables(outcomes: Outcomes, why_not: str) -> tuple[Table, ...]:
    """An overview, and the experiments' own tables, in each of the settings that were run.

    Published values stand in them only if `why_not`, why the data set is not the paper's, is empty, and
    only beside the paper's settings, classes and clips.
    """
    experiments = _experiments(outcomes)
    # One without trainings of its own shows what others have.
    places = {need: one.id for one in experiments if not one.variants for need in one.needs}
    top = overview(experiments, outcomes, why_not)
    own = [
        replace(table, place=places.get(one.id, one.id))
        for settings in SETTINGS
        for one in experiments
        for table in one.tables(outcomes, settings, why_not)
    ]
    return (*([top] if top else []), *own)


def make_comparisons(outcomes: Outcomes) -> tuple[Comparison, ...]:
    """Answer every question that both sides have runs for, in each of the settings."""
    answers = (
        compare(question, outcomes, settings)
        for settings in SETTINGS
        for one in _experiments(outcomes)
        for question in one.questions
    )
    return tuple(filter(None, answers))


def _experiments(outcomes: Outcomes) -> list[Experiment]:
    known = {one.id for one in outcomes}
    return [one for one in EXPERIMENTS if one.id in known]


def _write(setup: Setup, plans: Plans, started: str, console: Console) -> Results:
    """Collect what there is, draw the pictures, and write page, text and numbers."""
    say(console, "drawing pictures, writing the page")
    request, dataset = setup.request, setup.dataset
    found: dict[str, Outcome] = {}
    for experiment, trainings in plans.items():
        found[experiment.id] = _outcome(experiment, trainings, setup, found)
    outcomes = tuple(found.values())
    runs = [run for one in outcomes for run in one.runs]
    results = Results(
        dataset=dataset.describe(runs),
        command=request.command(),
        quick=request.quick,
        seeds=tuple(range(request.seeds)),
        versions=versions(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        started=started,
        seconds=round(sum(run.seconds for run in runs), 1),
        experiments=outcomes,
        tables=make_tables(outcomes, dataset.why_not_course),
        comparisons=make_comparisons(outcomes),
    )
    results.write(request.folder)
    write_page(results, request.folder)
    return results


def _outcome(one: Experiment, trainings: Sequence[Training], setup: Setup, earlier: Earlier) -> Outcome:
    """What came of an experiment, with its pictures drawn."""
    if reason := _missing(one, setup):
        return Outcome(one.id, one.title, "failed", reason)
    runs = tuple(training.collect() for training in trainings)
    failed = [f"{run.name}: {run.reason}" for run in runs if run.status == "failed"]
    more = f" (and {len(failed) - 1} more trainings)" if len(failed) > 1 else ""
    pictures: list[Picture] = []
    notes = list(one.notes(setup.dataset))
    log = setup.request.folder / "logs" / f"experiment-{one.id}.txt"
    reasons = (
        f"{failed[0]}{more}" if failed else "",
        attempt(lambda: pictures.extend(one.pictures(setup, runs, earlier)), log),
        attempt(lambda: notes.extend(one.finish(setup, trainings, runs)), log),
    )
    reason = next(filter(None, reasons), "")
    # Without trainings of its own, it is done when those are that it shows.
    statuses = [run.status for run in runs] or [earlier[name].status for name in one.needs]
    waiting: Status = "waiting" if "waiting" in statuses else "done"
    worst: Status = "failed" if reason or "failed" in statuses else waiting
    return Outcome(one.id, one.title, worst, reason, runs, tuple(pictures), tuple(notes))


def _missing(one: Experiment, setup: Setup) -> str:
    """Why the data set has nothing for an experiment; empty if it has."""
    return next(filter(None, (setup.dataset.why_no[task] for task in one.labels)), "")

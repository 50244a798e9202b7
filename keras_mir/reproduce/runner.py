"""Run the report's steps one after another, and write the page."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from keras_mir.models.report import versions
from keras_mir.reproduce import digits_step, submission_step
from keras_mir.reproduce.comparisons import make_comparisons
from keras_mir.reproduce.dataset import DataSet, open_dataset
from keras_mir.reproduce.estimate import expected_seconds
from keras_mir.reproduce.exhibits import Exhibits
from keras_mir.reproduce.failures import attempt
from keras_mir.reproduce.markdown import write_markdown
from keras_mir.reproduce.page import write_page
from keras_mir.reproduce.plan import Planned, Step, plan, steps_asked
from keras_mir.reproduce.progress import Progress
from keras_mir.reproduce.request import ReportFolder, ReproduceRequest
from keras_mir.reproduce.results import Experiment, Results, Run, Status, write_results
from keras_mir.reproduce.tables import make_tables
from keras_mir.reproduce.trainings import collect, do


def reproduce(request: ReproduceRequest, console: Console) -> int:
    """Run what is asked for, then write the page.

    Returns:
        The exit status: 0, or 1 if an experiment failed.

    Raises:
        UserError: If the request or the data set cannot be used at all.
    """
    asked = steps_asked(request.only)
    folder = ReportFolder(request)
    state = folder.open()
    dataset = open_dataset(request, console)
    plans = {step.id: _plan(step, request, dataset) for step in steps_asked(state.only)}
    try:
        _train(asked, plans, request, folder, dataset, console)
    except KeyboardInterrupt:
        _write(plans, request, folder, dataset, state.started, console)
        console.print(f"continue with: {request.command()}", highlight=False, soft_wrap=True)
        raise
    results = _write(plans, request, folder, dataset, state.started, console)
    for experiment in results.failed:
        console.print(f"failed: {experiment.id}: {experiment.reason}", highlight=False, soft_wrap=True)
    for label, name in (("page", "index.html"), ("text", "report.md"), ("numbers", "results.json")):
        console.print(f"{label:8} {folder.path / name}", highlight=False, soft_wrap=True)
    return 1 if results.failed else 0


def _plan(step: Step, request: ReproduceRequest, dataset: DataSet) -> list[Planned]:
    return plan(step, request, dataset) if not _missing(step, dataset) else []


def _missing(step: Step, dataset: DataSet) -> str:
    """Why the data set has nothing for a step; empty if it has."""
    if step.id == "7a":
        return ""
    if step.id in ("8", "9", "10", "11") and dataset.affect is None:
        return dataset.why_no_affect
    if step.id not in ("8", "10", "11") and dataset.genre is None:
        return dataset.why_no_genre
    return ""


def _train(
    asked: Sequence[Step],
    plans: dict[str, list[Planned]],
    request: ReproduceRequest,
    folder: ReportFolder,
    dataset: DataSet,
    console: Console,
) -> None:
    """Do all trainings that are not done yet."""
    trainings = [planned for step in asked for planned in plans[step.id]]
    expected = {planned.name: _expected(planned, dataset) for planned in trainings}
    if any(step.id == "7a" for step in asked):
        expected |= dict.fromkeys(digits_step.names(request), digits_step.SECONDS)
    with Progress(expected, console) as progress:
        for step in asked:
            for planned in plans[step.id]:
                with progress.training(planned.name, step.id, planned.recipe.train.epochs) as epoch_done:
                    run = do(planned, request, folder, epoch_done)
                    progress.finished(planned.name, run)
            if step.id == "7a":
                for name, seed in digits_step.names(request).items():
                    with progress.training(name, step.id, digits_step.EPOCHS):
                        run = digits_step.do(name, seed, request, folder)
                        progress.finished(name, run)


def _expected(planned: Planned, dataset: DataSet) -> float:
    examples = dataset.genre if planned.recipe.task.task == "genre" else dataset.affect
    clips = int(0.6 * len(examples)) if examples else 0
    beats = dataset.frames // 20  # about two a second
    return expected_seconds(planned.recipe, clips, dataset.frames, beats)


def _write(
    plans: dict[str, list[Planned]],
    request: ReproduceRequest,
    folder: ReportFolder,
    dataset: DataSet,
    started: str,
    console: Console,
) -> Results:
    """Collect what there is, draw the pictures, and write page, text and numbers."""
    console.print("drawing pictures, writing the page", highlight=False)
    exhibits = Exhibits(dataset, request, folder)
    experiments: list[Experiment] = []
    for step in steps_asked(tuple(plans)):
        experiments.append(_experiment(step, plans[step.id], experiments, exhibits, request, folder, dataset))
    runs = [run for experiment in experiments for run in experiment.runs]
    results = Results(
        dataset=dataset.describe(runs),
        command=request.command(),
        quick=request.quick,
        seeds=tuple(range(request.seeds)),
        versions=versions(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        started=started,
        seconds=round(sum(run.seconds for run in runs), 1),
        experiments=tuple(experiments),
        tables=make_tables(experiments, not dataset.why_not_course, dataset.why_not_course),
        comparisons=make_comparisons(experiments),
    )
    write_results(results, folder.path)
    write_markdown(results, folder.path)
    write_page(results, folder.path)
    return results


def _experiment(
    step: Step,
    planned: Sequence[Planned],
    before: Sequence[Experiment],
    exhibits: Exhibits,
    request: ReproduceRequest,
    folder: ReportFolder,
    dataset: DataSet,
) -> Experiment:
    """A step with its trainings and pictures; `before` are the steps before it."""
    if reason := _missing(step, dataset):
        return Experiment(step.id, step.title, "failed", reason)
    if step.id == "7a":
        runs: tuple[Run, ...] = digits_step.collect_all(request, folder)
    else:
        runs = tuple(collect(one, folder) for one in planned)
    experiment = Experiment(
        step.id, step.title, _status(runs), _reason(runs), runs, notes=_notes(step, dataset)
    )

    def add_pictures() -> None:
        nonlocal experiment
        earlier = {other.id: other for other in before}
        experiment = replace(experiment, pictures=exhibits.draw(experiment, earlier))

    def add_submission() -> None:
        nonlocal experiment
        notes = submission_step.submit(runs, planned, request, folder, dataset)
        experiment = replace(experiment, notes=(*experiment.notes, *notes))

    for work in (add_pictures, *([add_submission] if step.id == "11" else [])):
        if failed := attempt(work, folder.logs / f"step-{step.id}.txt"):
            experiment = replace(experiment, status="failed", reason=experiment.reason or failed)
    if step.id == "6" and experiment.status == "done":
        experiment = replace(experiment, status=next(e.status for e in before if e.id == "5c"))
    return experiment


def _notes(step: Step, dataset: DataSet) -> tuple[str, ...]:
    if step.id in ("4", "5b", "5c", "7b") and dataset.left_out:
        return (f"Left out: {dataset.left_out}.",)
    if step.id == "9" and dataset.transfer_target not in ("", "energy"):
        return (f"The data set has no energy; {dataset.transfer_target} takes its place.",)
    return ()


def _status(runs: Sequence[Run]) -> Status:
    statuses = {run.status for run in runs}
    return "failed" if "failed" in statuses else "waiting" if "waiting" in statuses else "done"


def _reason(runs: Sequence[Run]) -> str:
    failed = [run for run in runs if run.status == "failed"]
    if not failed:
        return ""
    more = f" (and {len(failed) - 1} more trainings)" if len(failed) > 1 else ""
    return f"{failed[0].name}: {failed[0].reason}{more}"

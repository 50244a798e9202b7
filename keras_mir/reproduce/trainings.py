"""Trainings: planned, done, gone on with, or found done; and what is said meanwhile."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from keras_mir.command_line.lines import say
from keras_mir.command_line.run import is_about_a_place
from keras_mir.fit.run import Run as Fit
from keras_mir.models.json_file import write_json
from keras_mir.models.report import AffectReport, GenreReport, read_report
from keras_mir.models.report_table import print_report
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.duration import duration, training_seconds
from keras_mir.recipes.recipe import Recipe
from keras_mir.reproduce import scores
from keras_mir.reproduce.request import Request
from keras_mir.reproduce.results import Run
from pipelines.errors import UserError, reason_of
from pipelines.files import read_json

EpochDone = Callable[[int], None]

_REMEDY = "delete it, and run the same again"
_PACE_SECONDS = 3600.0  # what is left goes by the pace of the last hour


@dataclass(frozen=True)
class Training(ABC):
    """One training: its run as it stands before it is done, and how many epochs and seconds it may take."""

    run: Run
    request: Request
    epochs: int
    seconds: float

    @property
    def folder(self) -> Path:
        return self.request.folder / self.run.folder

    def do(self, epoch_done: EpochDone) -> Run:
        """Train, with what it prints in its log; `epoch_done` is called with the number of epochs done.

        A failure is a result too: the other trainings go on.
        """
        log = self._failure.with_name(f"{self.run.name}.txt")
        log.parent.mkdir(parents=True, exist_ok=True)
        self._failure.unlink(missing_ok=True)
        start = time.perf_counter()
        # Memory of the models before is not given back otherwise.
        keras.backend.clear_session()
        with log.open("a", 1, "utf-8") as file, contextlib.redirect_stdout(_Log(file, epoch_done)):
            reason = attempt(lambda: self._train(Console(file=file, width=110, force_jupyter=False)), log)
        if reason:
            write_json(self._failure, {"reason": reason, "seconds": round(time.perf_counter() - start, 1)})
        return self.collect()

    def collect(self) -> Run:
        """What is known of it."""
        if result := self._result():
            return result
        if self._failure.exists():
            return replace(self.run, status="failed", **read_json(self._failure, _REMEDY))
        return self.run

    @abstractmethod
    def _train(self, console: Console) -> None:
        """Train, or go on with what was stopped."""

    @abstractmethod
    def _result(self) -> Run | None:
        """The run with what it came to; None unless it is at its end."""

    @property
    def _failure(self) -> Path:
        return self.request.folder / "logs" / f"{self.run.name}.failure.json"


@dataclass(frozen=True)
class RecipeTraining(Training):
    """A training by `keras_mir.fit`, of a recipe with all that the data set or the user asks for changed."""

    recipe: Recipe

    def _train(self, console: Console) -> None:
        folder, request = RunFolder(self.folder), self.request
        is_check = self.recipe.train.overfit_batches > 0
        if folder.options.exists() and is_check:
            shutil.rmtree(folder.path)  # a check is not resumed
        if folder.options.exists():
            print_report(Fit.continued(folder.path, console=console).resume().report, console)
            return
        fit = Fit(
            self.recipe,
            request.data,
            labels=request.labels,
            skip_bad=request.skip_bad,
            cache_dir=request.cache,
            jobs=request.jobs,
            out=folder.path,
            seed=self.run.seed,
            console=console,
        )
        if is_check:
            fit.check_overfit()
        else:
            print_report(fit.train().report, console)

    def _result(self) -> Run | None:
        run = RunFolder(self.folder)
        if run.report.exists():
            report = read_report(run.report)
            assert isinstance(report, GenreReport | AffectReport)  # no experiment learns tags
            done = replace(self.run, status="done", report=report)
            done = replace(done, seconds=scores.training(done).seconds)
        elif run.overfit.exists():
            facts = read_json(run.overfit, _REMEDY)
            done = replace(self.run, status="done", facts=facts, seconds=facts["seconds"])
            if not facts["passed"]:
                done = replace(done, status="failed", reason="the batches were not memorised")
        else:
            return None
        table = run.read_history()
        return replace(done, history={str(name): [*map(float, table[name])] for name in table})


def do_all(trainings: Sequence[tuple[str, Training]], console: Console) -> None:
    """Do the trainings, each with the id of its experiment, that are not done yet."""
    waiting = [(experiment, training) for experiment, training in trainings if training._result() is None]
    with Progress(
        *(TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        speed_estimate_period=_PACE_SECONDS,
        redirect_stdout=False,  # what trainings print goes to their logs
    ) as bar:
        task = bar.add_task("", total=sum(training.seconds for _, training in waiting))
        before = 0.0  # seconds expected of those that are done
        for number, (experiment, training) in enumerate(waiting, start=1):
            what = f"{number} of {len(waiting)}: experiment {experiment}, {training.run.name}"

            def show(done: int, what: str = what, one: Training = training, before: float = before) -> None:
                epoch = f"epoch {min(done + 1, one.epochs)} of {one.epochs} at most"
                part = min(done / one.epochs, 1.0) * one.seconds
                bar.update(task, completed=before + part, description=f"{what}, {epoch}")

            show(0)
            run = training.do(show)
            before += training.seconds
            bar.update(task, completed=before)
            left = bar.tasks[task].time_remaining
            rest = f", about {duration(left)} left" if left else ""
            say(console, f"[{number}/{len(waiting)}] {training.run.name}: {_outcome(run)}{rest}")


def expected_seconds(recipe: Recipe, clips: int, frames: int) -> float:
    """A guess at how long a training takes, on so many clips with spectrograms of so many frames."""
    # About two beats a second.
    return training_seconds(recipe, clips, frames // 20 if recipe.input.sync == "beat" else frames)


def attempt(work: Callable[[], object], log: Path) -> str:
    """Do some work, and say in one line why it failed, if it did.

    The traceback of an error that is not the user's goes to the log. Only when there is no place left
    to write to, which no other experiment would survive, is the error raised.
    """
    try:
        work()
    except UserError as error:
        return str(error)
    except Exception as error:  # whatever it is, the other experiments are not to blame
        if isinstance(error, OSError) and is_about_a_place(error):
            raise
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        return f"{type(error).__name__}: {reason_of(error)} (details: {log})"
    return ""


def _outcome(run: Run) -> str:
    if run.status == "failed":
        return f"FAILED: {run.reason}"
    if not run.report:
        return "done"
    return f"{scores.in_words(run, False)} after {scores.training(run).epochs} epochs"


class _Log(io.TextIOBase):
    """Passes on what is printed, and sees the lines that end an epoch."""

    def __init__(self, file: TextIO, epoch_done: EpochDone) -> None:
        self._file, self._epoch_done = file, epoch_done

    def write(self, text: str) -> int:
        if found := re.match(r"epoch (\d+)/", text):
            self._epoch_done(int(found[1]))
        return self._file.write(text)

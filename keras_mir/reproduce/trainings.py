"""Do one planned training, go on with it, or find it done."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import keras
import pandas as pd
from rich.console import Console

from keras_mir.fit.run import FitRequest, resume_fit, run_fit
from keras_mir.models.report import read_report
from keras_mir.models.run_folder import RunFolder
from keras_mir.reproduce.failures import attempt
from keras_mir.reproduce.plan import Planned
from keras_mir.reproduce.request import ReportFolder, ReproduceRequest
from keras_mir.reproduce.results import Run
from pipelines.files import write_atomically

EpochDone = Callable[[int], None]


def do(planned: Planned, request: ReproduceRequest, folder: ReportFolder, epoch_done: EpochDone) -> Run:
    """Train, unless that is done; what it prints goes to its log.

    Args:
        planned: What to train.
        request: Says on which data.
        folder: Where its run and log go.
        epoch_done: Called with the number of epochs done.

    Returns:
        What came of it. A failure is a result too: the other trainings go on.
    """
    run = RunFolder(folder.runs / planned.name)
    if _finished(run):
        return collect(planned, folder)
    failure = _failure(planned, folder)
    failure.unlink(missing_ok=True)
    log = folder.logs / f"{planned.name}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    # Memory of the models before is not given back otherwise.
    keras.backend.clear_session()
    with log.open("a", encoding="utf-8") as file, contextlib.redirect_stdout(_Log(file, epoch_done)):
        reason = attempt(lambda: _fit(planned, request, run, Console(file=file, width=110)), log)
    if reason:
        content = {"reason": reason, "seconds": round(time.perf_counter() - start, 1)}
        write_atomically(failure, (json.dumps(content) + "\n").encode())
    return collect(planned, folder)


def collect(planned: Planned, folder: ReportFolder) -> Run:
    """What is known of a training."""
    run = RunFolder(folder.runs / planned.name)
    known = Run(
        name=planned.name,
        recipe=planned.recipe.name,
        settings=planned.settings,
        variant=planned.variant,
        target=planned.target,
        seed=planned.seed,
        command=planned.command,
        folder=str(run.path.relative_to(folder.path)),
        status="waiting",
    )
    if run.overfit.exists():
        facts = json.loads(run.overfit.read_text(encoding="utf-8"))
        return replace(
            known,
            status="done" if facts["passed"] else "failed",
            reason="" if facts["passed"] else "the batches were not memorised",
            history=_history(run),
            seconds=facts["seconds"],
            facts=facts,
        )
    if run.report.exists():
        report = read_report(run.report)
        return replace(
            known,
            status="done",
            report=report,
            history=_history(run),
            seconds=report["training"]["seconds"],
        )
    failure = _failure(planned, folder)
    if failure.exists():
        return replace(known, status="failed", **json.loads(failure.read_text(encoding="utf-8")))
    return known


def _fit(planned: Planned, request: ReproduceRequest, run: RunFolder, console: Console) -> None:
    if run.request.exists() and planned.recipe.train.overfit_batches:
        shutil.rmtree(run.path)  # a check is not resumed
    if run.request.exists():
        resume_fit(run.path, console)
        return
    run_fit(
        FitRequest(
            recipe=planned.recipe,
            data=request.data,
            labels=request.labels,
            skip_bad=request.skip_bad,
            cache_dir=str(request.cache),
            jobs=request.jobs,
            out=str(run.path),
            name=planned.recipe.name,
            seed=planned.seed,
            export=False,
        ),
        console,
    )


def _finished(run: RunFolder) -> bool:
    return run.report.exists() or run.overfit.exists()


def _failure(planned: Planned, folder: ReportFolder) -> Path:
    return folder.logs / f"{planned.name}.failure.json"


def _history(run: RunFolder) -> dict[str, list[float]]:
    table = pd.read_csv(run.history, index_col="epoch")
    return {str(name): [float(value) for value in table[name]] for name in table}


class _Log(io.TextIOBase):
    """Passes on what is printed, and sees the lines that end an epoch."""

    def __init__(self, file: TextIO, epoch_done: EpochDone) -> None:
        self._file = file
        self._epoch_done = epoch_done

    def write(self, text: str) -> int:
        if found := re.match(r"epoch (\d+)/", text):
            self._epoch_done(int(found[1]))
        return self._file.write(text)

    def flush(self) -> None:
        self._file.flush()

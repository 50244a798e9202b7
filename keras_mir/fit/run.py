"""A whole experiment: data, training, evaluation, export, one after the other."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console

from keras_mir.command_line.progress import progress
from keras_mir.data.find import find_examples
from keras_mir.data.load import TRAIN, VALIDATION, Data, load_data, write_split
from keras_mir.evaluate import figures
from keras_mir.evaluate.judge import judge
from keras_mir.evaluate.predictions import predict_source
from keras_mir.evaluate.table import print_report
from keras_mir.export.formats.rebuild import for_serving
from keras_mir.export.model_card import model_card
from keras_mir.export.savedmodel import export_savedmodel
from keras_mir.fit import tensorboard
from keras_mir.fit.describe import describe
from keras_mir.fit.model import load_backbone
from keras_mir.fit.overfit import overfit
from keras_mir.fit.training import Training, train
from keras_mir.models.audio_model import AudioModel, note_for
from keras_mir.models.report import ReportContext, TrainingSummary, write_report
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.base import Examples
from pipelines.errors import UserError
from pipelines.files import write_atomically
from pipelines.input.service import DataService, connect

_NOT_KEPT = ("recipe", "data_service")  # of a request, with a run: the one has a file of its own


@dataclass(frozen=True)
class FitRequest:
    """What a user asks of `fit`; empty text stands for a default.

    Attributes:
        recipe: What to train and how.
        data: Folder of the data set; empty for the built-in synthetic corpus.
        labels: Label table of a folder of files.
        synced: Whether such a folder's features are beat-synchronous already.
        skip_bad: Leave out files that cannot be read.
        cache_dir: Where processed features are kept.
        jobs: Processes that extract features; 0 for one a core.
        out: Folder of the run.
        export_dir: Where exported models go.
        name: Name of the exported model.
        seed: Of everything random but the split.
        devices: Train on these in step.
        export: Write a SavedModel.
        data_service: Where workers load the examples, `grpc://host:port`; empty for this process.
            The results do not depend on it, and a run may go on without it.
    """

    recipe: Recipe
    data: str = ""
    labels: str = ""
    synced: bool = False
    skip_bad: bool = False
    cache_dir: str = ""
    jobs: int = 0
    out: str = ""
    export_dir: str = "saved_models"
    name: str = ""
    seed: int = 0
    devices: tuple[str, ...] = ()
    export: bool = True
    data_service: str = ""

    def with_paths(self) -> FitRequest:
        """The request with every default folder filled in, absolute, so that it can be resumed."""
        stamp = time.strftime("%Y%m%d-%H%M%S")
        out = Path(self.out) if self.out else Path("runs") / f"{self.recipe.name}-{stamp}"
        # A user who names the run's folder finds everything in it.
        cache = Path(self.cache_dir) if self.cache_dir else out / "cache" if self.out else Path("runs/.cache")
        return dataclasses.replace(
            self,
            data=self.data and str(Path(self.data).resolve()),
            labels=self.labels and str(Path(self.labels).resolve()),
            cache_dir=str(cache.resolve()),
            out=str(out),
            export_dir=str(Path(self.export_dir).resolve()),
            name=self.name or self.recipe.name,
        )


def run_fit(request: FitRequest, console: Console) -> int:
    """Train, evaluate and export.

    Returns:
        The exit status: 0, or 1 if an overfit check failed.

    Raises:
        UserError: For anything a user can mend.
    """
    request = request.with_paths()
    _check_name(request.name)
    if request.recipe.task.transfer:
        load_backbone(Path(request.recipe.task.backbone))  # refuses before any work is done
    run = RunFolder(Path(request.out))
    run.check_free()
    service = connect(request.data_service) if request.data_service else None
    for option, folder in (("--cache-dir", request.cache_dir), ("--export-dir", request.export_dir)):
        if Path(folder).exists() and not Path(folder).is_dir():
            raise UserError(f"{option} {folder}: a file, not a folder; choose another name")
    with _watched(service, run):
        data, examples = _load(request, console, service)
        values = {key: value for key, value in dataclasses.asdict(request).items() if key not in _NOT_KEPT}
        run.create(request.recipe.to_dict(), values)
        write_split(data.examples, run.split)
        if request.recipe.train.overfit_batches:
            return _overfit(request, data, run, console)
        return _train_and_report(request, data, examples, run, console, service, resume=False)


def resume_fit(folder: Path, console: Console, data_service: str = "") -> int:
    """Continue a run where its last whole epoch ended.

    Args:
        folder: Of the run.
        console: Where to say how far it is.
        data_service: As `FitRequest` has it; a run may go on with another one, or without.

    Raises:
        UserError: If there is no run in the folder, or its data have changed.
    """
    import tomllib

    run = RunFolder(folder)
    values = run.read_request()
    recipe = Recipe.from_dict(tomllib.loads(run.recipe.read_text(encoding="utf-8")), source=str(run.recipe))
    request = FitRequest(recipe=recipe, **{**values, "devices": tuple(values["devices"]), "out": str(folder)})
    if run.report.exists():
        raise UserError(f"--resume {folder}: the run is finished; its report is {run.report}")
    if request.recipe.train.overfit_batches:
        raise UserError(f"--resume {folder}: it was an overfit check, which is not resumed; start it again")
    service = connect(data_service) if data_service else None
    with _watched(service, run):
        data, examples = _load(request, console, service)
        _check_same_split(data, run)
        return _train_and_report(request, data, examples, run, console, service, resume=True)


def _watched(service: DataService | None, run: RunFolder) -> AbstractContextManager[None]:
    """End the process when its service is lost: nothing else ends TensorFlow's waiting for it."""

    def end(message: str) -> None:
        remedy = f"; then go on with --resume {run.path}" if run.checkpoint.exists() else ""
        print(f"error: {message}; start it again{remedy}", file=sys.stderr, flush=True)
        os._exit(2)

    return service.watched(end) if service else contextlib.nullcontext()


def _load(request: FitRequest, console: Console, service: DataService | None) -> tuple[Data, Examples]:
    cache = Path(request.cache_dir)
    examples = find_examples(
        request.data, request.labels, request.synced, request.recipe, cache, request.jobs, console
    )
    with progress("processing features", console) as report:
        data = load_data(
            examples,
            request.recipe,
            cache / "processed",
            skip_bad=request.skip_bad,
            progress=report,
            service=service,
        )
    _print_data(data, examples, request.recipe, console)
    return data, examples


def _train_and_report(
    request: FitRequest,
    data: Data,
    examples: Examples,
    run: RunFolder,
    console: Console,
    service: DataService | None,
    resume: bool,
) -> int:
    recipe = request.recipe
    try:
        training = train(
            recipe,
            data,
            run,
            request.seed,
            resume=resume,
            devices=request.devices,
            extra_callbacks=tensorboard.callbacks(recipe, data, run),
            service=service,
        )
    except KeyboardInterrupt:
        console.print(f"continue with: python -m keras_mir.fit --resume {run.path}", soft_wrap=True)
        raise
    except tf.errors.OpError as error:
        if "No space left" not in error.message:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run.path)) from None
    if service and service.read_here:
        console.print(
            f"note: {service.read_here} examples did not come from the data service in time and were read "
            f"here; do all its workers run, and see the files?",
            highlight=False,
            soft_wrap=True,
        )
    _save_model(training, run)
    judged = data.sources[data.judged_on]
    outputs = predict_source(training.model, judged)
    judgement = judge(judged.labels, outputs, data.classes, data.targets, request.seed)
    report = judgement.report(_context(request, data, examples, training, run.model))
    places = [("report", run.report), ("logs", run.logs)]
    description = describe(recipe, data, examples, report)
    write_atomically(run.description, (json.dumps(description, indent=2, ensure_ascii=False) + "\n").encode())
    if request.export:
        export = _short(_export(request, data, training, description))
        report["model"] = str(export)
        places.append(("export", export))
    judgement.save_figures(run.path)
    _save_curves(training, recipe.train.epochs, run)
    # The report is written last: a run that has one is finished.
    write_report(report, run.path)
    print_report(report, console)
    for label, path in places:
        console.print(f"{label:7} {path}", highlight=False, soft_wrap=True)
    return 0


def _export(request: FitRequest, data: Data, training: Training, description: dict[str, Any]) -> Path:
    train = data.sources[TRAIN]
    return export_savedmodel(
        training.model,
        Path(request.export_dir),
        request.name,
        description=description,
        classes=data.classes or None,
        rebuild=lambda: for_serving(training.model),
        hears=lambda model: AudioModel(
            model,
            data.classes or None,
            request.recipe.input,
            train.frames,
            train.spec,
            note_for(description["dataset"]),
        ),
        card=lambda signatures: model_card(request.name, description, signatures),
    )


def _overfit(request: FitRequest, data: Data, run: RunFolder, console: Console) -> int:
    check = overfit(request.recipe, data, request.seed, run)
    path = _save_curves(check.training, request.recipe.train.epochs, run)
    verdict = "memorised" if check.passed else "NOT memorised"
    console.print(
        f"overfit check: {_counted(check.batches, 'batch', 'batches')} {verdict} in {check.training.epochs} "
        f"epochs; training loss {check.first_loss:.4g} -> {check.last_loss:.4g}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"curve   {path}\nlogs    {run.logs}", highlight=False, soft_wrap=True)
    write_atomically(run.overfit, (json.dumps(check.summary(), indent=2) + "\n").encode())
    return 0 if check.passed else 1


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _save_model(training: Training, run: RunFolder) -> None:
    temporary = run.model.with_name(f".{os.getpid()}.keras")
    try:
        training.model.save(temporary)
        temporary.replace(run.model)
    finally:
        temporary.unlink(missing_ok=True)


def _save_curves(training: Training, epochs: int, run: RunFolder) -> Path:
    stopped = training.epochs - 1 if training.epochs < epochs else None
    curves = figures.learning_curves(training.history, training.best_epoch, stopped)
    return figures.save(curves, run.path / "learning_curves.png")


def _context(
    request: FitRequest, data: Data, examples: Examples, training: Training, model: Path
) -> ReportContext:
    return ReportContext(
        seed=request.seed,
        split={**data.split, "evaluated": data.judged_on, "left_out": [bad.path for bad in data.bad]},
        dataset={"name": examples.name, "synthetic": examples.synthetic, "licence": examples.licence},
        recipe=request.recipe.to_dict(),
        training=TrainingSummary(
            epochs=training.epochs,
            best_epoch=training.best_epoch + 1,
            stopped_early=training.epochs < request.recipe.train.epochs,
            seconds=round(training.seconds, 1),
        ),
        model=str(model),
    )


def _print_data(data: Data, examples: Examples, recipe: Recipe, console: Console) -> None:
    sizes = ", ".join(f"{len(source)} {name}" for name, source in data.sources.items())
    kind = "synthetic music" if examples.synthetic else examples.name
    learnt = (
        f"{len(data.classes)} classes ({data.class_mapping})" if data.classes else ", ".join(data.targets)
    )
    source = data.sources[TRAIN]
    length = int(source.cached.lengths.mean())
    console.print(
        f"data: {kind}: {sizes}; {learnt}; {recipe.input.feature} "
        f"{'one column a beat' if recipe.input.sync == 'beat' else 'all frames'}, mean length {length}",
        highlight=False,
        soft_wrap=True,
    )
    for bad in data.bad:
        console.print(f"left out: {bad.path}: {bad.reason}", highlight=False, soft_wrap=True)
    if data.judged_on == VALIDATION:
        console.print(
            "no test examples: the report is on the validation examples, which also choose the epoch"
        )


def _short(path: Path) -> Path:
    """Relative to the working folder where that is shorter."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _check_name(name: str) -> None:
    if not name or name.startswith(".") or Path(name).name != name:
        raise UserError(f"--name {name!r}: give a plain name, such as genre-lstm; it becomes a folder")


def _check_same_split(data: Data, run: RunFolder) -> None:
    import pandas as pd

    before = pd.read_csv(run.split, dtype=str)
    now: Sequence[Any] = [(row, name) for name, part in data.examples.items() for row in part.table["id"]]
    if list(zip(before["id"], before["split"], strict=True)) != list(now):
        raise UserError(
            f"--resume {run.path}: the data set has changed since the run started; start a new run"
        )

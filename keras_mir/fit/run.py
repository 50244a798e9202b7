"""A run: data, training, report and export, in a folder from which it can go on."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console

from keras_mir.command_line.lines import say
from keras_mir.command_line.progress import Shown, progress
from keras_mir.data.find import find_examples
from keras_mir.data.load import TRAIN, VALIDATION, Data, load_data, split_csv
from keras_mir.evaluate.baseline import fit_baselines
from keras_mir.evaluate.calibration import calibrate, fit_thresholds
from keras_mir.evaluate.evaluation import compare_with_labels
from keras_mir.evaluate.predictions_table import tables_of, write_predictions
from keras_mir.fit import tensorboard
from keras_mir.fit.learning_curves import learning_curves
from keras_mir.fit.model import check_recipe
from keras_mir.fit.training import OverfitCheck, Training, check_devices, fit, overfit
from keras_mir.models.answers import predict_source
from keras_mir.models.folders import check_name
from keras_mir.models.json_file import write_json
from keras_mir.models.report import (
    Circumstances,
    Dataset,
    Report,
    Split,
    TrainingSummary,
    make_report,
    write_report,
)
from keras_mir.models.run_folder import RunFolder, RunOptions
from keras_mir.models.trained_model import Description, TrainedModel, load_trained
from keras_mir.recipes.duration import duration, training_seconds
from keras_mir.recipes.named import DEFAULT, as_recipe
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.base import ID, Examples
from pipelines.datasets.classes import mapping_in_words
from pipelines.errors import ArgumentError, UserError
from pipelines.figures import save
from pipelines.files import locked
from pipelines.input.service import connect
from pipelines.places import check_folder, check_utf8
from pipelines.settings import check_seed
from pipelines.spec import SPECTROGRAMS
from pipelines.wording import counted


def train(recipe: Recipe | str = DEFAULT, data: str | Path | None = None, **options: Any) -> TrainedModel:
    """Train a model, evaluate it on held-out clips, and keep all of it in a folder.

    Args:
        recipe: What to train and how: the name of a recipe, or one of your own.
        data: Folder of the data set; None for the built-in synthetic corpus.
        options: What else `Run` takes, such as `out="runs/mine"` or `seed=1`; any other name is a
            setting of the recipe, such as `epochs=50`.

    Raises:
        UserError: For anything that a user can mend.
    """
    return Run(recipe, data, **options).train()


class Run:
    """One training and the folder it is kept in; nothing is written before `train` is called.

    Args:
        recipe: What to train and how: the name of a recipe, or one of your own.
        data: Folder of the data set; None for the built-in synthetic corpus.
        labels: Label table of a folder of files.
        synced: Whether such a folder's features are beat-synchronous already.
        skip_bad: Leave out files that cannot be read.
        cache_dir: Where processed features are kept; by default in `out`, or in `runs/.cache`.
        jobs: Processes that extract features; 0 for one per core.
        out: Folder of the run; by default `runs/RECIPE-TIME`.
        name: Name of the exported model; by default the recipe's.
        export: Whether to write a SavedModel at the end; `TrainedModel.export` does so at any time.
        export_dir: The export root, where that is written.
        seed: Seed of everything random but the split.
        devices: Train on these in step; by default on all GPUs.
        baseline: Whether to fit the baseline that the report sets beside the scores.
        data_service: Where workers load the examples, `grpc://host:port`; empty for this process. The
            results do not depend on it, and a run may go on without it.
        console: Where progress is shown; by default standard output.
        settings: Settings of the recipe to change.

    Raises:
        UserError: If one of them will not do: whatever can be refused before data are read is. The
            methods raise it for anything else that a user can mend.
    """

    def __init__(
        self,
        recipe: Recipe | str = DEFAULT,
        data: str | Path | None = None,
        *,
        labels: str | Path | None = None,
        synced: bool = False,
        skip_bad: bool = False,
        cache_dir: str | Path | None = None,
        jobs: int = 0,
        out: str | Path | None = None,
        name: str | None = None,
        export: bool = False,
        export_dir: str | Path = "saved_models",
        seed: int = 0,
        devices: Sequence[str] = (),
        baseline: bool = True,
        data_service: str = "",
        console: Console | None = None,
        **settings: Any,
    ) -> None:
        self.recipe = as_recipe(recipe).with_settings(settings)
        if labels and not data:
            raise ArgumentError("labels", labels, "goes with data, the folder its files are in")
        check_seed(seed)
        check_devices(devices)
        folder = Path(out) if out else Path("runs") / f"{self.recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        self.options = RunOptions(
            data=_absolute(data),
            labels=_absolute(labels),
            synced=synced,
            skip_bad=skip_bad,
            # A user who names the run's folder finds everything in it.
            cache_dir=_absolute(cache_dir or (folder / "cache" if out else "runs/.cache")),
            jobs=jobs,
            name=name or self.recipe.name,
            export=export,
            export_dir=_absolute(export_dir),
            seed=seed,
            devices=tuple(devices),
            baseline=baseline,
        )
        check_name(self.options.name)
        check_recipe(self.recipe)
        check_utf8("out", folder.resolve())
        for argument in ("data", "labels", "cache_dir", "export_dir"):
            check_utf8(argument, Path(getattr(self.options, argument)))
        for argument in ("cache_dir", "export_dir"):
            check_folder(argument, Path(getattr(self.options, argument)))
        self.folder = RunFolder(folder)
        self.console = console or Console()
        self.service = connect(data_service) if data_service else None

    @classmethod
    def continued(cls, folder: str | Path, data_service: str = "", console: Console | None = None) -> Run:
        """A run that was stopped, as it was started.

        Args:
            folder: Folder of the run.
            data_service: A run may go on with another one, or without.
            console: Where to say how far it is.

        Raises:
            UserError: If there is no run in the folder, or its files are damaged.
        """
        there = RunFolder(Path(folder))
        options = asdict(there.read_options())
        run = cls(there.read_recipe(), **options, out=folder, data_service=data_service, console=console)
        if run.recipe.train.overfit_batches:
            raise ArgumentError("resume", folder, "an overfit check is not resumed; start it again")
        return run

    def train(self) -> TrainedModel:
        """Train, evaluate, and export if that was asked for."""
        if self.recipe.split.folds and not self.recipe.split.fold:
            raise ArgumentError("folds", self.recipe.split.folds, "use cross_validate, or choose a fold")
        if self.recipe.train.overfit_batches:
            raise ArgumentError("overfit_batches", self.recipe.train.overfit_batches, "use Run.check_overfit")
        with self._watched():
            data = self._load_new()
            with locked(self.folder.path):
                return self._train(data, resume=False)

    def resume(self) -> TrainedModel:
        """Go on where the last whole epoch ended, or with the export if only that is missing.

        Raises:
            UserError: If the run is finished, or its data have changed.
        """
        with locked(self.folder.path):
            return self._resume()

    def _resume(self) -> TrainedModel:
        if self.folder.is_finished:
            model = load_trained(self.folder.path)
            if not self.options.export or Path(model.report.model).name != self.folder.model.name:
                problem = f"the run is finished; its report is {self.folder.report}"
                raise ArgumentError("resume", self.folder.path, problem)
            return export_run(model, self.options.export_dir)
        with self._watched():
            data = self._load()
            self.folder.check_same(self.folder.split, split_csv(data.examples))
            return self._train(data, resume=True)

    def check_overfit(self) -> OverfitCheck:
        """Check that the model can memorise `overfit_batches` batches, as a sound one can."""
        with self._watched():
            data = self._load_new()
            check = overfit(self.recipe, data, self.options.seed, self.folder, self.console.quiet)
        self._save_curves(check.training)
        facts = {
            "batches": check.batches,
            "epochs": check.training.epochs,
            "first_loss": check.first_loss,
            "last_loss": check.last_loss,
            "passed": check.passed,
            "seconds": round(check.training.seconds, 1),
        }
        write_json(self.folder.overfit, facts)
        return check

    def _watched(self) -> AbstractContextManager[None]:
        """End the process when its service is lost: nothing else ends TensorFlow's waiting for it."""

        def end(message: str) -> None:
            there = self.folder.checkpoint.exists()
            remedy = f"; then run python -m keras_mir.fit --resume {self.folder.path}" if there else ""
            print(f"error: {message}; start it again{remedy}", file=sys.stderr, flush=True)
            os._exit(2)

        return self.service.watched(end) if self.service else contextlib.nullcontext()

    def find_examples(self) -> Examples:
        """The labelled examples of the data set; features are made first where there is only audio."""
        options, cache, shown = self.options, Path(self.options.cache_dir), Shown(self.console)
        return find_examples(
            options.data, options.labels, options.synced, self.recipe, cache, options.jobs, shown
        )

    def _load(self) -> Data:
        examples = self.find_examples()
        with progress("processing features", self.console) as report:
            data = load_data(
                examples,
                self.recipe,
                Path(self.options.cache_dir) / "processed",
                skip_bad=self.options.skip_bad,
                progress=report,
                service=self.service,
            )
        self._print_data(data)
        return data

    def _load_new(self) -> Data:
        """The data, and the folder with what was asked for."""
        self.folder.check_free()
        data = self._load()
        self.folder.create(self.recipe, self.options, self.folder.split, split_csv(data.examples))
        return data

    def _train(self, data: Data, resume: bool) -> TrainedModel:
        try:
            training = fit(
                self.recipe,
                data,
                self.folder,
                self.options.seed,
                resume=resume,
                devices=self.options.devices,
                extra_callbacks=tensorboard.callbacks(self.recipe, data, self.folder),
                service=self.service,
                quiet=self.console.quiet,
            )
        except KeyboardInterrupt:
            say(self.console, f"continue with: python -m keras_mir.fit --resume {self.folder.path}")
            raise
        except tf.errors.OpError as error:
            if "No space left" in error.message:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder.path)) from None
            if not isinstance(error, tf.errors.ResourceExhaustedError):
                raise
            remedy = "start a new run with a smaller batch_size, fewer frames or a smaller model"
            raise UserError(f"{self.folder.path}: too little memory to train this; {remedy}") from None
        if self.service and self.service.read_here:
            say(
                self.console,
                f"note: {self.service.read_here} examples did not come from the data service in time and "
                f"were read here; do all its workers run, and see the files?",
            )
        if training.head is not None:
            say(self.console, f"genre head: {training.head}")
        model = self._report(data, training)
        return export_run(model, self.options.export_dir) if self.options.export else model

    def _report(self, data: Data, training: Training) -> TrainedModel:
        """Write the model, what it says of itself, pictures and report: from here on nothing can be lost."""
        evaluated = data.sources[data.evaluated_on]
        train, validation = data.sources[TRAIN], data.sources.get(VALIDATION)
        left_out = training.head.left_out if training.head else None
        calibration = calibrate(training.model, validation, evaluated, left_out)
        thresholds = fit_thresholds(training.model, data.tags, validation, train)
        outputs = predict_source(training.model, evaluated)
        evaluation = compare_with_labels(
            evaluated.labels,
            outputs,
            data.classes,
            data.targets,
            self.options.seed,
            thresholds,
            evaluated.labelled,
        )
        baselines = fit_baselines(data, self.options.seed) if self.options.baseline else {}
        examples = data.examples[TRAIN]
        circumstances = Circumstances(
            seed=self.options.seed,
            split=Split(
                evaluated=data.evaluated_on,
                left_out=tuple(bad.path for bad in data.bad),
                **asdict(data.split),
            ),
            dataset=Dataset(examples.name, examples.synthetic, examples.licence),
            recipe=self.recipe.to_dict(),
            training=TrainingSummary(
                epochs=training.epochs,
                best_epoch=training.best_epoch + 1,
                stopped_early=training.epochs < self.recipe.train.epochs,
                seconds=round(training.seconds, 1),
                discriminant=left_out is not None,
            ),
            model=str(self.folder.model),
            calibration=calibration,
        )
        beside = {task: found.beside(evaluation.heads[task]) for task, found in baselines.items()}
        report = make_report(evaluation.scores, circumstances, beside)
        description = Description(
            recipe=self.recipe,
            feature_spec=train.spec,
            frames=train.frames,
            classes=data.classes,
            targets=data.targets,
            class_mapping=data.class_map.name,
            class_map=dict(data.class_map.classes),
            tags=data.tags,
            thresholds=thresholds.by_tag if thresholds else {},
            report=report,
        )
        evaluation.save_figures(self.folder.path)
        ids = data.examples[data.evaluated_on].table[ID]
        write_predictions(ids, evaluation, self.folder.predictions)
        files = tables_of(evaluation.heads, self.folder.baseline)
        for task, found in baselines.items():
            write_predictions(ids, found.evaluation, files[task])
        self._save_curves(training)
        model = TrainedModel(self.options.name, description, self.folder.path, training.model)
        model.save()
        return model

    def _save_curves(self, training: Training) -> None:
        stopped = training.epochs - 1 if training.epochs < self.recipe.train.epochs else None
        # Without validation clips the last epoch is kept, and nothing says that it is the best.
        best = training.best_epoch if "val_loss" in training.history else None
        curves = learning_curves(training.history, best, stopped)
        save(curves, self.folder.curves)

    def _print_data(self, data: Data) -> None:
        sizes = ", ".join(f"{len(source)} {name}" for name, source in data.sources.items())
        train = data.examples[TRAIN]
        kind = "synthetic music" if train.synthetic else train.name
        classes = f"{len(data.classes)} classes: {mapping_in_words(data.class_map.name)}"
        named = (
            (data.classes, classes),
            (data.tags, f"{len(data.tags)} tags"),
            (data.targets, ", ".join(data.targets)),
        )
        learnt = "; ".join(text for names, text in named if names)
        settings = self.recipe.input
        frames = "all frames" if settings.feature in SPECTROGRAMS else "vectors"
        if settings.crop == "random":
            frames = f"in stretches of {settings.frames} frames"
        columns = "one column per beat" if settings.sync == "beat" else frames
        shape = f"{settings.feature} {columns}"
        length = int(data.sources[TRAIN].cached.lengths.mean())
        say(self.console, f"data: {kind}: {sizes}; {learnt}; {shape}, mean length {length}")
        guess = training_seconds(self.recipe, len(data.sources[TRAIN]), length)
        say(
            self.console,
            f"training: at most {counted(self.recipe.train.epochs, 'epoch')}, about {duration(guess)}",
        )
        for bad in data.bad:
            say(self.console, f"left out: {bad.path}: {bad.reason}")
        for note in data.notes:
            say(self.console, f"note: {note}")
        if data.evaluated_on == VALIDATION:
            on = "the validation examples, which also choose the epoch"
            say(self.console, f"no test examples: the report is on {on}")


def export_run(model: TrainedModel, folder: str | Path) -> TrainedModel:
    """Export the model of a run, and say in its report where to."""
    version, here = model.export(folder), Path.cwd()
    shorter = version.relative_to(here) if version.is_relative_to(here) else version
    report: Report = replace(model.report, model=str(shorter))
    write_report(report, model.folder)
    return TrainedModel(model.name, replace(model.description, report=report), model.folder, model.keras)


def _absolute(path: str | Path | None) -> str:
    return str(Path(path).resolve()) if path else ""

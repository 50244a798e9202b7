"""Fit a model by a recipe, or check that it can memorise a few batches."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_mir.command_line.progress import in_notebook
from keras_mir.data.load import TRAIN, VALIDATION, Data
from keras_mir.fit.callbacks import Checkpoint, EpochLines, StopOnNan, ValidationCorrelation
from keras_mir.fit.discriminant import GenreHead
from keras_mir.fit.model import compile_model, finished_model, new_model
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe
from pipelines.errors import ArgumentError
from pipelines.files import write_atomically
from pipelines.input.augment import on_batches
from pipelines.input.build import batches_an_epoch, evaluation_batches, training_batches
from pipelines.input.service import DataService
from pipelines.settings import AugmentSettings
from pipelines.source import Source
from pipelines.spec import SPECTROGRAMS

_MOST_AT_ONCE = 16  # steps
_MEMORISED = 0.05  # share of the first loss below which batches count as memorised


@dataclass(frozen=True)
class Training:
    """What came of a training.

    Attributes:
        model: With the best weights, if the recipe stops early, else the last.
        history: A list a metric, one value an epoch, those before a resume included.
        best_epoch: Index of the epoch whose weights the model has.
        seconds: Time spent in this process.
        head: What became of a genre head that was to be solved; None for another.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    head: GenreHead | None = None

    @property
    def epochs(self) -> int:
        return len(next(iter(self.history.values()), []))


@dataclass(frozen=True)
class OverfitCheck:
    """Whether a model can memorise a few batches."""

    training: Training
    batches: int
    first_loss: float
    last_loss: float

    @property
    def passed(self) -> bool:
        return self.last_loss < _MEMORISED * self.first_loss


def set_up(seed: int, mixed_precision: bool) -> None:
    """Seed everything and make TensorFlow's operations repeatable."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_dtype_policy("mixed_float16" if mixed_precision else "float32")


def check_devices(devices: Sequence[str]) -> None:
    """Refuse devices that are not on this machine.

    Raises:
        UserError: If there is no such device.
    """
    known = _devices() if devices else []
    for device in devices:
        if device not in known:
            raise ArgumentError("devices", device, f"no such device; there is {', '.join(known)}")


def _devices() -> list[str]:
    return [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]


def strategy(devices: Sequence[str] = ()) -> tf.distribute.Strategy | None:
    """MirroredStrategy over the given devices, or over the GPUs where there are several."""
    used = list(devices) or [name for name in _devices() if name.startswith("GPU:")]
    return tf.distribute.MirroredStrategy(used) if len(used) > 1 else None


def fit(
    recipe: Recipe,
    data: Data,
    run: RunFolder,
    seed: int,
    *,
    resume: bool = False,
    devices: Sequence[str] = (),
    extra_callbacks: Sequence[keras.callbacks.Callback] = (),
    service: DataService | None = None,
    quiet: bool = False,
) -> Training:
    """Train by a recipe, checkpointing after every epoch.

    Args:
        recipe: What to train and how.
        data: What to train on.
        run: Where checkpoints go.
        seed: Seed of the weights, the order of the examples, dropout and augmentation.
        resume: Continue from the run's checkpoint, if there is one.
        devices: Train on these in step; by default on all GPUs.
        extra_callbacks: Called after the training's own.
        service: Whose workers load the examples; `None` for this process.
        quiet: Print nothing.

    Raises:
        UserError: If the loss is not a number any more.
    """
    start = time.perf_counter()
    settings = recipe.train
    set_up(seed, settings.mixed_precision)
    classes = len(data.classes or data.auxiliary_classes)
    soft = bool(on_batches(recipe.augment)) and bool(classes)
    distribution = strategy(devices)
    with distribution.scope() if distribution else contextlib.nullcontext():
        model = new_model(recipe, data)
        steps = settings.epochs * batches_an_epoch(data.sources[TRAIN], settings.batch_size)
        compile_model(model, recipe, data, soft, steps)
    callbacks: list[keras.callbacks.Callback] = []
    if settings.reduce_lr:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=settings.reduce_lr)
        )
    if settings.early_stopping:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss", patience=settings.early_stopping, restore_best_weights=True
            )
        )
    checkpoint = Checkpoint(run.checkpoint, callbacks, resume, {"recipe": recipe.to_dict(), "seed": seed})
    first = checkpoint.next_epoch
    if resume and (checkpoint.stopped or first >= settings.epochs):
        checkpoint.set_model(model)
        checkpoint.on_train_begin()
        checkpoint.restore_best_weights()
    else:
        epochs = range(first, settings.epochs)
        source, validation = data.sources[TRAIN], data.sources.get(VALIDATION)
        correlation = [ValidationCorrelation(validation, data.targets)] if validation and data.targets else []
        batches, per_epoch = training_batches(
            source, settings.batch_size, seed, epochs, recipe.augment, classes, service
        )
        # Keras runs several steps at once on one device only.
        if recipe.input.feature not in SPECTROGRAMS and distribution is None:
            model.steps_per_execution = _steps_at_once(per_epoch, validation, settings.batch_size)
        _fit(
            model,
            (batches, per_epoch),
            epochs,
            [*correlation, *callbacks, checkpoint, *extra_callbacks],
            quiet,
            evaluation_batches(validation, settings.batch_size, classes if soft else 0, service)
            if validation
            else None,
        )
    history = {name: [epoch[name] for epoch in checkpoint.history] for name in checkpoint.history[0]}
    best = int(np.argmin(history["val_loss"])) if settings.early_stopping else len(checkpoint.history) - 1
    own, head = finished_model(model, recipe, data, seed)
    return _recorded(Training(own, history, best, time.perf_counter() - start, head), run)


def overfit(recipe: Recipe, data: Data, seed: int, run: RunFolder, quiet: bool = False) -> OverfitCheck:
    """Train on `overfit_batches` batches over and over: a sound model and pipeline must memorise them.

    What works against memorising is switched off: dropout, L2, weight decay, augmentation and
    early stopping.
    """
    start = time.perf_counter()
    source = data.sources[TRAIN]
    count = min(recipe.train.overfit_batches * recipe.train.batch_size, len(source))
    rows = np.random.default_rng(seed).permutation(len(source))[:count]
    few = replace(
        source,
        cached=source.cached.take(rows),
        labels={name: values[rows] for name, values in source.labels.items()},
        weights={name: values[rows] for name, values in (source.weights or {}).items()},
        known={name: values[rows] for name, values in source.known.items()},
    )
    recipe = replace(
        recipe,
        augment=AugmentSettings(),
        model=replace(recipe.model, dropout=0.0, l2=0.0),
        train=replace(recipe.train, weight_decay=0.0, early_stopping=0, reduce_lr=0),
    )
    set_up(seed, recipe.train.mixed_precision)
    model = new_model(recipe, data)
    epochs = range(recipe.train.epochs)
    batches, steps = training_batches(few, recipe.train.batch_size, seed, epochs)
    compile_model(model, recipe, data, soft=False, steps=len(epochs) * steps)
    board = keras.callbacks.TensorBoard(str(run.logs), write_graph=False)
    recorded = _fit(model, (batches, steps), epochs, [board], quiet)
    history = {name: [float(value) for value in values] for name, values in recorded.history.items()}
    losses = history["loss"]
    training = _recorded(Training(model, history, len(losses) - 1, time.perf_counter() - start), run)
    return OverfitCheck(training, steps, losses[0], losses[-1])


def _fit(
    model: keras.Model,
    batches: tuple[tf.data.Dataset, int],
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
    quiet: bool,
    validation: tf.data.Dataset | None = None,
) -> keras.callbacks.History:
    """Keras's `fit` on batches, of which there are so many an epoch."""
    terminal = sys.stdout.isatty() and not in_notebook()
    return model.fit(
        batches[0],
        steps_per_epoch=batches[1],
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        validation_data=validation,
        # Keras has a progress bar for terminals; elsewhere there is one line per epoch.
        callbacks=[StopOnNan(), *callbacks, *([] if quiet or terminal else [EpochLines()])],
        shuffle=False,
        verbose=1 if terminal and not quiet else 0,
    )


def _steps_at_once(per_epoch: int, validation: Source | None, batch_size: int) -> int:
    """How many steps run without Python between them, which takes longer than a head's step does.

    Keras would run past the end of an epoch of another length.
    """
    lengths = [per_epoch, *([-(-len(validation) // batch_size)] if validation else [])]
    return max(n for n in range(1, _MOST_AT_ONCE + 1) if math.gcd(*lengths) % n == 0)


def _recorded(training: Training, run: RunFolder) -> Training:
    table = pd.DataFrame(training.history).rename_axis("epoch")
    write_atomically(run.history, table.to_csv().encode())
    return training

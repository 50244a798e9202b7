"""Fit a model by a recipe."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_mir.data.load import TRAIN, VALIDATION, Data
from keras_mir.fit.callbacks import StopOnNan, ValidationCorrelation, progress_lines
from keras_mir.fit.checkpoint import Checkpoint
from keras_mir.fit.model import compile_model, new_model
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe
from pipelines.errors import ArgumentError
from pipelines.input.augment import on_batches
from pipelines.input.build import evaluation_batches, training_batches
from pipelines.input.service import DataService


@dataclass(frozen=True)
class Training:
    """What came of a training.

    Attributes:
        model: With the best weights, if the recipe stops early, else the last.
        history: A list a metric, one value an epoch, those before a resume included.
        best_epoch: Index of the epoch whose weights the model has.
        seconds: Time spent in this process.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    seconds: float

    @property
    def epochs(self) -> int:
        return len(next(iter(self.history.values()), []))


def set_up(seed: int, mixed_precision: bool) -> None:
    """Seed everything and make TensorFlow's operations repeatable."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_dtype_policy("mixed_float16" if mixed_precision else "float32")


def strategy(devices: Sequence[str] = ()) -> tf.distribute.Strategy | None:
    """MirroredStrategy over the given devices, or over the GPUs where there are several.

    Raises:
        UserError: If there is no such device.
    """
    known = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    for device in devices:
        if device not in known:
            raise ArgumentError("devices", device, f"no such device; there is {', '.join(known)}")
    used = list(devices) or [name for name in known if name.startswith("GPU:")]
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
        seed: Of the weights, the order of the examples, dropout and augmentation.
        resume: Continue from the run's checkpoint, if there is one.
        devices: Train on these in step; by default on all GPUs.
        extra_callbacks: Called after the training's own.
        service: Whose workers load the examples; `None` for this process.
        quiet: Print nothing.

    Raises:
        UserError: If the loss is not a number any more.
    """
    set_up(seed, recipe.train.mixed_precision)
    start = time.perf_counter()
    soft = bool(on_batches(recipe.augment)) and bool(data.classes)
    scope: AbstractContextManager[object] = contextlib.nullcontext()
    if (distribution := strategy(devices)) is not None:
        scope = distribution.scope()
    with scope:
        model = new_model(recipe, data)
        compile_model(model, recipe, data, soft)
    callbacks = _callbacks(recipe.train.early_stopping, recipe.train.reduce_lr)
    checkpoint = Checkpoint(run.checkpoint, callbacks, resume)
    first = checkpoint.next_epoch
    if resume and (checkpoint.stopped or first >= recipe.train.epochs):
        checkpoint.set_model(model)
        checkpoint.on_train_begin()
        checkpoint.restore_best_weights()
    else:
        batches, steps = training_batches(
            data.sources[TRAIN],
            recipe.train.batch_size,
            seed,
            range(first, recipe.train.epochs),
            recipe.augment,
            len(data.classes),
            service,
        )
        model.fit(
            batches,
            initial_epoch=first,
            epochs=recipe.train.epochs,
            steps_per_epoch=steps,
            validation_data=evaluation_batches(
                data.sources[VALIDATION], recipe.train.batch_size, len(data.classes) if soft else 0, service
            ),
            callbacks=[
                StopOnNan(),
                *([ValidationCorrelation(data.sources[VALIDATION])] if data.targets else []),
                *callbacks,
                checkpoint,
                *extra_callbacks,
                *progress_lines(quiet),
            ],
            shuffle=False,
            verbose=1 if sys.stdout.isatty() and not quiet else 0,
        )
    history = _columns(checkpoint.history)
    pd.DataFrame(history).rename_axis("epoch").to_csv(run.history)
    return Training(model, history, _best_epoch(history, recipe), time.perf_counter() - start)


def _callbacks(early_stopping: int, reduce_lr: int) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = []
    if reduce_lr:
        callbacks.append(keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=reduce_lr))
    if early_stopping:
        callbacks.append(
            keras.callbacks.EarlyStopping("val_loss", patience=early_stopping, restore_best_weights=True)
        )
    return callbacks


def _columns(history: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    names = history[0] if history else {}
    return {name: [epoch[name] for epoch in history] for name in names}


def _best_epoch(history: Mapping[str, Sequence[float]], recipe: Recipe) -> int:
    losses = history["val_loss"]
    return int(np.argmin(losses)) if recipe.train.early_stopping else len(losses) - 1

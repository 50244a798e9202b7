"""Build, compile and fit a model by a recipe."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_mir.checkpoint import Checkpoint
from keras_mir.data import TRAIN, VALIDATION, Data
from keras_mir.models.build import build_model
from keras_mir.models.heads import compile_arguments
from keras_mir.models.transfer import with_frozen_backbone
from keras_mir.recipe import Recipe
from keras_mir.run_folder import RunFolder
from pipelines.build import Source, evaluation_batches, training_batches
from pipelines.cache import band_statistics
from pipelines.errors import UserError
from pipelines.settings import AugmentSettings

_MEMORISED = 0.05  # share of the first loss below which batches count as memorised


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
    """MirroredStrategy over the given devices, or over the GPUs where there are several."""
    used = list(devices) or [device.name for device in tf.config.list_logical_devices("GPU")]
    return tf.distribute.MirroredStrategy(used) if len(used) > 1 else None


def new_model(recipe: Recipe, data: Data, use_cudnn: bool = True) -> keras.Model:
    """The recipe's model with fresh weights, or with new heads on its frozen backbone."""
    train = data.sources[TRAIN]
    settings = replace(recipe.model, head=_head(recipe, train))
    classes = data.classes or None
    means = {name: float(train.labels[name].mean()) for name in data.targets}
    if recipe.task.backbone:
        backbone = load_backbone(Path(recipe.task.backbone))
        _check_backbone(backbone, recipe, train)
        return with_frozen_backbone(
            backbone, settings, classes=classes, targets=data.targets, target_means=means
        )
    mean = variance = None
    if settings.normalise == "bands":
        mean, variance = band_statistics(train.cached)
    return build_model(
        settings,
        bands=train.cached.bands,
        time=train.frames,
        classes=classes,
        targets=data.targets,
        spec=train.spec,
        feature=recipe.input.feature,
        band_mean=mean,
        band_variance=variance,
        target_means=means,
        use_cudnn="auto" if use_cudnn else False,
    )


def _head(recipe: Recipe, train: Source) -> Literal["linear", "sigmoid"]:
    """The activation of affect outputs that the recipe, or the training labels, ask for."""
    if recipe.model.head != "auto":
        return recipe.model.head
    inside = all(values.min() >= 0.0 and values.max() <= 1.0 for values in train.labels.values())
    return "sigmoid" if inside else "linear"


def load_backbone(path: Path) -> keras.Model:
    """The Keras model of a run's folder, or of an exported model.

    Raises:
        UserError: If there is none.
    """
    candidates = [path, path / "model.keras", path / "assets.extra" / "model.keras"]
    versions = sorted((int(p.name), p) for p in path.glob("*") if p.name.isdigit())
    candidates += [version / "assets.extra" / "model.keras" for _, version in versions[-1:]]
    for candidate in candidates:
        if candidate.is_file():
            try:
                return keras.models.load_model(candidate, compile=False)
            except (ValueError, OSError) as error:
                reason = str(error).splitlines()[0]
                raise UserError(
                    f"--backbone {candidate}: cannot be read ({reason}); train it again"
                ) from None
    raise UserError(
        f"--backbone {path}: no model.keras in it; give the folder of a finished run or an export"
    )


def train(
    recipe: Recipe,
    data: Data,
    run: RunFolder,
    seed: int,
    *,
    resume: bool = False,
    devices: Sequence[str] = (),
    extra_callbacks: Sequence[keras.callbacks.Callback] = (),
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

    Raises:
        UserError: If the loss is not a number any more.
    """
    set_up(seed, recipe.train.mixed_precision)
    start = time.perf_counter()
    soft = recipe.augment.mixup > 0 and bool(data.classes)
    scope: AbstractContextManager[object] = contextlib.nullcontext()
    if (distribution := strategy(devices)) is not None:
        scope = distribution.scope()
    with scope:
        model = new_model(recipe, data)
        _compile(model, recipe, data, soft)
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
        )
        model.fit(
            batches,
            initial_epoch=first,
            epochs=recipe.train.epochs,
            steps_per_epoch=steps,
            validation_data=evaluation_batches(
                data.sources[VALIDATION], recipe.train.batch_size, len(data.classes) if soft else 0
            ),
            callbacks=[StopOnNan(), *callbacks, checkpoint, *extra_callbacks, *_progress()],
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 0,
        )
    history = _columns(checkpoint.history)
    pd.DataFrame(history).rename_axis("epoch").to_csv(run.history)
    return Training(model, history, _best_epoch(history, recipe), time.perf_counter() - start)


@dataclass(frozen=True)
class OverfitCheck:
    """Whether a model can memorise a few batches."""

    training: Training
    first_loss: float
    last_loss: float

    @property
    def passed(self) -> bool:
        return self.last_loss < _MEMORISED * self.first_loss


def overfit(recipe: Recipe, data: Data, seed: int, batches: int, run: RunFolder) -> OverfitCheck:
    """Train on a few batches over and over: a sound model and pipeline must memorise them.

    What works against memorising is switched off: dropout, L2, weight decay, augmentation and
    early stopping.
    """
    source = data.sources[TRAIN]
    count = min(batches * recipe.train.batch_size, len(source))
    rows = np.random.default_rng(seed).permutation(len(source))[:count]
    recipe = replace(
        recipe,
        augment=AugmentSettings(),
        model=replace(recipe.model, dropout=0.0, l2=0.0),
        train=replace(recipe.train, weight_decay=0.0, early_stopping=0, reduce_lr=0),
    )
    few = take(source, rows)
    set_up(seed, recipe.train.mixed_precision)
    start = time.perf_counter()
    model = new_model(recipe, data)
    _compile(model, recipe, data, soft=False)
    stream, steps = training_batches(few, recipe.train.batch_size, seed, range(recipe.train.epochs))
    recorded = model.fit(
        stream,
        epochs=recipe.train.epochs,
        steps_per_epoch=steps,
        callbacks=[
            StopOnNan(),
            keras.callbacks.TensorBoard(str(run.logs), write_graph=False),
            *_progress(),
        ],
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 0,
    )
    history = {name: [float(value) for value in values] for name, values in recorded.history.items()}
    pd.DataFrame(history).rename_axis("epoch").to_csv(run.history)
    training = Training(model, history, len(history["loss"]) - 1, time.perf_counter() - start)
    return OverfitCheck(training, history["loss"][0], history["loss"][-1])


def take(source: Source, rows: np.ndarray) -> Source:
    """The examples of a source at the given row positions."""
    return replace(
        source,
        cached=source.cached.take(rows),
        labels={name: values[rows] for name, values in source.labels.items()},
        weights=None if source.weights is None else source.weights[rows],
    )


class StopOnNan(keras.callbacks.Callback):
    """End training when the loss is not a number any more."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            raise UserError(
                f"the loss is not a number after epoch {epoch + 1}; lower --learning-rate, or set --clip-norm"
            )


class EpochLines(keras.callbacks.Callback):
    """One line an epoch, for logs and pipes, where a progress bar is noise."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        values = "  ".join(f"{name} {float(value):.4g}" for name, value in (logs or {}).items())
        print(f"epoch {epoch + 1}/{self.params['epochs']}  {values}", flush=True)


def _progress() -> list[keras.callbacks.Callback]:
    return [] if sys.stdout.isatty() else [EpochLines()]


def _compile(model: keras.Model, recipe: Recipe, data: Data, soft: bool) -> None:
    weights = recipe.task.loss_weights_by_target()
    arguments = compile_arguments(data.classes or None, data.targets, weights or None, soft_labels=soft)
    settings = recipe.train
    clip = settings.clip_norm or None
    optimizer = (
        keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay, clipnorm=clip)
        if settings.weight_decay
        else keras.optimizers.Adam(settings.learning_rate, clipnorm=clip)
    )
    model.compile(optimizer=optimizer, jit_compile=False, **arguments)
    # The optimizer's variables must be there before a checkpoint can be loaded into them.
    model.optimizer.build(model.trainable_variables)


def _callbacks(early_stopping: int, reduce_lr: int) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = []
    if reduce_lr:
        callbacks.append(keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=reduce_lr))
    if early_stopping:
        callbacks.append(
            keras.callbacks.EarlyStopping("val_loss", patience=early_stopping, restore_best_weights=True)
        )
    return callbacks


def _check_backbone(backbone: keras.Model, recipe: Recipe, source: Source) -> None:
    shape = backbone.input["features"].shape
    if shape[-1] != source.cached.bands:
        raise UserError(
            f"--backbone {recipe.task.backbone}: it reads {shape[-1]} bands, the recipe gives "
            f"{source.cached.bands}; use the --feature it was trained with"
        )
    if shape[1] not in (None, source.frames):
        raise UserError(
            f"--backbone {recipe.task.backbone}: it reads {shape[1]} frames, the recipe gives "
            f"{source.frames or 'any number'}; use --frames {shape[1]}"
        )


def _columns(history: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    names = history[0] if history else {}
    return {name: [epoch[name] for epoch in history] for name in names}


def _best_epoch(history: Mapping[str, Sequence[float]], recipe: Recipe) -> int:
    losses = history["val_loss"]
    return int(np.argmin(losses)) if recipe.train.early_stopping else len(losses) - 1

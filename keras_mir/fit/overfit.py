"""The overfit check: a sound model and pipeline can memorise a few batches."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace

import keras
import numpy as np
import pandas as pd

from keras_mir.data.load import TRAIN, Data
from keras_mir.fit.callbacks import StopOnNan, progress_lines
from keras_mir.fit.model import compile_model, new_model
from keras_mir.fit.training import Training, set_up
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe
from pipelines.input.build import training_batches
from pipelines.settings import AugmentSettings
from pipelines.source import Source

_MEMORISED = 0.05  # share of the first loss below which batches count as memorised


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

    def summary(self) -> dict[str, float]:
        """What `overfit.json` holds."""
        return {
            "batches": self.batches,
            "epochs": self.training.epochs,
            "first_loss": self.first_loss,
            "last_loss": self.last_loss,
            "passed": self.passed,
            "seconds": round(self.training.seconds, 1),
        }


def overfit(recipe: Recipe, data: Data, seed: int, run: RunFolder, quiet: bool = False) -> OverfitCheck:
    """Train on `overfit_batches` batches over and over: a sound model and pipeline must memorise them.

    What works against memorising is switched off: dropout, L2, weight decay, augmentation and
    early stopping.
    """
    source = data.sources[TRAIN]
    count = min(recipe.train.overfit_batches * recipe.train.batch_size, len(source))
    rows = np.random.default_rng(seed).permutation(len(source))[:count]
    recipe = replace(
        recipe,
        augment=AugmentSettings(),
        model=replace(recipe.model, dropout=0.0, l2=0.0),
        train=replace(recipe.train, weight_decay=0.0, early_stopping=0, reduce_lr=0),
    )
    few = _take(source, rows)
    set_up(seed, recipe.train.mixed_precision)
    start = time.perf_counter()
    model = new_model(recipe, data)
    compile_model(model, recipe, data, soft=False)
    stream, steps = training_batches(few, recipe.train.batch_size, seed, range(recipe.train.epochs))
    recorded = model.fit(
        stream,
        epochs=recipe.train.epochs,
        steps_per_epoch=steps,
        callbacks=[
            StopOnNan(),
            keras.callbacks.TensorBoard(str(run.logs), write_graph=False),
            *progress_lines(quiet),
        ],
        shuffle=False,
        verbose=1 if sys.stdout.isatty() and not quiet else 0,
    )
    history = {name: [float(value) for value in values] for name, values in recorded.history.items()}
    pd.DataFrame(history).rename_axis("epoch").to_csv(run.history)
    training = Training(model, history, len(history["loss"]) - 1, time.perf_counter() - start)
    return OverfitCheck(training, steps, history["loss"][0], history["loss"][-1])


def _take(source: Source, rows: np.ndarray) -> Source:
    """The examples of a source at the given row positions."""
    return replace(
        source,
        cached=source.cached.take(rows),
        labels={name: values[rows] for name, values in source.labels.items()},
        weights=None if source.weights is None else source.weights[rows],
    )

"""Callbacks of every training: stop on nonsense, measure what Keras cannot, say how far it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import keras
import numpy as np

from keras_mir.evaluate.metrics import rank_correlation
from keras_mir.evaluate.predictions import predict_source
from pipelines.errors import UserError
from pipelines.source import Source


class StopOnNan(keras.callbacks.Callback):
    """End training when the loss is not a number any more."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            raise UserError(
                f"the loss is not a number after epoch {epoch + 1}; lower learning_rate, or set clip_norm"
            )


class ValidationCorrelation(keras.callbacks.Callback):
    """Spearman's correlation of the validation examples, which no mean over batches gives.

    Adds `val_spearman` to the epoch's logs, the mean over targets, and
    `val_<target>_spearman` where there are several. NaN where a model answers one value only.
    Must stand before the callbacks that are to see it.
    """

    def __init__(self, validation: Source) -> None:
        super().__init__()
        self.validation = validation

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is None:
            return
        outputs = predict_source(self.model, self.validation)
        correlations = {
            name: rank_correlation(labels, outputs[name].reshape(-1))
            for name, labels in self.validation.labels.items()
        }
        values = {name: float("nan") if rho is None else rho for name, rho in correlations.items()}
        if len(values) > 1:
            logs |= {f"val_{name}_spearman": rho for name, rho in values.items()}
        logs["val_spearman"] = float(np.mean(list(values.values())))


class EpochLines(keras.callbacks.Callback):
    """One line an epoch, for logs and pipes, where a progress bar is noise."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        values = "  ".join(f"{name} {float(value):.4g}" for name, value in (logs or {}).items())
        print(f"epoch {epoch + 1}/{self.params['epochs']}  {values}", flush=True)


def progress_lines(quiet: bool) -> list[keras.callbacks.Callback]:
    """Keras has a progress bar for terminals; elsewhere there is a line an epoch."""
    return [] if quiet or sys.stdout.isatty() else [EpochLines()]

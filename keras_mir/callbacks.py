"""Callbacks of every training: stop on nonsense, and say how far it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import keras
import numpy as np

from pipelines.errors import UserError


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


def progress_lines() -> list[keras.callbacks.Callback]:
    """Keras has a progress bar for terminals; elsewhere there is a line an epoch."""
    return [] if sys.stdout.isatty() else [EpochLines()]

"""`fit` from the command to the end of the first step: `python -m benchmarks.ours.first_step RECIPE ...`."""

from __future__ import annotations

import os
import sys
from typing import Any

import keras

from keras_mir.fit.__main__ import main


class _EndAfterOneStep(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        os._exit(0)


if __name__ == "__main__":
    fit = keras.Model.fit

    def fit_one_step(model: keras.Model, *arguments: Any, callbacks: Any = (), **options: Any) -> Any:
        """As `keras.Model.fit`, up to the first step."""
        return fit(model, *arguments, callbacks=[*callbacks, _EndAfterOneStep()], **options)

    keras.Model.fit = fit_one_step
    sys.exit(main())

"""`keras.Model.export` alone: one signature, which takes features, and no check."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

import keras

from benchmarks.inputs import Inputs
from benchmarks.row import Results
from keras_mir.models.trained_model import load_trained


class Exporting:
    """The same run's model, loaded."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def run(self) -> None:
        """Export it."""
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            self._model.export(str(Path(folder) / "model"))

    def result(self) -> Results:
        """Nothing to compare."""
        return {}


def prepare(inputs: Inputs) -> Exporting:
    """Load the run's model."""
    inputs.model()
    return Exporting(load_trained(inputs.run).keras)

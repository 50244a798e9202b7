"""`TrainedModel.export`: all signatures, those that take sound too, and the checks of what was written."""

from __future__ import annotations

import tempfile

from benchmarks.inputs import Inputs
from benchmarks.row import Results
from keras_mir.models.trained_model import TrainedModel, load_trained


class Exporting:
    """A run's model, loaded."""

    def __init__(self, model: TrainedModel) -> None:
        self._model = model

    def run(self) -> None:
        """Export it."""
        with tempfile.TemporaryDirectory() as folder:
            self._model.export(folder)

    def result(self) -> Results:
        """Nothing to compare: the export's own checks do."""
        return {}


def prepare(inputs: Inputs) -> Exporting:
    """Load the run's model."""
    inputs.model()
    return Exporting(load_trained(inputs.run))

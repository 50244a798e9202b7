"""The same samples through the reference recipe and the Keras model."""

from __future__ import annotations

from benchmarks.inputs import Inputs
from benchmarks.rivals.reference_answers import ReferenceModel
from benchmarks.rivals.reference_recipe import SAMPLE_RATE, load
from benchmarks.row import Results


class Clip:
    """A loaded model and a clip's samples."""

    def __init__(self, inputs: Inputs) -> None:
        self._audio = load(inputs.clips(1)[0])[: 30 * SAMPLE_RATE]
        self._model = ReferenceModel(inputs)

    def run(self) -> None:
        """Predict once."""
        self._model(self._audio)

    def result(self) -> Results:
        """Class probabilities."""
        return {"probabilities": self._model(self._audio)}


def prepare(inputs: Inputs) -> Clip:
    """Load the model and the clip."""
    return Clip(inputs)

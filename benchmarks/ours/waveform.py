"""One clip of 30 s through the exported `waveform` signature, in a session as TF Serving has it."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.rivals.reference_recipe import SAMPLE_RATE, load
from benchmarks.row import Results


class Clip:
    """A loaded model and a clip's samples."""

    def __init__(self, inputs: Inputs) -> None:
        from keras_mir.models.session import ServedModel

        audio = load(inputs.clips(1)[0])[: 30 * SAMPLE_RATE]
        sizes = {"lengths": np.array([len(audio)]), "rate": np.array([SAMPLE_RATE])}
        self._feed = {"waveform": audio[np.newaxis], **sizes}
        self._stack = ExitStack()
        self._model = self._stack.enter_context(ServedModel(inputs.model()))

    def run(self) -> None:
        """Predict once."""
        self._model.predict(self._feed, "waveform")

    def result(self) -> Results:
        """Class probabilities."""
        return {"probabilities": self._model.predict(self._feed, "waveform")["probabilities"][0]}


def prepare(inputs: Inputs) -> Clip:
    """Load the model and the clip."""
    return Clip(inputs)

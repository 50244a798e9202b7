"""An exported model asked about audio files, as `python -m keras_mir.predict` does."""

from __future__ import annotations

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.row import Results


class Answering:
    """A model, loaded, and files to ask about: other ones each time, until all were asked about."""

    def __init__(self, inputs: Inputs, clips: int, at_once: int) -> None:
        from keras_mir.predict.predictor import Predictor

        self._clips = inputs.clips(clips)
        self._predictor = Predictor(inputs.model())
        self._at_once, self._next = at_once, 0

    def run(self) -> None:
        """Answer for the next files."""
        few = [self._clips[(self._next + i) % len(self._clips)] for i in range(self._at_once)]
        self._next += self._at_once
        for _ in self._predictor.predict_files(few):
            pass

    def result(self) -> Results:
        """Class probabilities `(clips, n_classes)` of the first files."""
        answers = [self._predictor.predict_file(path) for path in self._clips[: self._at_once]]
        return {"probabilities": np.array([list(answer.probabilities.values()) for answer in answers])}


def prepare(inputs: Inputs, clips: int, at_once: int) -> Answering:
    """Load the model."""
    return Answering(inputs, clips, at_once)

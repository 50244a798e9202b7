"""The reference recipe in front of the same Keras model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.rivals.reference_recipe import N_MELS, features, load
from benchmarks.row import Results


class ReferenceModel:
    """Samples in, class probabilities out."""

    def __init__(self, inputs: Inputs) -> None:
        from keras_mir.models.trained_model import load_trained

        self._model = load_trained(inputs.model()).keras

    def __call__(self, audio: np.ndarray) -> np.ndarray:
        _, synced, _ = features(audio)
        mel = synced[:N_MELS].T[np.newaxis]  # (1, steps, bands)
        given = {"features": mel, "lengths": np.array([mel.shape[1]], np.int32)}
        return np.asarray(self._model(given, training=False)["genre"])[0]


class Answering:
    """Files to ask about: other ones each time, until all were asked about."""

    def __init__(self, inputs: Inputs, clips: int, at_once: int) -> None:
        self._clips = inputs.clips(clips)
        self._model = ReferenceModel(inputs)
        self._at_once, self._next = at_once, 0

    def run(self) -> None:
        """Answer for the next files."""
        for i in range(self._at_once):
            self._answer(self._clips[(self._next + i) % len(self._clips)])
        self._next += self._at_once

    def result(self) -> Results:
        """Class probabilities `(clips, n_classes)` of the first files."""
        return {"probabilities": np.stack([self._answer(path) for path in self._clips[: self._at_once]])}

    def _answer(self, path: Path) -> np.ndarray:
        return self._model(load(path))


def prepare(inputs: Inputs, clips: int, at_once: int) -> Answering:
    """Load the model."""
    return Answering(inputs, clips, at_once)

"""How long the trainings that are left may take."""

from __future__ import annotations

from collections.abc import Mapping

from keras_mir.recipes.recipe import Recipe

# Seconds of a training step of 32 examples on two cores, by which trainings are weighed against
# each other; what this machine takes is learnt from the trainings that are done.
_LSTM_STEP = 6e-8  # for each frame, layer, and pair of units
_CNN_STEP = 3e-3  # for each frame, at the report's filters
_START = 10.0  # seconds before the first step and after the last
_STOPS_AFTER = 0.5  # of the epochs, as a guess, where training may stop early


def expected_seconds(recipe: Recipe, clips: int, frames: int, beats: int) -> float:
    """A guess at how long a training takes.

    Args:
        recipe: What is trained.
        clips: Training examples.
        frames: Length of a full spectrogram.
        beats: Length of a beat-synchronous one.
    """
    train, model = recipe.train, recipe.model
    clips = min(clips, recipe.split.limit or clips)
    length = beats if recipe.input.sync == "beat" else frames
    if isinstance(recipe.input.frames, int):
        length = min(length, recipe.input.frames)
    step = _LSTM_STEP * length * model.layers * model.units**2 if model.kind == "lstm" else _CNN_STEP * length
    epochs = train.epochs * (_STOPS_AFTER if train.early_stopping else 1.0)
    seen = min(clips, train.overfit_batches * train.batch_size) if train.overfit_batches else clips
    share = 0.3 if recipe.task.transfer else 1.0  # frozen layers have no backward pass
    return _START + share * epochs * step * seen / 32 * 1.3


class TimeLeft:
    """Learns from the trainings that are done how long the others will take."""

    def __init__(self, expected: Mapping[str, float]) -> None:
        self._waiting = dict(expected)
        self._expected = 0.0
        self._taken = 0.0

    def done(self, name: str, seconds: float) -> None:
        """One is done, in that time; 0 for one that had been done before."""
        guess = self._waiting.pop(name, 0.0)
        if seconds:
            self._expected += guess
            self._taken += seconds

    @property
    def seconds(self) -> float:
        pace = self._taken / self._expected if self._expected else 1.0
        return pace * sum(self._waiting.values())


def in_words(seconds: float) -> str:
    """Such as `about 5 min`."""
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {minutes / 60:.1f} h"

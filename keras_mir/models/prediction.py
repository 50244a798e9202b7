"""What a model says of a song."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Window:
    """A piece of a song, `start` to `end` in seconds, and its values by class or by target."""

    start: float
    end: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Prediction:
    """What a model says of a song.

    Attributes:
        path: The file, or None if samples were given.
        duration: In seconds.
        genre: The likeliest class; empty for an affect model.
        probabilities: By class, in the model's order, the mean over windows; empty for an affect model.
        affect: By target, the mean over windows; empty for a genre model.
        tempo: In beats per minute; None if there is no beat, or the model does not track it.
        beat_times: In seconds, increasing; empty if there is no beat, or the model does not track it.
        windows: The pieces that were judged, in order; they may overlap. Silent stretches of minutes
            have none.
    """

    path: Path | None
    duration: float
    genre: str
    probabilities: Mapping[str, float]
    affect: Mapping[str, float]
    tempo: float | None
    beat_times: tuple[float, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class Failure:
    """A file without an answer, and the reason: one line that names it and says what to do."""

    path: Path
    reason: str

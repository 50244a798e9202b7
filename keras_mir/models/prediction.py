"""A model's answer for a song."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Window:
    """A piece of a song, `start` to `end` in seconds, and its values by class or by target."""

    start: float
    end: float
    values: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class Prediction:
    """A model's answer for a song.

    Attributes:
        path: The file, or None if samples were given.
        duration: In seconds.
        genre: The likeliest class; empty for an affect model.
        probabilities: By class, in the model's order, the mean over windows; empty for an affect model.
        affect: By target, the mean over windows; empty for a genre model.
        tempo: In beats per minute; None if there is no beat, or the model does not track it.
        beat_times: In seconds, increasing; empty if there is no beat, or the model does not track it.
        windows: The pieces that were analysed, in order; they may overlap. Silent stretches of minutes
            have none.
        note: What to know of the model, such as that it was trained on generated music; mostly empty.
    """

    path: Path | None
    duration: float
    genre: str
    probabilities: Mapping[str, float]
    affect: Mapping[str, float]
    tempo: float | None
    beat_times: tuple[float, ...]
    windows: tuple[Window, ...]
    note: str = ""

    @property
    def values(self) -> Mapping[str, float]:
        """The probabilities of a genre model, the affect of another one."""
        return self.probabilities or self.affect

    def rows(self, windows: bool = False) -> list[dict[str, str | float | None]]:
        """The answer as one row by column, or as a row a window.

        Columns of classes start with `probability_`, those of targets with `affect_`.
        """
        song = {"path": path_text(self.path)}
        if windows:
            return [
                {**song, "start": round(w.start, 3), "end": round(w.end, 3), **self._columns(w.values)}
                for w in self.windows
            ]
        tempo = None if self.tempo is None else round(self.tempo, 2)
        whole = {"duration": round(self.duration, 3), **self._columns(self.values)}
        return [{**song, **whole, "tempo": tempo, "beats": len(self.beat_times)}]

    def frame(self, windows: bool = False) -> pd.DataFrame:
        """`rows` as a data frame; `pandas.concat(p.frame() for p in predictions)` has many songs."""
        import pandas as pd

        frame = pd.DataFrame(self.rows(windows))
        return frame if windows else frame.astype({"tempo": float})

    def _columns(self, values: Mapping[str, float]) -> dict[str, str | float]:
        if not self.genre:
            return {f"affect_{target}": value for target, value in rounded(values).items()}
        likeliest = max(values, key=values.__getitem__)
        return {"genre": likeliest} | {f"probability_{name}": p for name, p in rounded(values).items()}

    def _shown(self) -> list[tuple[str, str]]:
        """Names and values as people read them, the likeliest class first."""
        if not self.genre:
            return [(target, f"{value:.3f}") for target, value in self.affect.items()]
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return [(name, f"{probability:.0%}") for name, probability in ranked]

    def _head(self) -> str:
        name = path_text(Path(self.path.name)) if self.path else "samples"
        tempo = [] if self.tempo is None else [f"{self.tempo:.0f} BPM"]
        return ", ".join([name, clock(self.duration), *tempo])

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value}" for name, value in self._shown()[: 3 if self.genre else None])
        return f"<{self._head()}: {values}{self.note and f'; {self.note}'}>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>" for name, value in self._shown())
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return f"<table><caption>{escape(self._head())}</caption>{rows}</table>{note}"


@dataclass(frozen=True)
class Failure:
    """A file without an answer, and the reason: one line that names it and says what to do."""

    path: Path
    reason: str


def path_text(path: Path | None) -> str:
    """A path as text that can be written, even if it is not UTF-8."""
    return os.fsencode(path or "").decode("utf-8", "backslashreplace")


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Values as they are written."""
    return {name: round(value, 6) for name, value in values.items()}


def clock(seconds: float) -> str:
    """A time as `3:05` or `1:03:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

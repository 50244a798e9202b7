"""A model's answer for a song."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.datasets.base import Task
from pipelines.wording import clock, path_text

if TYPE_CHECKING:
    import pandas as pd

MOST_TAGS = 10  # that a person is shown
MOST_NEXT = 3  # of those that a song is not given
_COLUMNS: dict[Task, str] = {"genre": "probability", "tags": "tag", "affect": "affect"}


class _Values:
    """What a model says of some music, of each kind that it was trained on; empty for the others."""

    probabilities: Mapping[str, float]
    tags: Mapping[str, float]
    affect: Mapping[str, float]

    @property
    def heads(self) -> dict[Task, Mapping[str, float]]:
        """The values of each head that the model has."""
        of: dict[Task, Mapping[str, float]] = {
            "genre": self.probabilities,
            "tags": self.tags,
            "affect": self.affect,
        }
        return {task: values for task, values in of.items() if values}

    @property
    def values(self) -> Mapping[str, float]:
        """Those of the first head: the probabilities of a model of genres, or of tags, or the affect."""
        return next(iter(self.heads.values()), {})


@dataclass(frozen=True)
class Window(_Values):
    """A piece of a song, `start` to `end` in seconds; the values are as of a `Prediction`."""

    start: float
    end: float
    probabilities: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, float] = field(default_factory=dict)
    affect: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Prediction(_Values):
    """A model's answer for a song.

    Attributes:
        path: The file, or None if samples were given.
        duration: In seconds.
        genre: The likeliest class; empty if the model knows no genres.
        probabilities: By class, in the model's order, the mean over windows; empty if it knows no genres.
        affect: By target, the mean over windows; empty if it predicts no affect.
        tempo: In beats per minute; None if there is no beat, or the model does not track it.
        beat_times: In seconds, increasing; empty if there is no beat, or the model does not track it.
        windows: The pieces that were analysed, in order; they may overlap. Silent stretches of minutes
            have none.
        tags: Probability by tag, in the model's order, the mean over windows; empty if it knows no tags.
        thresholds: The least probability at which a song is given a tag, by tag; empty if the model has none.
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
    tags: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @property
    def given_tags(self) -> list[str]:
        """The tags whose probability reaches their threshold, the likeliest first."""
        return [tag for tag, value in ranked(self.tags) if value >= self.thresholds.get(tag, math.inf)]

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Genres or tags with their probabilities, the likeliest first, or affect in the model's order.

        For a model with several heads, those of the first; see `heads`.
        """
        return _in_order(*next(iter(self.heads.items()))) if self.heads else []

    def rows(self, windows: bool = False) -> list[dict[str, str | float | None]]:
        """The answer as one row by column, or as one row per window.

        Columns of classes start with `probability_`, those of tags with `tag_`, those of targets with
        `affect_`; `given_tags` are those that reach their thresholds, where there are some.
        """
        song = {"path": path_text(self.path)}
        if windows:
            return [
                {**song, "start": round(w.start, 3), "end": round(w.end, 3), **_columns(w)}
                for w in self.windows
            ]
        tempo = None if self.tempo is None else round(self.tempo, 2)
        whole = {"duration": round(self.duration, 3), **_columns(self)}
        if self.thresholds:
            whole["given_tags"] = ";".join(self.given_tags)
        return [{**song, **whole, "tempo": tempo, "beats": len(self.beat_times)}]

    def frame(self, windows: bool = False) -> pd.DataFrame:
        """`rows` as a data frame; `pandas.concat(p.frame() for p in predictions)` has many songs."""
        import pandas as pd

        frame = pd.DataFrame(self.rows(windows))
        return frame if windows else frame.astype({"tempo": float})

    def _shown(self) -> dict[Task, list[tuple[str, str]]]:
        """Names and values of each head as people read them, the likeliest class first."""
        return {
            task: [
                (name, format(value, ".3f" if task == "affect" else ".0%"))
                for name, value in _in_order(task, values)[: MOST_TAGS if task == "tags" else None]
            ]
            for task, values in self.heads.items()
        }

    def _head(self) -> str:
        name = path_text(Path(self.path.name)) if self.path else "samples"
        tempo = [] if self.tempo is None else [f"{self.tempo:.0f} BPM"]
        return ", ".join([name, clock(self.duration), *tempo])

    def __repr__(self) -> str:
        heads = [
            ", ".join(f"{name} {value}" for name, value in shown[: None if task == "affect" else 3])
            for task, shown in self._shown().items()
        ]
        return f"<{self._head()}: {'; '.join([*heads, *filter(None, [self.note])])}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{value}</td></tr>"
            for shown in self._shown().values()
            for name, value in shown
        )
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return f"<table><caption>{escape(self._head())}</caption>{rows}</table>{note}"


def _in_order(task: Task, values: Mapping[str, float]) -> list[tuple[str, float]]:
    """The likeliest first, but affect in the model's order."""
    return list(values.items()) if task == "affect" else ranked(values)


def _columns(answer: _Values) -> dict[str, str | float]:
    columns: dict[str, str | float] = {}
    if values := answer.probabilities:
        columns["genre"] = max(values, key=values.__getitem__)
    for task, values in answer.heads.items():
        columns |= {f"{_COLUMNS[task]}_{name}": value for name, value in rounded(values).items()}
    return columns


@dataclass(frozen=True)
class Failure:
    """A file without an answer, and the reason: one line that names it and says what to do."""

    path: Path
    reason: str


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Values as they are written."""
    return {name: round(value, 6) for name, value in values.items()}


def ranked(values: Mapping[str, float]) -> list[tuple[str, float]]:
    """Names with their probabilities, the likeliest first."""
    return sorted(values.items(), key=lambda item: -item[1])

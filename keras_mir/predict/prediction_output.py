"""Predictions as programs and people read them: JSON, CSV and a table."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_mir.models.prediction import Prediction

Form = Literal["table", "json", "csv"]


class Printer(Protocol):
    """Prints predictions, at once or at the end."""

    def add(self, prediction: Prediction) -> None:
        """Take one more."""

    def close(self) -> None:
        """Print what has been kept back."""


def printer(form: Form, stream: TextIO, model: str, curve: bool) -> Printer:
    """Make what prints in a form.

    Args:
        form: One JSON object a line, CSV with a header, or a table.
        stream: Where to.
        model: Name and version of who answers.
        curve: Print the windows of every song too: in JSON as a list, otherwise in a line each.
    """
    if form == "json":
        return _JsonLines(stream, model, curve)
    return _Csv(stream, curve) if form == "csv" else _SongTable(stream, curve)


def to_json(prediction: Prediction, model: str, curve: bool) -> str:
    """A prediction as a JSON object in one line.

    It has `path`, `model`, `duration`, then `genre` and `probabilities`, or `affect`, then `tempo`
    (null if there is none), `beat_times`, and with a curve `windows`: each `start`, `end` and
    `values`. Times are in seconds.
    """
    made: dict[str, Any] = {
        "path": _shown(prediction.path),
        "model": model,
        "duration": round(prediction.duration, 3),
    }
    if prediction.genre:
        made |= {"genre": prediction.genre, "probabilities": _rounded(prediction.probabilities)}
    else:
        made["affect"] = _rounded(prediction.affect)
    made["tempo"] = None if prediction.tempo is None else round(prediction.tempo, 2)
    made["beat_times"] = [round(time, 3) for time in prediction.beat_times]
    if curve:
        made["windows"] = [
            {"start": round(w.start, 3), "end": round(w.end, 3), "values": _rounded(w.values)}
            for w in prediction.windows
        ]
    return json.dumps(made, ensure_ascii=False, allow_nan=False)


def to_rows(prediction: Prediction, curve: bool) -> list[dict[str, str | float]]:
    """A prediction as a row by column, or with a curve a row a window.

    Columns of classes start with `probability_`, those of targets with `affect_`.
    """
    song = {"path": _shown(prediction.path)}
    if curve:
        return [
            {
                **song,
                "start": round(window.start, 3),
                "end": round(window.end, 3),
                **_values(prediction, window.values),
            }
            for window in prediction.windows
        ]
    return [
        {
            **song,
            "duration": round(prediction.duration, 3),
            **_values(prediction, prediction.probabilities or prediction.affect),
            "tempo": "" if prediction.tempo is None else round(prediction.tempo, 2),
            "beats": len(prediction.beat_times),
        }
    ]


def _shown(path: Path | None) -> str:
    """A path as text that can be written, even if it is not UTF-8."""
    return os.fsencode(path or "").decode("utf-8", "backslashreplace")


def _values(prediction: Prediction, values: Mapping[str, float]) -> dict[str, str | float]:
    if not prediction.genre:
        return {f"affect_{target}": value for target, value in _rounded(values).items()}
    likeliest = max(values, key=values.__getitem__)
    return {"genre": likeliest} | {f"probability_{name}": share for name, share in _rounded(values).items()}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in values.items()}


class _JsonLines:
    def __init__(self, stream: TextIO, model: str, curve: bool) -> None:
        self._stream, self._model, self._curve = stream, model, curve

    def add(self, prediction: Prediction) -> None:
        print(to_json(prediction, self._model, self._curve), file=self._stream, flush=True)

    def close(self) -> None:
        pass


class _Csv:
    def __init__(self, stream: TextIO, curve: bool) -> None:
        self._stream, self._curve = stream, curve
        self._writer: csv.DictWriter[str] | None = None

    def add(self, prediction: Prediction) -> None:
        rows = to_rows(prediction, self._curve)
        if self._writer is None:
            self._writer = csv.DictWriter(self._stream, list(rows[0]), lineterminator="\n")
            self._writer.writeheader()
        self._writer.writerows(rows)
        self._stream.flush()

    def close(self) -> None:
        pass


class _SongTable:
    """Kept back to the end, so that columns are as wide as what is in them."""

    def __init__(self, stream: TextIO, curve: bool) -> None:
        self._stream, self._curve = stream, curve
        self._predictions: list[Prediction] = []

    def add(self, prediction: Prediction) -> None:
        self._predictions.append(prediction)

    def close(self) -> None:
        if not self._predictions:
            return
        folder = _common_folder(self._predictions)
        title = Text(_shown(folder)) if folder else None
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("song", overflow="fold")
        rows = [row for prediction in self._predictions for row in _table_rows(prediction, self._curve)]
        for heading in rows[0]:
            right = heading not in ("genre", "next")
            table.add_column(heading, justify="right" if right else "left", no_wrap=True)
        names = [
            _shown(prediction.path.relative_to(folder) if folder and prediction.path else prediction.path)
            for prediction in self._predictions
            for _ in (prediction.windows if self._curve else (0,))
        ]
        for name, row in zip(names, rows, strict=True):
            table.add_row(Text(name), *map(Text, row.values()))
        Console(file=self._stream).print(table)


def _common_folder(predictions: Sequence[Prediction]) -> Path | None:
    """The folder that all songs are in, unless that is where one is anyway."""
    folders = [prediction.path.parent for prediction in predictions if prediction.path]
    if len({folder.is_absolute() for folder in folders}) != 1:
        return None
    common = Path(os.path.commonpath(folders))
    return None if common in (Path(), Path("/")) else common


def _table_rows(prediction: Prediction, curve: bool) -> Iterator[dict[str, str]]:
    if curve:
        for window in prediction.windows:
            yield {"from": _clock(window.start), "to": _clock(window.end)} | _verdict(
                prediction, window.values
            )
        return
    tempo = "none" if prediction.tempo is None else f"{prediction.tempo:.0f}"
    values = prediction.probabilities or prediction.affect
    yield {"length": _clock(prediction.duration)} | _verdict(prediction, values) | {"BPM": tempo}


def _verdict(prediction: Prediction, values: Mapping[str, float]) -> dict[str, str]:
    if not prediction.genre:
        return {target: f"{value:.3f}" for target, value in values.items()}
    ranked = sorted(values, key=values.__getitem__, reverse=True)[:2]
    return {
        heading: f"{values[name]:4.0%} {name}"
        for heading, name in zip(("genre", "next"), ranked, strict=False)
    }


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

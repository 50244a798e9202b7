"""Predictions as programs and people read them: JSON, CSV and a table."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_mir.command_line.lines import printable, say
from keras_mir.predict.prediction import MOST_NEXT, MOST_TAGS, Prediction, Window, ranked, rounded
from pipelines.datasets.base import Task
from pipelines.wording import clock, path_text

Form = Literal["table", "json", "csv"]
_KEYS: dict[Task, str] = {"genre": "probabilities", "tags": "tags", "affect": "affect"}


def print_predictions(
    predictions: Iterable[Prediction], form: Form, stream: TextIO, model: str, curve: bool
) -> None:
    """Print predictions as they come; a table at the end, so that columns are as wide as what is in them.

    Args:
        predictions: They may end in an error; what came before it is printed.
        form: One JSON object a line, CSV with a header, or a table.
        stream: Where to.
        model: Name and version of the model that answers.
        curve: Print the windows of every song too: in JSON as a list, otherwise in a line each.
    """
    if form == "json":
        plain = not (stream.encoding or "utf-8").lower().startswith("utf")
        for prediction in predictions:
            print(to_json(prediction, model, curve, plain), file=stream, flush=True)
    elif form == "csv":
        writer = None
        for prediction in predictions:
            rows = prediction.rows(windows=curve)
            if writer is None:
                writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
                writer.writeheader()
            writer.writerows(rows)
            stream.flush()
    else:
        kept: list[Prediction] = []
        try:
            kept.extend(predictions)
        finally:
            if kept:
                _print_table(kept, Console(file=stream), curve)


def to_json(prediction: Prediction, model: str, curve: bool, plain: bool = False) -> str:
    """A prediction as a JSON object in one line.

    It has `path`, `model`, `note` if there is one, `duration`, then of the model's heads `genre` and
    `probabilities`, `tags` (and `given_tags`, where the model has thresholds) and `affect`, then `tempo`
    (null if there is none), `beat_times`, and with a curve `windows`: each `start`, `end` and `values`, or,
    where there are several heads, `probabilities`, `tags` and `affect`. Times are in seconds. If it is to
    be plain, it is ASCII.
    """
    made: dict[str, Any] = {"path": path_text(prediction.path), "model": model}
    if prediction.note:
        made["note"] = prediction.note
    made["duration"] = round(prediction.duration, 3)
    if prediction.genre:
        made["genre"] = prediction.genre
    made |= {_KEYS[task]: rounded(values) for task, values in prediction.heads.items()}
    if prediction.thresholds:
        made["given_tags"] = prediction.given_tags
    made["tempo"] = None if prediction.tempo is None else round(prediction.tempo, 2)
    made["beat_times"] = [round(time, 3) for time in prediction.beat_times]
    if curve:
        several = len(prediction.heads) > 1
        made["windows"] = [
            {"start": round(w.start, 3), "end": round(w.end, 3)}
            | {_KEYS[task] if several else "values": rounded(values) for task, values in w.heads.items()}
            for w in prediction.windows
        ]
    return json.dumps(made, ensure_ascii=plain, allow_nan=False)


def _print_table(predictions: Sequence[Prediction], console: Console, curve: bool) -> None:
    folder = _common_folder(predictions)
    title = Text(printable(path_text(folder))) if folder else None
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("song", overflow="fold")
    # A model that tracks no beats has no column of tempi.
    tempi = any(prediction.tempo is not None for prediction in predictions)
    rows = [(prediction, row) for prediction in predictions for row in _table_rows(prediction, curve, tempi)]
    for heading in rows[0][1]:
        justify: Literal["left", "right"] = "left" if heading in ("genre", "next", "tags") else "right"
        wrap = bool(predictions[0].tags) and heading in ("tags", "next")
        # Of a tag that is wider than its column no letter is lost.
        table.add_column(heading, justify=justify, no_wrap=not wrap, overflow="fold" if wrap else "ellipsis")
    for prediction, row in rows:
        path = prediction.path
        name = path_text(path.relative_to(folder) if folder and path else path)
        table.add_row(Text(printable(name)), *map(Text, row.values()))
    console.print(table)
    if note := predictions[0].note:
        say(console, f"note: {note}")


def _common_folder(predictions: Sequence[Prediction]) -> Path | None:
    """The folder that all songs are in, unless that is where one is anyway."""
    folders = [prediction.path.parent for prediction in predictions if prediction.path]
    if len({folder.is_absolute() for folder in folders}) != 1:
        return None
    common = Path(os.path.commonpath(folders))
    return None if common in (Path(), Path("/")) else common


def _table_rows(prediction: Prediction, curve: bool, tempi: bool) -> Iterator[dict[str, str]]:
    if curve:
        for window in prediction.windows:
            times = {"from": clock(window.start), "to": clock(window.end)}
            yield times | _cells(window, prediction.thresholds)
        return
    tempo = "none" if prediction.tempo is None else f"{prediction.tempo:.0f}"
    beats = {"BPM": tempo} if tempi else {}
    yield {"length": clock(prediction.duration)} | _cells(prediction, prediction.thresholds) | beats


def _cells(answer: Prediction | Window, thresholds: Mapping[str, float]) -> dict[str, str]:
    """By column; what comes next is shown of an only head, for want of room."""
    cells: dict[str, str] = {}
    for task, values in answer.heads.items():
        own = _CELLS[task](values, thresholds)
        if len(answer.heads) > 1 and task != "affect":
            own.pop(_NEXT, None)
        cells |= own
    return cells


def _genre_cells(values: Mapping[str, float], _: Mapping[str, float]) -> dict[str, str]:
    return {
        heading: f"{value:4.0%} {name}"
        for heading, (name, value) in zip(("genre", _NEXT), ranked(values), strict=False)
    }


def _tag_cells(values: Mapping[str, float], thresholds: Mapping[str, float]) -> dict[str, str]:
    given = {name for name, value in values.items() if value >= thresholds.get(name, 0.0)}
    first, others = (
        [f"{value:.0%} {name}" for name, value in ranked(values) if (name in given) is wanted]
        for wanted in (True, False)
    )
    after = {_NEXT: ", ".join(others[:MOST_NEXT])} if thresholds else {}
    return {"tags": ", ".join(first[:MOST_TAGS]) or "none"} | after


def _affect_cells(values: Mapping[str, float], _: Mapping[str, float]) -> dict[str, str]:
    return {target: f"{value:.3f}" for target, value in values.items()}


_NEXT = "next"
_CELLS: dict[Task, Callable[[Mapping[str, float], Mapping[str, float]], dict[str, str]]] = {
    "genre": _genre_cells,
    "tags": _tag_cells,
    "affect": _affect_cells,
}

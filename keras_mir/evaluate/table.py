"""A report as tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 80  # columns; a wider terminal does not make the table easier to read
_NAME_WIDTH = 24  # of the first column; longer names go on in the next line

_SEEN = "If the model was trained on this data set, it has seen clips of this split."
# What a reader must know where the clips may have had a part in the training.
_CAVEATS = {
    "train": _SEEN,
    "all": _SEEN,
    "validation": "Training may have chosen its best epoch by these clips, which flatters the score.",
}


def print_report(report: Mapping[str, Any], console: Console) -> None:
    """Print a headline and the scores.

    Args:
        report: From `build_report` or `read_report`.
        console: Where to; anything but a terminal gets plain ASCII but for the data's own names.
    """
    printer = _Printer(console)
    genre = report["task"] == "genre"
    printer.line(_genre_headline(report) if genre else _affect_headline(report), style="bold")
    if caveat := _CAVEATS.get(report["split"]["evaluated"]):
        printer.line(caveat)
    if genre:
        _print_classes(report, printer)
    else:
        _print_targets(report, printer)


class _Printer:
    """What fits a terminal, a pipe or a log: names are data, never markup, and lines stay short."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(WIDTH, console.width)

    def text(self, text: str, style: str = "") -> Text:
        if self._console.options.ascii_only:
            text = text.encode("ascii", "backslashreplace").decode()
        return Text(text, style)

    def line(self, text: str, style: str = "") -> None:
        self._console.print(self.text(text, style), width=self._width)

    def table(self, *columns: str) -> Table:
        pretty = self._console.is_terminal and not self._console.options.ascii_only
        table = Table(box=box.SIMPLE_HEAD if pretty else None, pad_edge=False)
        table.add_column(columns[0], overflow="fold", max_width=_NAME_WIDTH)
        for column in columns[1:]:
            table.add_column(column, justify="right", overflow="fold")
        return table

    def row(self, table: Table, *cells: str, style: str = "") -> None:
        table.add_row(*(self.text(cell) for cell in cells), style=style)

    def show(self, table: Table) -> None:
        self._console.print()
        self._console.print(table, width=self._width)
        self._console.print()


def _print_classes(report: Mapping[str, Any], printer: _Printer) -> None:
    table = printer.table("class", "precision", "recall", "F1", "support", f"{_percent(report)} interval")

    def scores(name: str, values: Mapping[str, Any], interval: str = "") -> None:
        cells = [_number(values[score]) for score in ("precision", "recall", "f1")]
        printer.row(table, name, *cells, str(values["support"]), interval)

    for name in report["class_names"]:
        scores(name, report["per_class"][name])
    printer.row(table, *[""] * 6)
    printer.row(table, "accuracy", "", "", *_score_and_n(report), _bounds(report["accuracy"]), style="bold")
    averages = report["averages"]
    scores("macro avg", averages["macro"], _bounds(report["macro_f1"]))
    scores("micro avg", averages["micro"], _bounds(report["accuracy"]))  # one class a clip: the same number
    scores("weighted avg", averages["weighted"], _bounds(report["weighted_f1"]))
    printer.show(table)
    printer.line(f"The {_percent(report)} intervals are of accuracy and of F1, by bootstrap over clips.")


def _print_targets(report: Mapping[str, Any], printer: _Printer) -> None:
    table = printer.table("target", "Spearman", f"{_percent(report)} interval", "RMSE", "R2")
    for name in report["targets"]:
        rho, rmse, r2 = (report[score][name] for score in ("spearman", "rmse", "r2"))
        cells = _number(rho["value"]), _bounds(rho), _number(rmse["value"]), _number(r2["value"])
        printer.row(table, name, *cells)
    mean = report["spearman_mean"]
    printer.row(table, *[""] * 5)
    printer.row(table, "mean", _number(mean["value"]), _bounds(mean), "", "", style="bold")
    printer.show(table)
    for score, reason in report["undefined"].items():
        printer.line(f"{score}: undefined, for {reason}.")


def _genre_headline(report: Mapping[str, Any]) -> str:
    chance = report["chance"]
    return (
        f"{_subject(report)}: accuracy {_with_bounds(report['accuracy'])}, "
        f"macro F1 {_with_bounds(report['macro_f1'])}; always answering {chance['majority_class']}, "
        f"the largest class, would give {_number(chance['majority_share'])}."
    )


def _affect_headline(report: Mapping[str, Any]) -> str:
    return (
        f"{_subject(report)}: mean Spearman {_with_bounds(report['spearman_mean'])} "
        f"over {_count(len(report['targets']), 'target')}; guessing would give 0."
    )


def _subject(report: Mapping[str, Any]) -> str:
    dataset, evaluated = report["dataset"], report["split"]["evaluated"]
    split = "all splits" if evaluated == "all" else f"{evaluated} split"
    music = "synthetic music" if dataset["synthetic"] else "music"
    return (
        f"{report['task'].capitalize()} of {_count(report['n'], 'clip')} of {music} "
        f"({dataset['name']}, {split})"
    )


def _score_and_n(report: Mapping[str, Any]) -> tuple[str, str]:
    return _number(report["accuracy"]["value"]), str(report["n"])


def _with_bounds(interval: Mapping[str, float | None]) -> str:
    return f"{_number(interval['value'])} {_bounds(interval)}".rstrip()


def _bounds(interval: Mapping[str, float | None]) -> str:
    if interval["low"] is None or interval["high"] is None:
        return ""
    return f"[{_number(interval['low'])}, {_number(interval['high'])}]"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _percent(report: Mapping[str, Any]) -> str:
    return f"{100 * report['bootstrap']['confidence']:g} %"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

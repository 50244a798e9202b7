"""A report as tables on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_mir.models.cross_validation import CrossValidationReport
from keras_mir.models.report import (
    MAIN_SCORES,
    OUT_OF_FOLD,
    AffectReport,
    ClassScores,
    GenreReport,
    HeadReport,
    Interval,
    Report,
    TagsReport,
    number,
    score_name,
)

WIDTH = 80  # columns; a wider terminal does not make the table easier to read
_NAME_WIDTH = 24  # of the first column; longer names go on in the next line

_SEEN = "If the model was trained on this data set, it has seen clips of this split."
# What a reader must know where the clips may have had a part in the training.
_CAVEATS = {
    OUT_OF_FOLD: "Each clip is answered by models that have not seen it; together they have seen all clips.",
    "train": _SEEN,
    "all": _SEEN,
    "validation": "Training may have chosen its best epoch by these clips, which flatters the score.",
}


def print_report(report: Report, console: Console) -> None:
    """Print a headline and the scores.

    Args:
        report: What to show.
        console: Where to; anything but a terminal gets plain ASCII but for the data's own names.
    """
    printer = Printer(console)
    for rank, head in enumerate(report.reports.values()):
        if rank:
            printer.line("")
        printer.line(head.headline, style="bold")
        if caveat := _CAVEATS.get(report.split.evaluated):
            printer.line(caveat)
        _PRINTERS[type(head)](head, printer)


def print_cross_validation(report: CrossValidationReport, console: Console) -> None:
    """Print a headline and one row per fold, then mean, deviation and the interval; as `print_report`."""
    printer = Printer(console)
    printer.line(report.headline, style="bold")
    for names in _by_head(report.scores):
        _print_folds(report, names, printer)
    printer.line("Out of fold, every clip is predicted by the model that was trained without its fold.")


def _by_head(scores: Iterable[str]) -> list[list[str]]:
    """Names of scores, those of each head together; each head's begin with its main score."""
    heads: list[list[str]] = []
    for name in scores:
        if name in MAIN_SCORES.values() or not heads:
            heads.append([])
        heads[-1].append(name)
    return heads


def _print_folds(report: CrossValidationReport, names: Sequence[str], printer: Printer) -> None:
    several = report.repeats > 1
    rows = [
        (
            f"{each.repeat}.{each.fold}" if several else str(each.fold),
            str(each.clips),
            *(number(each.scores[name]) for name in names),
            str(each.epochs),
            f"{each.seconds:.0f}",
        )
        for each in report.by_fold
    ]
    summaries = [report.scores[name] for name in names]
    low, high = (f"95 % interval, {end}" for end in ("low", "high"))
    for name, values in (
        ("mean", [each.mean for each in summaries]),
        ("standard deviation", [each.deviation for each in summaries]),
        ("out of fold", [each.pooled.value for each in summaries]),
        (low, [each.pooled.low for each in summaries]),
        (high, [each.pooled.high for each in summaries]),
    ):
        rows.append((name, "", *map(number, values), "", ""))
    head = (
        "repeat.fold" if several else "fold",
        "clips",
        *map(score_name, names),
        "epochs",
        "seconds",
    )
    printer.table(head, rows, bold=len(report.by_fold))


class Printer:
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

    def table(
        self,
        head: Sequence[str],
        rows: Iterable[Sequence[str]],
        bold: int = -1,
        texts: int = 1,
        name_width: int = _NAME_WIDTH,
    ) -> None:
        """Rows of cells, the row at index `bold` in bold.

        The first `texts` columns hold text. Where there are several, they are what gets narrow on a
        narrow screen.
        """
        pretty = self._console.is_terminal and not self._console.options.ascii_only
        table = Table(box=box.SIMPLE_HEAD if pretty else None, pad_edge=False)
        table.add_column(head[0], overflow="fold", max_width=name_width)
        for column in head[1:texts]:
            table.add_column(column, overflow="fold")
        for column in head[texts:]:
            table.add_column(column, justify="right", overflow="fold", no_wrap=texts > 1)
        for index, cells in enumerate(rows):
            table.add_row(*map(self.text, cells), style="bold" if index == bold else "")
        self._console.print()
        self._console.print(table, width=self._width)
        self._console.print()


def _print_classes(report: GenreReport, printer: Printer) -> None:
    def scores(name: str, of: ClassScores, interval: str = "") -> Sequence[str]:
        return name, number(of.precision), number(of.recall), number(of.f1), str(of.support), interval

    head = ("class", "precision", "recall", "F1", "support", f"{_percent(report)} interval")
    accuracy, averages = report.accuracy, report.averages
    rows = [
        *(scores(name, report.per_class[name]) for name in report.class_names),
        ("",) * 6,
        ("accuracy", "", "", number(accuracy.value), str(report.n), accuracy.bounds),
        scores("macro avg", averages["macro"], report.macro_f1.bounds),
        scores("micro avg", averages["micro"], accuracy.bounds),  # one class a clip: the same number
        scores("weighted avg", averages["weighted"], report.weighted_f1.bounds),
    ]
    printer.table(head, rows, bold=len(report.class_names) + 1)
    printer.line(f"The {_percent(report)} intervals are of accuracy and of F1, by bootstrap over clips.")
    if report.calibration_sentence:
        printer.line(report.calibration_sentence)


def _print_targets(report: AffectReport, printer: Printer) -> None:
    rows = []
    for name in report.targets:
        rho, rmse, r2 = report.spearman[name], report.rmse[name], report.r2[name]
        rows.append((name, number(rho.value), rho.bounds, number(rmse.value), number(r2.value)))
    mean = report.spearman_mean
    rows += [("",) * 5, ("mean", number(mean.value), mean.bounds, "", "")]
    head = ("target", "Spearman", f"{_percent(report)} interval", "RMSE", "R2")
    printer.table(head, rows, bold=len(rows) - 1)
    for score, reason in report.undefined.items():
        printer.line(f"{score}: undefined, for {reason}.")


def _print_tags(report: TagsReport, printer: Printer) -> None:
    def areas(name: str, roc_auc: Interval, precision: Interval) -> Sequence[str]:
        return name, number(roc_auc.value), roc_auc.bounds, number(precision.value), precision.bounds

    interval = f"{_percent(report)} interval"
    rows = [areas(tag, report.roc_auc[tag], report.average_precision[tag]) for tag in report.tags]
    rows += [("",) * 5, areas("macro (mAP)", report.macro_roc_auc, report.mean_average_precision)]
    printer.table(("tag", "ROC-AUC", interval, "PR-AUC", interval), rows, bold=len(rows) - 1)
    for tag, reason in report.undefined.items():
        printer.line(f"{tag}: undefined, for {reason}; the means are over the other tags.")

    def at_threshold(name: str, threshold: str, of: ClassScores) -> Sequence[str]:
        return name, threshold, number(of.precision), number(of.recall), number(of.f1), str(of.support)

    by_tag = report.thresholds.by_tag
    rows = [at_threshold(tag, number(by_tag[tag]), report.per_tag[tag]) for tag in report.tags]
    rows += [("",) * 6, *(at_threshold(f"{name} avg", "", of) for name, of in report.averages.items())]
    printer.table(("tag", "threshold", "precision", "recall", "F1", "support"), rows)
    printer.line(report.thresholds_sentence)


# By kind of report, what prints it.
_PRINTERS: dict[type, Callable[[Any, Printer], None]] = {
    GenreReport: _print_classes,
    AffectReport: _print_targets,
    TagsReport: _print_tags,
}


def _percent(report: HeadReport) -> str:
    return f"{100 * report.bootstrap.confidence:g} %"

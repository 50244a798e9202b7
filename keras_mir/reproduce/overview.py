"""One table with one number for each kind of training, the report's settings beside our variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keras_mir.reproduce import published
from keras_mir.reproduce.results import Experiment, Row, Run, Settings, Table
from keras_mir.reproduce.scores import (
    BySeed,
    accuracies,
    cell,
    command_of,
    correlations,
    finished,
    mean_correlations,
    runs_of,
    targets_of,
)
from keras_mir.reproduce.table_notes import left_out, why_unpublished
from keras_mir.reproduce.wording import score

_COLUMNS: dict[Settings, str] = {"report": "the report's settings", "ours": "our variant"}


@dataclass(frozen=True)
class _Line:
    """A row to make: its name, its step and variant, and the number the report has for it."""

    name: str
    step: str
    variant: str
    published: float | None = None

    @property
    def is_genre(self) -> bool:
        return self.step in ("5b", "5c", "7b")


_LINES = (
    _Line("5b LSTM, mel", "5b", "mel"),
    _Line("5b LSTM, beat-mel", "5b", "beat-mel"),
    _Line("5b LSTM, beat-chroma", "5b", "beat-chroma"),
    _Line("5b LSTM, beat-fused", "5b", "beat-fused"),
    _Line("5c LSTM, mel", "5c", "mel", published.GENRE["1"].accuracy),
    _Line("5c LSTM, beat-mel", "5c", "beat-mel", published.GENRE["2"].accuracy),
    _Line("5c LSTM, beat-chroma", "5c", "beat-chroma", published.GENRE["3"].accuracy),
    _Line("5c LSTM, beat-fused", "5c", "beat-fused", published.GENRE["4"].accuracy),
    _Line("7b CNN", "7b", "cnn", published.GENRE["5"].accuracy),
    _Line("8 LSTM", "8", "lstm", published.SPEARMAN["lstm"]["mean"]),
    _Line("8 CNN", "8", "cnn", published.SPEARMAN["cnn"]["mean"]),
    _Line("9 transfer", "9", "transfer", published.TRANSFER["energy"]),
    _Line("10 multitask CNN", "10", "multitask", published.SPEARMAN["multitask"]["mean"]),
    _Line("11 larger multitask CNN", "11", "multitask-large", published.SUBMISSION),
)


def make_overview(experiments: Sequence[Experiment], is_course: bool, why_not: str) -> Table | None:
    """Accuracy or mean Spearman correlation of every kind of training; None if there is none.

    Args:
        experiments: With their runs.
        is_course: Whether the data set is the report's own.
        why_not: Why it is not, in one sentence.
    """
    found: dict[_Line, dict[Settings, list[Run]]] = {}
    for line in _LINES:
        by_settings = {one: runs_of(experiments, line.step, line.variant, one) for one in _COLUMNS}
        if any(by_settings.values()):
            found[line] = by_settings
    columns = [one for one in _COLUMNS if any(by_settings[one] for by_settings in found.values())]
    if not columns:
        return None
    runs = [run for by_settings in found.values() for one in columns for run in by_settings[one]]
    targets = targets_of(runs)
    rows = tuple(_row(line, found[line], columns, targets, is_course, why_not) for line in found)
    return Table(
        number="",
        title="Every kind of training in one number",
        settings="both" if len(columns) > 1 else columns[0],
        columns=tuple(_COLUMNS[one] for one in columns),
        rows=rows,
        note=" ".join(
            filter(None, (_chance(runs), "" if is_course else why_not, _submitted(rows), left_out(runs)))
        ),
    )


def _row(
    line: _Line,
    by_settings: dict[Settings, list[Run]],
    columns: Sequence[Settings],
    targets: Sequence[str],
    is_course: bool,
    why_not: str,
) -> Row:
    every = [run for one in columns for run in by_settings[one]]
    learnt = targets_of(every) if line.step == "9" else targets
    cells = [cell(_scores(line, by_settings[one], learnt).values(), by_settings[one]) for one in columns]
    comparable = line.is_genre or tuple(learnt) == (("energy",) if line.step == "9" else published.TARGETS)
    shown: tuple[float | None, ...] = ()
    if comparable and not why_unpublished("report", by_settings["report"], is_course, why_not):
        shown = tuple(line.published if one == "report" else None for one in columns)
    return Row(f"{line.name}: {_metric(line, learnt)}", tuple(cells), shown, command_of(every))


def _scores(line: _Line, runs: Sequence[Run], targets: Sequence[str]) -> BySeed:
    if line.is_genre:
        return accuracies(runs)
    return correlations(runs, targets[0]) if len(targets) == 1 else mean_correlations(runs, targets)


def _metric(line: _Line, targets: Sequence[str]) -> str:
    if line.is_genre:
        return "accuracy"
    return f"Spearman of {targets[0]}" if len(targets) == 1 else "mean Spearman"


def _chance(runs: Sequence[Run]) -> str:
    for run in finished(runs):
        if run.report and run.report["task"] == "genre":
            chance = run.report["chance"]
            name, share = chance["majority_class"], score(chance["majority_share"])
            return f"Always answering {name}, the most frequent class, has accuracy {share}."
    return ""


def _submitted(rows: Sequence[Row]) -> str:
    if any(row.published and row.name.startswith("11 ") for row in rows):
        return (
            "The report's number for step 11 is the score of its submission, on clips whose labels are not "
            "public, and ours is on clips that were held out."
        )
    return ""

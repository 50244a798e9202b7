"""What a reader of a table must know: what is missing from it, and why."""

from __future__ import annotations

from collections.abc import Sequence

from keras_mir.reproduce import published
from keras_mir.reproduce.results import Run, Settings
from keras_mir.reproduce.scores import finished
from keras_mir.reproduce.wording import count


def why_unpublished(settings: Settings, runs: Sequence[Run], is_course: bool, why_not: str) -> str:
    """Why the report's numbers may not stand beside those of the runs; empty if they may.

    They may where data set, settings, classes and clips are all the report's own.
    """
    if settings == "ours":
        return "The report has no numbers for our variant."
    if not is_course:
        return why_not
    for run in finished(runs):
        report = run.report or {}
        if limit := report["split"].get("limit"):
            return (
                f"The report's numbers are not shown: they were measured on all of its clips, and this "
                f"training was limited to {limit} in each part of the split."
            )
        if report["task"] == "genre" and not _same_classes(run):
            return (
                f"The report's numbers are not shown: they were measured on {sum(published.SUPPORT)} test "
                f"clips of {len(published.CLASSES)} classes, and this is {count(report['n'], 'clip')} "
                f"of {count(len(report['class_names']), 'class', 'classes')}."
            )
    return ""


def left_out(runs: Sequence[Run]) -> str:
    """Which runs a table is without."""
    failed = [f"{run.name} failed ({run.reason})" for run in runs if run.status == "failed"]
    waiting = [f"{run.name} was not reached" for run in runs if run.status == "waiting"]
    missing = [*failed, *waiting]
    return f"Left out: {'; '.join(missing)}." if missing else ""


def undefined(runs: Sequence[Run]) -> str:
    """Which correlations do not exist."""
    found = [
        f"{key.removeprefix('spearman.')} by {run.name} ({reason})"
        for run in finished(runs)
        for key, reason in ((run.report or {}).get("undefined") or {}).items()
        if key.startswith("spearman.")
    ]
    return f"Undefined, and in no mean: {'; '.join(found)}." if found else ""


def judged_on(runs: Sequence[Run]) -> str:
    """The clips that the scores are of."""
    parts = dict.fromkeys(
        count(run.report["n"], f"{run.report['split']['evaluated']} clip")
        for run in finished(runs)
        if run.report
    )
    return f"Judged on {' and '.join(parts)}." if parts else ""


def _same_classes(run: Run) -> bool:
    report = run.report or {}
    supports = tuple(report["per_class"][name]["support"] for name in report["class_names"])
    return (tuple(report["class_names"]), supports) == (published.CLASSES, published.SUPPORT)

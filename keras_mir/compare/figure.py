"""Scores of several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from keras_mir.models.report import Interval
from pipelines.figures import TRAIN, new_figure


def intervals(scores: Mapping[str, Interval], score: str) -> Figure:
    """Scores with their confidence intervals, a row each, from the top.

    Args:
        scores: By name. One that is undefined has no mark.
        score: What it is, in words.
    """
    figure = new_figure(6.4, 1.1 + 0.35 * len(scores))
    axes = figure.add_subplot()
    for row, found in enumerate(scores.values()):
        if found.value is None:
            continue
        if found.low is not None and found.high is not None:
            axes.hlines(row, found.low, found.high, color=TRAIN)
        axes.plot(found.value, row, "o", color=TRAIN)
    axes.set_yticks(range(len(scores)), list(scores))
    axes.set(xlabel=f"{score}, with its interval", ylim=(len(scores) - 0.5, -0.5))
    axes.grid(alpha=0.3, axis="x")
    return figure

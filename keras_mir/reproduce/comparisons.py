"""The questions that the paper answers, put to the runs at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from keras_mir.reproduce import scores
from keras_mir.reproduce.results import Comparison, Run, Settings
from keras_mir.reproduce.wording import difference, score, spread

_SAME_CLIPS = "all seeds share the same clips, so the spread is over training seeds only"


@dataclass(frozen=True)
class Side:
    """What is compared: its name in the answer, its runs, and their scores by seed."""

    name: str
    runs: Sequence[Run]
    scores: pd.Series[float]

    @classmethod
    def of_genre(cls, name: str, runs: Sequence[Run]) -> Side:
        """Compared by accuracy."""
        return cls(name, runs, scores.accuracies(runs))

    @classmethod
    def of_affect(cls, name: str, runs: Sequence[Run], targets: Sequence[str]) -> Side:
        """Compared by the mean Spearman correlation of some targets."""
        if len(targets) == 1:
            runs = [run for run in runs if run.target in ("", targets[0])]
        return cls(name, runs, scores.correlations(runs, targets))


@dataclass(frozen=True)
class Question:
    """Is the first side's metric higher or lower than the second's, or how near does it come?"""

    text: str
    metric: str
    first: Side
    second: Side
    claim: Literal["higher", "lower", "near"] = "higher"


def worst(sides: Sequence[Side]) -> Side:
    """The side whose mean is lowest."""
    lowest = min(sides, key=lambda side: side.scores.mean() if len(side.scores) else float("inf"))
    return Side(f"the next worst ({lowest.name})", lowest.runs, lowest.scores)


def compare(question: Question, settings: Settings) -> Comparison | None:
    """Answer a question; None if not both sides have scores.

    Sides are compared seed by seed, by the seeds that both have. A question is answered with yes or
    no only where all of at least two seeds agree.
    """
    sides = [question.first, question.second]
    pairs = pd.concat([side.scores for side in sides], axis=1, keys=["first", "second"])
    pairs = pairs.dropna().sort_index()
    if pairs.empty:
        return None
    first, second = ({str(seed): value for seed, value in pairs[key].items()} for key in pairs)
    compared = scores.finished(run for side in sides for run in side.runs if run.seed in pairs.index)
    return Comparison(
        question=question.text,
        answer=_answer(question, pairs["first"], pairs["second"]),
        first=first,
        second=second,
        metric=question.metric,
        settings=settings,
        runs=tuple(run.name for run in compared),
    )


def _answer(question: Question, first: pd.Series[float], second: pd.Series[float]) -> str:
    differences = first - second
    one = f"{question.first.name} is {spread(first.mean(), first.std())}"
    other = f"{question.second.name} {spread(second.mean(), second.std())}"
    answer = f"{_verdict(question, first, second)}: {question.metric} of {one} and of {other}, a"
    by = difference(differences.mean())
    if len(differences) == 1:
        return f"{answer} difference of {by}."
    sign = "negative" if question.claim == "lower" else "positive"
    holding = ((differences < 0) if question.claim == "lower" else (differences > 0)).sum()
    return (
        f"{answer} mean paired difference of {by} ± {score(differences.std())}, {sign} in {holding} of "
        f"{len(differences)} seeds ({_SAME_CLIPS})."
    )


def _verdict(question: Question, first: pd.Series[float], second: pd.Series[float]) -> str:
    n, higher = len(first), bool((first > second).all())
    agree = higher or bool((first < second).all())
    doubt = "one seed cannot tell" if n == 1 else "" if agree else f"not told apart by {n} seeds"
    if question.claim == "near":
        part, whole = first.mean(), second.mean()
        share = "No share can be given, as not both correlations are above 0"
        if part > 0 and whole > 0:
            share = f"It reaches {100 * part / whole:.0f} % of it"
        return f"{share}, but {doubt}" if doubt else share
    return doubt.capitalize() or ("Yes" if higher == (question.claim == "higher") else "No")

"""The questions that the paper answers, put to the runs at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from keras_mir.reproduce import scores
from keras_mir.reproduce.results import Comparison, Outcome, Settings
from keras_mir.reproduce.wording import difference, score, spread

Claim = Literal["higher", "lower", "near"]

_SAME_CLIPS = "all seeds share the same clips, so the spread is over training seeds only"


@dataclass(frozen=True)
class Side:
    """What is compared: its name in the answer, and the experiment and variant whose runs it is."""

    name: str
    experiment: str
    variant: str


@dataclass(frozen=True)
class Question:
    """Is one side's accuracy, or its correlation, higher or lower than another's, or near it?

    Of several others, the worst is compared. In the text, `{target}` stands for what the first side learns.
    """

    text: str
    first: Side
    others: tuple[Side, ...]
    claim: Claim = "higher"


def compare(question: Question, outcomes: Sequence[Outcome], settings: Settings) -> Comparison | None:
    """Answer a question in one of the settings; None if not both sides have scores.

    Sides are compared seed by seed, by the seeds that both have. A question is answered with yes or
    no only where all of at least two seeds agree.
    """
    runs = {
        side: scores.finished(scores.runs_of(outcomes, side.experiment, side.variant, settings))
        for side in (question.first, *question.others)
    }
    one, others = question.first, [side for side in question.others if runs[side]]
    if not runs[one] or not others:
        return None
    targets = scores.targets_of(runs[one])
    found = {
        side: scores.correlations(done, targets) if targets else scores.accuracies(done)
        for side, done in runs.items()
    }
    other = min(others, key=lambda side: found[side].mean())
    pairs = pd.concat([found[one], found[other]], axis=1, keys=["first", "second"]).dropna().sort_index()
    if pairs.empty:
        return None
    first, second = ({str(seed): value for seed, value in pairs[key].items()} for key in pairs)
    compared = [run for run in (*runs[one], *runs[other]) if run.seed in pairs.index]
    metric = "accuracy"
    if targets:
        many = len(targets) > 1
        metric = "mean Spearman correlation" if many else f"Spearman correlation of {targets[0]}"
    name = other.name if len(question.others) == 1 else f"the next worst ({other.name})"
    return Comparison(
        question=question.text.format(target=next(iter(targets), "")),
        answer=_answer(question.claim, f"{metric} of {one.name}", name, pairs),
        first=first,
        second=second,
        metric=metric,
        settings=settings,
        runs=tuple(run.name for run in compared if run.target in ("", *targets)),
    )


def _answer(claim: Claim, one: str, other: str, pairs: pd.DataFrame) -> str:
    first, second = pairs["first"], pairs["second"]
    differences = first - second
    ours, others = (spread(side.mean(), side.std()) for side in (first, second))
    sides = f"{one} is {ours} and of {other} {others}"
    answer, by = f"{_verdict(claim, first, second)}: {sides}, a", difference(differences.mean())
    if len(pairs) == 1:
        return f"{answer} difference of {by}."
    sign = "negative" if claim == "lower" else "positive"
    holding = ((differences < 0) if claim == "lower" else (differences > 0)).sum()
    return (
        f"{answer} mean paired difference of {by} ± {score(differences.std())}, {sign} in {holding} of "
        f"{len(pairs)} seeds ({_SAME_CLIPS})."
    )


def _verdict(claim: Claim, first: pd.Series[float], second: pd.Series[float]) -> str:
    n, higher = len(first), bool((first > second).all())
    agree = higher or bool((first < second).all())
    doubt = "one seed cannot tell" if n == 1 else "" if agree else f"not told apart by {n} seeds"
    if claim == "near":
        part, whole = first.mean(), second.mean()
        share = "No share can be given, as not both correlations are above 0"
        if part > 0 and whole > 0:
            share = f"It reaches {100 * part / whole:.0f} % of it"
        return f"{share}, but {doubt}" if doubt else share
    return doubt.capitalize() or ("Yes" if higher == (claim == "higher") else "No")

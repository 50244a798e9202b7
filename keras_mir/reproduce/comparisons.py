"""The questions that the report answers, asked of the runs at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from keras_mir.reproduce.results import Comparison, Experiment, Run, Settings
from keras_mir.reproduce.scores import (
    BySeed,
    accuracies,
    correlations,
    finished,
    mean_correlations,
    runs_of,
    targets_of,
)
from keras_mir.reproduce.wording import difference, score, spread

_SETTINGS: tuple[Settings, ...] = ("report", "ours")
_OTHER_INPUTS = ("mel", "beat-mel", "beat-fused")
_SAME_CLIPS = "all seeds share the same clips, so the spread is over training seeds only"

_Claim = Literal["higher", "lower", "near"]


@dataclass(frozen=True)
class _Side:
    """What is compared: its name in the answer, its runs, and their scores."""

    name: str
    runs: Sequence[Run]
    scores: BySeed


@dataclass(frozen=True)
class _Question:
    """Is the first side's metric higher or lower than the second's, or how near does it come?"""

    text: str
    metric: str
    first: _Side
    second: _Side
    claim: _Claim = "higher"


def make_comparisons(experiments: Sequence[Experiment]) -> tuple[Comparison, ...]:
    """Answer every question that both sides have runs for, in each of the settings.

    Sides are compared seed by seed, by the seeds that both have. A question is answered with yes or
    no only where all of at least two seeds agree.
    """
    return tuple(
        comparison
        for settings in _SETTINGS
        for question in _questions(experiments, settings)
        if (comparison := _compare(question, settings))
    )


def _questions(experiments: Sequence[Experiment], settings: Settings) -> list[_Question]:
    def genre(step: str, variant: str, name: str = "") -> _Side:
        runs = runs_of(experiments, step, variant, settings)
        return _Side(name or variant, runs, accuracies(runs))

    def affect(step: str, variant: str, name: str, targets: Sequence[str]) -> _Side:
        runs = runs_of(experiments, step, variant, settings)
        if len(targets) == 1:
            runs = [run for run in runs if run.target in ("", targets[0])]
            return _Side(name, runs, correlations(runs, targets[0]))
        return _Side(name, runs, mean_correlations(runs, targets))

    targets = targets_of(runs_of(experiments, "8", "cnn", settings))
    transferred = targets_of(runs_of(experiments, "9", "transfer", settings))
    mean = "mean Spearman correlation" if len(targets) > 1 else "Spearman correlation"
    beat_mel = genre("5c", "beat-mel")
    questions = [
        _Question("Does beat-synchronous mel beat mel?", "accuracy", beat_mel, genre("5c", "mel")),
        _Question(
            "Is chroma the worst input?",
            "accuracy",
            genre("5c", "beat-chroma"),
            _worst([genre("5c", variant) for variant in _OTHER_INPUTS]),
            "lower",
        ),
        _Question("Does adding chroma to mel help?", "accuracy", genre("5c", "beat-fused"), beat_mel),
        _Question(
            "Does the CNN beat the LSTM in genre?",
            "accuracy",
            genre("7b", "cnn", "the CNN"),
            genre("5c", "beat-mel", "the LSTM on beat-mel"),
        ),
        _Question(
            "Does the CNN beat the LSTM in affect?",
            mean,
            affect("8", "cnn", "the CNN", targets),
            affect("8", "lstm", "the LSTM", targets),
        ),
        _Question(
            "Does multitask beat one model a target?",
            mean,
            affect("10", "multitask", "the multitask CNN", targets),
            affect("8", "cnn", "one CNN a target", targets),
        ),
    ]
    if transferred:
        near = _Question(
            f"Does transfer come near a CNN trained on {transferred[0]} itself?",
            f"Spearman correlation of {transferred[0]}",
            affect("9", "transfer", "transfer", transferred[:1]),
            affect("8", "cnn", "the CNN", transferred[:1]),
            "near",
        )
        questions.insert(-1, near)
    return questions


def _worst(sides: Sequence[_Side]) -> _Side:
    scored = [side for side in sides if side.scores]
    if not scored:
        return _Side("", (), {})
    worst = min(scored, key=lambda side: fmean(side.scores.values()))
    return _Side(f"the next worst ({worst.name})", worst.runs, worst.scores)


def _compare(question: _Question, settings: Settings) -> Comparison | None:
    first, second = question.first, question.second
    seeds = sorted(first.scores.keys() & second.scores.keys())
    if not seeds:
        return None
    here = {str(seed): first.scores[seed] for seed in seeds}
    there = {str(seed): second.scores[seed] for seed in seeds}
    return Comparison(
        question=question.text,
        answer=_answer(question, here, there),
        first=here,
        second=there,
        metric=question.metric,
        settings=settings,
        runs=tuple(run.name for run in finished((*first.runs, *second.runs)) if str(run.seed) in here),
    )


def _answer(question: _Question, first: Mapping[str, float], second: Mapping[str, float]) -> str:
    differences = [first[seed] - second[seed] for seed in first]
    means = (
        f"{question.metric} of {question.first.name} is {_mean(first)} and of {question.second.name} "
        f"{_mean(second)}"
    )
    verdict = _verdict(question, first, second, differences)
    if len(differences) == 1:
        return f"{verdict}: {means}, a difference of {difference(differences[0])}."
    sign = -1 if question.claim == "lower" else 1
    holding = sum(sign * value > 0 for value in differences)
    return (
        f"{verdict}: {means}, a mean paired difference of {difference(fmean(differences))} ± "
        f"{score(stdev(differences))}, {'negative' if sign < 0 else 'positive'} in {holding} of "
        f"{len(differences)} seeds ({_SAME_CLIPS})."
    )


def _verdict(
    question: _Question, first: Mapping[str, float], second: Mapping[str, float], differences: Sequence[float]
) -> str:
    n = len(differences)
    higher = all(value > 0 for value in differences)
    lower = all(value < 0 for value in differences)
    doubt = "one seed cannot tell" if n == 1 else "" if higher or lower else f"not told apart by {n} seeds"
    if question.claim == "near":
        share = _share(fmean(first.values()), fmean(second.values()))
        return f"{share}, but {doubt}" if doubt else share
    if doubt:
        return doubt.capitalize()
    return "Yes" if higher == (question.claim == "higher") else "No"


def _share(part: float, whole: float) -> str:
    if part <= 0 or whole <= 0:
        return "No share can be given, as not both correlations are above 0"
    return f"It reaches {100 * part / whole:.0f} % of it"


def _mean(scores: Mapping[str, float]) -> str:
    values = list(scores.values())
    return spread(fmean(values), stdev(values) if len(values) > 1 else None)

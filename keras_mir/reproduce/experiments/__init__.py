"""The experiments of the paper; a new one is a file here and its line below."""

from __future__ import annotations

from collections.abc import Sequence

from keras_mir.reproduce.experiments import affect, digits, genre, spectrograms, submission
from keras_mir.reproduce.experiments.base import Experiment
from pipelines.errors import ArgumentError

EXPERIMENTS: list[Experiment] = [
    spectrograms.MEL,
    spectrograms.BEAT_MEL,
    spectrograms.CHROMA,
    genre.CLASS_COUNTS,
    genre.OVERFIT,
    genre.LSTM,
    genre.LARGER_LSTM,
    genre.CLASS_BY_CLASS,
    digits.DIGITS_CNN,
    genre.CNN,
    affect.ONE_MODEL_A_TARGET,
    affect.TRANSFER,
    affect.MULTITASK,
    submission.SUBMISSION,
]


def named_experiments(only: Sequence[str]) -> list[Experiment]:
    """The named experiments, or all, and those they need, in the paper's order.

    Raises:
        ArgumentError: If there is no experiment of that name.
    """
    known = {experiment.id: experiment for experiment in EXPERIMENTS}
    for name in only:
        if name not in known:
            raise ArgumentError("only", name, f"no such experiment; there are {', '.join(known)}")
    wanted = {name for one in only or known for name in (one, *known[one].needs)}
    return [experiment for experiment in EXPERIMENTS if experiment.id in wanted]

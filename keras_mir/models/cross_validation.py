"""What a cross-validation found: `cross_validation.json`, and the out-of-fold predictions beside it.

Every clip is predicted by the model that was trained without the clip's fold. Scores that carry a
confidence interval are written as in `report.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from keras_mir.models.json_file import from_json
from keras_mir.models.report import MAIN_SCORES, Baseline, Dataset, Interval, number, score_name, versions
from keras_mir.models.run_folder import RunFolder
from pipelines.datasets.base import Task
from pipelines.errors import UserError
from pipelines.files import read_json
from pipelines.wording import counted, listed

if TYPE_CHECKING:
    import pandas as pd

    from keras_mir.models.trained_model import TrainedModel

_REMEDY = "run the cross-validation again"


@dataclass(frozen=True, kw_only=True)
class FoldScores:
    """How well the model of one fold does on the clips it has not seen.

    Attributes:
        repeat: From 1.
        fold: From 1.
        clips: Clips in the fold.
        scores: Main scores by name; None for one that is undefined.
        epochs: Epochs run.
        best_epoch: The epoch whose weights the model has, counted from 1.
        seconds: Time the training took.
    """

    repeat: int
    fold: int
    clips: int
    scores: dict[str, float | None]
    epochs: int
    best_epoch: int
    seconds: float


@dataclass(frozen=True)
class Summary:
    """A score over all folds.

    Attributes:
        mean: Over the folds; None if it is undefined in one of them.
        deviation: Standard deviation over the folds, of the sample; None likewise.
        pooled: Score of the out-of-fold predictions of all clips, the mean over the repeats, with its
            interval by bootstrap over clips.
    """

    mean: float | None
    deviation: float | None
    pooled: Interval

    def __str__(self) -> str:
        return f"{number(self.mean)} (deviation {number(self.deviation)})"


@dataclass(frozen=True, kw_only=True)
class CrossValidationReport:
    """Scores of a cross-validation and where they came from, as JSON holds them.

    Attributes:
        task: `"genre"`, `"affect"` or `"tags"`, or several of these with `+` between them.
        folds: Number of folds.
        repeats: How often the clips were divided into them.
        clips: Clips in all folds together.
        group_by: Column whose values are in one fold each, or `"none"`.
        seed: Seed of the trainings.
        dataset: What the clips are of.
        recipe: `name` and settings.
        by_fold: Every training.
        scores: Main scores by name, the one to choose by first.
        seconds: Time all trainings took.
        baseline: What a model without a network gets in the same folds; None where it gets nothing, or
            there are several heads.
        baselines: Likewise of several heads, by task; empty for one.
        versions: As of `Circumstances`.
    """

    task: str
    folds: int
    repeats: int
    clips: int
    group_by: str
    seed: int
    dataset: Dataset
    recipe: dict[str, Any]
    by_fold: tuple[FoldScores, ...]
    scores: dict[str, Summary]
    seconds: float
    baseline: Baseline | None = None
    baselines: dict[Task, Baseline] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=versions)

    @property
    def main_score(self) -> float | None:
        """The mean over the folds of the score to choose by."""
        return next(iter(self.scores.values())).mean

    @property
    def headline(self) -> str:
        """The main score of each head in a sentence, then its baseline's."""
        scores = {
            task: f"{score_name(name)} {self.scores[name]}; out of fold {self.scores[name].pooled}."
            for task, name in MAIN_SCORES.items()
            if name in self.scores
        }
        repeats = f", {counted(self.repeats, 'repeat')}" if self.repeats > 1 else ""
        music = "synthetic music" if self.dataset.synthetic else "music"
        clips = (
            f"{listed(self.task.split('+')).capitalize()} of {counted(self.clips, 'clip')} of {music} "
            f"({self.dataset.name}), {self.folds} folds{repeats}"
        )
        if len(scores) == 1:
            baseline = [self.baseline.sentence] if self.baseline else []
            return " ".join([f"{clips}: {next(iter(scores.values()))}", *baseline])
        sentences = [f"{clips}."]
        for task, score in scores.items():
            sentences.append(f"{task.capitalize()}: {score}")
            if (found := self.baselines.get(task)) is not None:
                sentences.append(found.sentence)
        return " ".join(sentences)


class CrossValidation:
    """A finished cross-validation.

    Args:
        folder: Where it is kept; each fold's run is in a folder of its own below, `fold-01` and so on.
        report: Its scores.
        predictions: Out-of-fold predictions, one row per clip and repeat.
        model: The ensemble of the folds' models, if there is one.

    Attributes:
        folder: As given.
        report: As given.
        predictions: As given.
        model: As given.
    """

    def __init__(
        self,
        folder: Path,
        report: CrossValidationReport,
        predictions: pd.DataFrame,
        model: TrainedModel | None = None,
    ) -> None:
        self.folder = folder
        self.report = report
        self.predictions = predictions
        self.model = model

    @property
    def scores(self) -> dict[str, Summary]:
        """Main scores by name: mean and deviation over the folds, and the interval over clips."""
        return self.report.scores

    def frame(self) -> pd.DataFrame:
        """Scores, epochs and time, one row per fold, then mean and deviation over the folds."""
        import pandas as pd

        rows = [{**vars(each), **each.scores} for each in self.report.by_fold]
        table = pd.DataFrame(rows).drop(columns="scores").set_index(["repeat", "fold"])
        for name in ("mean", "deviation"):
            table.loc[(name, ""), :] = {score: getattr(self.scores[score], name) for score in self.scores}
        return table

    def __repr__(self) -> str:
        return self.report.headline

    def _repr_html_(self) -> str:
        table = self.frame().to_html(float_format="{:.3f}".format, na_rep="")
        return f"<p>{escape(self.report.headline)}</p>{table}"


def summarised(by_fold: Iterable[FoldScores], pooled: Mapping[str, Interval]) -> dict[str, Summary]:
    """Every score over all folds, at least two, by name."""
    folds = list(by_fold)
    summaries = {}
    for name, interval in pooled.items():
        values = [value for each in folds if (value := each.scores[name]) is not None]
        defined = len(values) == len(folds)
        summaries[name] = Summary(
            fmean(values) if defined else None, stdev(values) if defined else None, interval
        )
    return summaries


def read_cross_validation(folder: Path) -> CrossValidationReport:
    """Scores of a finished cross-validation, by its folder.

    Raises:
        UserError: If there are none, or they are damaged.
    """
    file = RunFolder(folder).cross_validation
    try:
        values = read_json(file, _REMEDY)
    except FileNotFoundError:
        remedy = "run one with python -m keras_mir.fit --folds 5"
        raise UserError(f"{file}: no cross-validation there; {remedy}") from None
    return from_json(CrossValidationReport, values, str(file), _REMEDY)

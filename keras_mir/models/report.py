"""The report: how good a model is, on which clips, and how it was trained; `report.json`.

Scores that carry a confidence interval are written `{"value", "low", "high"}`, below an *interval*;
a score that is undefined has null in all three, never NaN. Epochs count from 1.

Every report has what `Circumstances` has, and a genre report what `GenreScores` has, an affect report
what `AffectScores` has, a report on tags what `TagScores` has, by the same names. A report on a model of
several heads has those of each under the name of its task, as `MultitaskScores` has them. Besides,
`report.json` has `format`, which is 1 (a reader refuses any other), `task`, which is `"genre"`,
`"affect"`, `"tags"`, or several of these with `+` between them, and `chance`, what guessing gives.
"""

from __future__ import annotations

import importlib.metadata
import platform
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from keras_mir.models.json_file import from_json, plain, write_json
from pipelines.datasets.base import Task
from pipelines.errors import UserError
from pipelines.files import read_json
from pipelines.settings import check_seed
from pipelines.version import __version__
from pipelines.wording import counted

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
FILE_NAME = "report.json"
# By task, the name of the score to choose by.
MAIN_SCORES: dict[Task, str] = {"genre": "accuracy", "tags": "macro_roc_auc", "affect": "spearman_mean"}
OUT_OF_FOLD = "out of fold"  # evaluated where each clip is answered by models that have not seen it
_REMEDY = "evaluate the model again"

# TensorFlow is one module with several distributions.
_DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tf-nightly"),
    "keras": ("keras", "keras-nightly"),
    "numpy": ("numpy",),
    "librosa": ("librosa",),
}


@dataclass(frozen=True)
class Interval:
    """A score and its confidence interval; all None where the score is undefined."""

    value: float | None
    low: float | None
    high: float | None

    def __float__(self) -> float:
        return float("nan") if self.value is None else self.value

    def __str__(self) -> str:
        return f"{number(self.value)} {self.bounds}".rstrip()

    @property
    def bounds(self) -> str:
        """The interval as `[low, high]`; empty where there is none."""
        return "" if self.low is None or self.high is None else f"[{number(self.low)}, {number(self.high)}]"


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        seed: Same seed, same intervals.
        resamples: Number of resamples.
        confidence: Share of the resamples' scores inside an interval, in (0, 1).
    """

    seed: int = 0
    resamples: int = 1000
    confidence: float = 0.95

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.resamples < 1:
            raise UserError(f"bootstrap: {self.resamples} resamples; give at least 1")
        if not 0.0 < self.confidence < 1.0:
            raise UserError(f"bootstrap: confidence {self.confidence:g}; give a share between 0 and 1")


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of a class, or an average of them over classes."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Baseline:
    """What a model without a network gets on the same clips.

    Attributes:
        name: What it is, in words: `an SVM on feature statistics`.
        score: Its main score.
        difference: The network's main score less this one, with the interval of a paired bootstrap.
    """

    name: str
    score: Interval
    difference: Interval

    @property
    def sentence(self) -> str:
        """What it gets, and how far the network is ahead."""
        return f"{self.name[0].upper()}{self.name[1:]} gets {self.score}; {self._lead}."

    @property
    def _lead(self) -> str:
        lead, low, high = self.difference.value, self.difference.low, self.difference.high
        if lead is None or low is None or high is None:
            return "how far the network is ahead is undefined"
        if lead == 0:
            return f"the network gets the same, a difference of {self.difference}"
        if lead < 0:
            # Not -high, for the negative of 0 has a sign.
            return f"the network is behind by {Interval(-lead, 0.0 - high, 0.0 - low)}"
        return f"the network is ahead by {self.difference}"


@dataclass(frozen=True)
class Calibration:
    """How a genre model's probabilities were calibrated after its training.

    Attributes:
        temperature: What its logits are divided by; 1 would leave its probabilities as training made them.
        clips: How many clips it was fitted by.
        error_before: Expected calibration error of the evaluated clips at temperature 1.
        fitted_by: What one of these clips is.
    """

    temperature: float
    clips: int
    error_before: float
    fitted_by: str = "validation clip"


@dataclass(frozen=True)
class Thresholds:
    """The least probability at which a clip is given a tag.

    Attributes:
        by_tag: For each tag the threshold with the highest F1 on some clips.
        clips: How many clips they were chosen on.
        chosen_on: What these clips are, such as `validation clips`.
    """

    by_tag: dict[str, float]
    clips: int
    chosen_on: str

    @property
    def sentence(self) -> str:
        """How a clip gets its tags, in words."""
        if not self.clips:
            return "A clip is given the tags of a probability of 0.5 or more."
        return (
            "A clip is given the tags whose probability reaches their threshold, where F1 is highest on "
            f"{self.clips:,} {self.chosen_on}."
        )


class _Scores(ABC):
    """Scores of any task."""

    @property
    @abstractmethod
    def main_scores(self) -> dict[str, Interval]:
        """By name, the one to choose by first."""

    @property
    def main_score(self) -> Interval:
        """The one to choose by."""
        return next(iter(self.main_scores.values()))


@dataclass(frozen=True, kw_only=True, eq=False)
class GenreScores(_Scores):
    """How well genres were recognised.

    Attributes:
        class_names: In the order of the class index.
        n: Number of clips.
        accuracy: Share of clips whose class was found.
        macro_f1: Mean of the classes' F1, every class counting the same.
        weighted_f1: Mean of the classes' F1, weighted by their support.
        per_class: By class name.
        averages: `macro`, `micro` and `weighted`.
        confusion_matrix: int64 `(n_classes, n_classes)`: true classes are rows, predicted
            ones columns.
        bootstrap: How the intervals were made.
        expected_calibration_error: How far the probability of the predicted class is from the share of
            such answers that is right, the mean over 15 bins; None in reports of before it was computed.
    """

    class_names: tuple[str, ...]
    n: int
    accuracy: Interval
    macro_f1: Interval
    weighted_f1: Interval
    per_class: dict[str, ClassScores]
    averages: dict[str, ClassScores]
    confusion_matrix: np.ndarray
    bootstrap: Bootstrap
    expected_calibration_error: float | None = None

    def __post_init__(self) -> None:
        shape, matrix = (len(self.class_names),) * 2, self.confusion_matrix
        if matrix.shape != shape or matrix.dtype.kind != "i":
            raise ValueError(f"confusion_matrix is not {shape[0]} by {shape[0]} whole numbers")
        _check_names(self.class_names, per_class=self.per_class)

    @property
    def majority(self) -> tuple[str, float]:
        """The largest class, or one of several, and the accuracy of always answering it."""
        support = self.confusion_matrix.sum(axis=1)
        largest = int(support.argmax())
        return self.class_names[largest], float(support[largest] / self.n)

    @property
    def main_scores(self) -> dict[str, Interval]:
        """Accuracy and macro F1, by name."""
        return {"accuracy": self.accuracy, "macro_f1": self.macro_f1}


@dataclass(frozen=True, kw_only=True)
class AffectScores(_Scores):
    """How well affect targets were predicted.

    Attributes:
        targets: Names of the targets, in the order of the model.
        n: Number of clips.
        spearman: Rank correlation by target.
        spearman_mean: Its mean over the targets; undefined if one of them is.
        rmse: Root mean squared error by target, in the unit of the labels.
        r2: Coefficient of determination by target; 0 is as good as always answering the mean.
        undefined: Why a score is undefined, by `<score>.<target>`, or `spearman_mean`.
        bootstrap: How the intervals were made.
    """

    targets: tuple[str, ...]
    n: int
    spearman: dict[str, Interval]
    spearman_mean: Interval
    rmse: dict[str, Interval]
    r2: dict[str, Interval]
    undefined: dict[str, str]
    bootstrap: Bootstrap

    def __post_init__(self) -> None:
        _check_names(self.targets, spearman=self.spearman, rmse=self.rmse, r2=self.r2)

    @property
    def main_scores(self) -> dict[str, Interval]:
        """Rank correlations by name: `spearman_mean`, and `spearman.<target>` where there are several."""
        several = self.spearman if len(self.targets) > 1 else {}
        return {"spearman_mean": self.spearman_mean} | {f"spearman.{name}": several[name] for name in several}


@dataclass(frozen=True, kw_only=True)
class TagScores(_Scores):
    """How well clips were given their tags.

    Attributes:
        tags: In the order of the model.
        n: Number of clips.
        roc_auc: Area under the ROC curve by tag: how often a clip with the tag is given a higher probability
            than one without.
        average_precision: Area under the precision-recall curve by tag, as a sum over its steps.
        macro_roc_auc: Its mean over the tags that have one; undefined if none has.
        mean_average_precision: Likewise, known as mAP.
        per_tag: Precision, recall, F1 and support at the thresholds.
        averages: `macro`, `micro` and `weighted`.
        thresholds: The thresholds themselves.
        undefined: Why a tag has no areas.
        bootstrap: How the intervals were made.
    """

    tags: tuple[str, ...]
    n: int
    roc_auc: dict[str, Interval]
    average_precision: dict[str, Interval]
    macro_roc_auc: Interval
    mean_average_precision: Interval
    per_tag: dict[str, ClassScores]
    averages: dict[str, ClassScores]
    thresholds: Thresholds
    undefined: dict[str, str]
    bootstrap: Bootstrap

    def __post_init__(self) -> None:
        _check_names(self.tags, roc_auc=self.roc_auc, average_precision=self.average_precision)
        _check_names(self.tags, per_tag=self.per_tag, thresholds=self.thresholds.by_tag)

    @property
    def main_scores(self) -> dict[str, Interval]:
        """Macro ROC-AUC and mAP, by name."""
        return {
            "macro_roc_auc": self.macro_roc_auc,
            "mean_average_precision": self.mean_average_precision,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class MultitaskScores(_Scores):
    """How well a model of several heads does, head by head, each on the clips that have labels for it.

    Attributes:
        genre: None if it has no such head.
        tags: Likewise.
        affect: Likewise.
    """

    genre: GenreScores | None = None
    tags: TagScores | None = None
    affect: AffectScores | None = None

    @property
    def heads(self) -> dict[Task, GenreScores | TagScores | AffectScores]:
        """The scores of each head that there is."""
        of: dict[Task, Any] = {"genre": self.genre, "tags": self.tags, "affect": self.affect}
        return {task: scores for task, scores in of.items() if scores is not None}

    @property
    def main_scores(self) -> dict[str, Interval]:
        """Those of all heads, by name; the first is the first head's."""
        return {name: score for scores in self.heads.values() for name, score in scores.main_scores.items()}


@dataclass(frozen=True)
class TrainingSummary:
    """How a training went.

    Attributes:
        epochs: Epochs run.
        best_epoch: The epoch whose weights the model has, counted from 1.
        stopped_early: Whether early stopping ended it.
        seconds: Time it took.
        discriminant: Whether a linear discriminant took the place of the trained genre head.
    """

    epochs: int
    best_epoch: int
    stopped_early: bool
    seconds: float
    discriminant: bool = False


@dataclass(frozen=True)
class Dataset:
    """Where clips came from.

    Attributes:
        name: What reports call the data set.
        synthetic: Whether its music was generated, not recorded.
        licence: Terms it may be used under, as stated with it; empty where none are.
    """

    name: str
    synthetic: bool
    licence: str


@dataclass(frozen=True, kw_only=True)
class Split:
    """What was evaluated, and how splits were made.

    Attributes:
        evaluated: The split whose clips were evaluated.
        sizes: Sizes of all splits, in clips.
        left_out: Files that could not be read.
        method: How splits were made; like what follows, empty where a finished model was evaluated.
        test_from: Where the test split is from.
        group_by: Column whose values stay on one side.
        seed: Seed of the splits.
        limit: Most clips of each.
    """

    evaluated: str
    sizes: dict[str, int]
    left_out: tuple[str, ...] = ()
    method: str = ""
    test_from: str = ""
    group_by: str = ""
    seed: int = 0
    limit: int = 0


def versions() -> dict[str, str | None]:
    """Versions of what results depend on, read without importing it; None if not installed."""
    return {
        "python": platform.python_version(),
        "keras_mir": __version__,
        **{name: _installed(candidates) for name, candidates in _DISTRIBUTIONS.items()},
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class Circumstances:
    """What a report says besides scores: where data and model came from.

    Attributes:
        seed: Seed of the training.
        split: What was evaluated.
        dataset: The data set that the clips are from.
        recipe: `name` and settings.
        training: How it went; None where a finished model was evaluated.
        model: Path of the model.
        calibration: How a genre model's probabilities were calibrated; None where a finished model was
            evaluated.
        baseline: What a model without a network gets; None where a finished model was evaluated, or there
            are several heads.
        versions: Versions of `python`, `keras_mir`, `tensorflow`, `keras`, `numpy` and `librosa`; None for
            one that is not installed.
    """

    seed: int
    split: Split
    dataset: Dataset
    recipe: dict[str, Any]
    training: TrainingSummary | None
    model: str
    calibration: Calibration | None = None
    baseline: Baseline | None = None
    versions: dict[str, str | None] = field(default_factory=versions)

    @property
    def music(self) -> str:
        """What was evaluated, in a few words."""
        special = {"all": "all splits", OUT_OF_FOLD: OUT_OF_FOLD}
        split = special.get(self.split.evaluated, f"{self.split.evaluated} split")
        music = "synthetic music" if self.dataset.synthetic else "music"
        return f"{music} ({self.dataset.name}, {split})"

    def beside_baseline(self, text: str) -> str:
        """A sentence on the scores, followed by one on the baseline, if there is any."""
        return f"{text} {self.baseline.sentence}" if self.baseline else text


class _HeadReport:
    """What the reports on models of one head have in common."""

    task: ClassVar[Task]

    @property
    def reports(self) -> dict[Task, HeadReport]:
        """A report on each head: this one."""
        return {self.task: cast("HeadReport", self)}

    def __repr__(self) -> str:
        return cast("HeadReport", self).headline

    def _repr_html_(self) -> str:
        return _html(cast("HeadReport", self))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GenreReport(_HeadReport, GenreScores, Circumstances):
    """The report on a genre model: `GenreScores`, and the `Circumstances` they came from."""

    task = "genre"

    @property
    def chance(self) -> dict[str, Any]:
        """What guessing gives."""
        name, share = self.majority
        return {"majority_share": share, "majority_class": name}

    @property
    def headline(self) -> str:
        """The main scores in a sentence, beside what guessing and the baseline give."""
        name, share = self.majority
        return self.beside_baseline(
            f"Genre of {counted(self.n, 'clip')} of {self.music}: accuracy {self.accuracy}, "
            f"macro F1 {self.macro_f1}; always answering {name} would give {number(share)}."
        )

    @property
    def calibration_sentence(self) -> str:
        """How well probabilities fit, and what was done for it; empty where that is not known."""
        if self.expected_calibration_error is None:
            return ""
        text = f"Expected calibration error {number(self.expected_calibration_error)} (15 bins)"
        if (done := self.calibration) is None:
            return f"{text}."
        return (
            f"{text}, {number(done.error_before)} before the probabilities were calibrated by a temperature "
            f"of {number(done.temperature)}, fitted on {counted(done.clips, done.fitted_by)}."
        )

    def frame(self) -> pd.DataFrame:
        """Precision, recall, F1 and support by class, then their averages."""
        classes = {name: self.per_class[name] for name in self.class_names}
        return _frame(classes | {f"{name} avg": self.averages[name] for name in self.averages}, "class")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AffectReport(_HeadReport, AffectScores, Circumstances):
    """The report on an affect model: `AffectScores`, and the `Circumstances` they came from."""

    task = "affect"

    @property
    def chance(self) -> dict[str, Any]:
        """What guessing gives."""
        return {"spearman": 0.0}

    @property
    def headline(self) -> str:
        """The main score in a sentence, beside what guessing and the baseline give."""
        return self.beside_baseline(
            f"Affect of {counted(self.n, 'clip')} of {self.music}: mean Spearman {self.spearman_mean} "
            f"over {counted(len(self.targets), 'target')}; guessing would give 0."
        )

    def frame(self) -> pd.DataFrame:
        """Spearman's correlation with its interval, RMSE and R2 by target."""
        rows = {
            name: {**vars(self.spearman[name]), "rmse": self.rmse[name].value, "r2": self.r2[name].value}
            for name in self.targets
        }
        return _frame(rows, "target").rename(columns={"value": "spearman"})


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TagsReport(_HeadReport, TagScores, Circumstances):
    """The report on a model of tags: `TagScores`, and the `Circumstances` they came from."""

    task = "tags"

    @property
    def chance(self) -> dict[str, Any]:
        """What guessing gives: of precision, the share of clips that have a tag, the mean over tags."""
        shares = [self.per_tag[tag].support / self.n for tag in self.tags if tag not in self.undefined]
        return {"roc_auc": 0.5, "average_precision": float(np.mean(shares)) if shares else None}

    @property
    def headline(self) -> str:
        """The main scores in a sentence, beside what guessing and the baseline give."""
        scored = [tag for tag in self.tags if self.roc_auc[tag].value is not None]
        return self.beside_baseline(
            f"Tags of {counted(self.n, 'clip')} of {self.music}: macro ROC-AUC {self.macro_roc_auc}, "
            f"mAP {self.mean_average_precision} over {counted(len(scored), 'tag')}; guessing would give "
            f"{number(self.chance['roc_auc'])} and {number(self.chance['average_precision'])}."
        )

    @property
    def thresholds_sentence(self) -> str:
        """Where the thresholds are from, and what to know if they are of the evaluated clips."""
        text = self.thresholds.sentence
        if self.split.evaluated in self.thresholds.chosen_on:
            text += " Those are among the clips evaluated here, which flatters precision, recall and F1."
        return text

    def frame(self) -> pd.DataFrame:
        """ROC-AUC and average precision with their intervals, and what the thresholds give, by tag."""
        rows = {
            name: {
                "roc_auc": self.roc_auc[name].value,
                "roc_auc_low": self.roc_auc[name].low,
                "roc_auc_high": self.roc_auc[name].high,
                "average_precision": self.average_precision[name].value,
                "average_precision_low": self.average_precision[name].low,
                "average_precision_high": self.average_precision[name].high,
                "threshold": self.thresholds.by_tag[name],
                **vars(self.per_tag[name]),
            }
            for name in self.tags
        }
        return _frame(rows, "tag")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MultitaskReport(MultitaskScores, Circumstances):
    """The report on a model of several heads: `MultitaskScores`, and the `Circumstances` they came from.

    Attributes:
        baselines: By task, what a model without a network gets, that learns it alone.
    """

    baselines: dict[Task, Baseline] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """What the heads are of."""
        return "+".join(self.heads)

    @property
    def reports(self) -> dict[Task, HeadReport]:
        """A report on each head by itself."""
        shared = {each.name: getattr(self, each.name) for each in fields(Circumstances)}
        return {
            task: _REPORTS[type(scores)](**vars(scores), **shared | {"baseline": self.baselines.get(task)})
            for task, scores in self.heads.items()
        }

    @property
    def chance(self) -> dict[str, Any]:
        """What guessing gives, by task."""
        return {task: report.chance for task, report in self.reports.items()}

    @property
    def headline(self) -> str:
        """That of each head."""
        return " ".join(report.headline for report in self.reports.values())

    def frame(self) -> pd.DataFrame:
        """Those of all heads, one below the other, by task and name; see `reports` for one."""
        import pandas as pd

        return pd.concat({task: report.frame() for task, report in self.reports.items()}, names=["task", ""])

    def __repr__(self) -> str:
        return self.headline

    def _repr_html_(self) -> str:
        return "".join(map(_html, self.reports.values()))


HeadReport = GenreReport | AffectReport | TagsReport
Scores = GenreScores | AffectScores | TagScores | MultitaskScores
Report = HeadReport | MultitaskReport
_REPORTS: dict[type, Any] = {GenreScores: GenreReport, AffectScores: AffectReport, TagScores: TagsReport}


def make_report(
    scores: Scores, circumstances: Circumstances, baselines: Mapping[Task, Baseline] | None = None
) -> Report:
    """Scores and where they came from, as one report.

    Args:
        scores: Scores of one head, or of several.
        circumstances: Where they came from.
        baselines: What models without a network get, by task; without, what the circumstances say.
    """
    known = dict(baselines or {})
    if isinstance(scores, MultitaskScores):
        return MultitaskReport(**vars(scores), **vars(circumstances), baselines=known)
    alone = replace(circumstances, baseline=next(iter(known.values()), circumstances.baseline))
    report: Report = _REPORTS[type(scores)](**vars(scores), **vars(alone))
    return report


def thresholds_of(report: Report) -> Thresholds | None:
    """Those of its tags; None if it is on none."""
    tags = report.reports.get("tags")
    return tags.thresholds if isinstance(tags, TagsReport) else None


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report as JSON holds it; see the module."""
    extra = {"format": FORMAT, "task": report.task, "chance": plain(report.chance)}
    return {**plain(report), **extra}


def report_from_dict(values: Mapping[str, Any], place: str) -> Report:
    """The report that `report_to_dict` gave.

    Raises:
        UserError: If it is of another format, or damaged.
    """
    if values.get("format") != FORMAT:
        raise UserError(f"{place}: report format {values.get('format')!r}, expected {FORMAT}; {_REMEDY}")
    kinds = {kind.task: kind for kind in _REPORTS.values()}
    task = str(values.get("task"))
    kind = MultitaskReport if "+" in task else kinds.get(task, AffectReport)
    report: Report = from_json(kind, values, place, _REMEDY)
    if isinstance(report, MultitaskReport) and report.task != values["task"]:
        raise UserError(f"{place}: damaged (it has scores of {report.task or 'nothing'}); {_REMEDY}")
    return report


def write_report(report: Report, folder: Path) -> Path:
    """Write `report.json` whole or not at all, in a folder that is made if need be; gives the file."""
    path = folder / FILE_NAME
    write_json(path, report_to_dict(report), sort_keys=True)
    return path


def read_report(path: Path) -> Report:
    """Read a report.

    Args:
        path: The file, or the folder it is in.

    Raises:
        UserError: If there is none, or it is damaged or of another format.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        values = read_json(file, _REMEDY)
    except FileNotFoundError:
        raise UserError(f"{file}: no report there; make one with python -m keras_mir.evaluate") from None
    return report_from_dict(values, str(file))


def score_name(name: str) -> str:
    """A score's name as people read it."""
    known = {
        "macro_f1": "macro F1",
        "spearman_mean": "mean Spearman",
        "macro_roc_auc": "macro ROC-AUC",
        "mean_average_precision": "mAP",
    }
    return known.get(name, name.removeprefix("spearman."))


def number(value: float | None) -> str:
    """A score with three decimals."""
    return "undefined" if value is None else f"{value:.3f}"


def _check_names(names: Sequence[str], **tables: Mapping[str, Any]) -> None:
    """Fail where scores by name lack one of the names."""
    for key, table in tables.items():
        for name in names:
            if name not in table:
                raise ValueError(f"{key} lacks {name!r}")


def _frame(rows: Mapping[str, Any], index: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame.from_dict(plain(rows), "index").rename_axis(index)


def _html(report: HeadReport) -> str:
    from html import escape

    return f"<p>{escape(report.headline)}</p>{report.frame().to_html(float_format='{:.3f}'.format)}"


def _installed(distributions: tuple[str, ...]) -> str | None:
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None

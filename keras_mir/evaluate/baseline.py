"""The baseline of a report: what scikit-learn makes of feature statistics, without a network.

The mean and the standard deviation over time of every band are all it knows of a clip. It is trained on
the clips that the network had, those that chose its epoch included, and is scored on the same others.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

from keras_mir.data.load import TRAIN, VALIDATION, Data
from keras_mir.evaluate.evaluation import HeadEvaluation, compare_with_labels
from keras_mir.evaluate.tag_metrics import thresholds_at_half
from keras_mir.models.report import Baseline
from pipelines.datasets.base import GENRE, TAGS, Task
from pipelines.input.cache import Cached
from pipelines.source import Source

MANY = 5000  # training clips; with more, kernels take minutes
_SEARCHED = 1000  # training clips by which parameters are chosen
_FEW_TAGS = 10  # by which they are chosen, too; of more, each has fewer clips before kernels take minutes
_FOLDS = 5
_WIDTHS = (0.1, 0.3, 1.0)  # of a kernel, as shares of one over the number of statistics


@dataclass(frozen=True)
class _Model:
    """What is fitted: its name in reports, the estimator, the parameters to choose from, by which score."""

    name: str
    estimator: Any
    grid: Mapping[str, Any]
    scoring: str | None = None


@dataclass(frozen=True)
class FittedBaseline:
    """What the baseline gets.

    Attributes:
        name: What it is, in words: `an SVM on feature statistics`.
        evaluation: Evaluation of its answers for the evaluated clips.
    """

    name: str
    evaluation: HeadEvaluation

    def beside(self, network: HeadEvaluation) -> Baseline:
        """As a report has it, beside a network's answers for the same clips."""
        return Baseline(self.name, self.evaluation.scores.main_score, network.difference(self.evaluation))


def fit_baselines(data: Data, seed: int) -> dict[Task, FittedBaseline]:
    """Train a baseline for each task, and let it answer for the evaluated clips.

    Genre: an SVM with an RBF kernel. Tags: one for each tag. Affect: kernel ridge regression, likewise. All
    are linear where there are more than `MANY` training clips, or fewer with many tags. Their parameters
    are chosen by cross-validation within the training clips, or within `_SEARCHED` of them.

    Args:
        data: The clips, split as for the network.
        seed: Seed of the order of the training clips, which makes the folds, and of the intervals.

    Returns:
        By task; without one whose training clips are all of one class, so that there is nothing to learn.
    """
    evaluated = data.sources[data.evaluated_on]
    training = [
        source
        for name, source in data.sources.items()
        if name in (TRAIN, VALIDATION) and name != data.evaluated_on
    ]
    known = np.concatenate([feature_statistics(source.cached) for source in training])
    asked = feature_statistics(evaluated.cached)
    fitted: dict[Task, FittedBaseline] = {}
    for task, outputs in data.outputs.by_task.items():
        ends = np.cumsum([0, *map(len, training)])
        rows = np.concatenate(
            [start + source.labelled(outputs[0]) for start, source in zip(ends, training, strict=False)]
        )
        rows = rows[np.random.default_rng(seed).permutation(len(rows))]
        labels = {
            name: np.concatenate([source.labels[name] for source in training])[rows] for name in outputs
        }
        found = _FITS[task](data, known[rows], labels, asked)
        if found is None:
            continue
        name, answers = found
        evaluation = compare_with_labels(
            evaluated.labels,
            answers,
            data.classes if task == "genre" else (),
            data.targets if task == "affect" else (),
            seed,
            thresholds_at_half(data.tags) if task == "tags" else None,
            evaluated.labelled,
        )
        fitted[task] = FittedBaseline(name, evaluation.heads[task])
    return fitted


def fit_kernel_ridge(
    training: Source, targets: Sequence[str], seed: int
) -> tuple[TransformedTargetRegressor, dict[str, tuple[float, float]]]:
    """The baseline of affect, for a model to take into itself: see `models.kernel_ridge`.

    Args:
        training: Clips, of which `MANY` are enough for a kernel.
        targets: What it learns.
        seed: Seed of the order of the clips.

    Returns:
        The regression, and by target the least and the greatest value that it was fitted to.
    """
    rows = training.labelled(targets[0])
    rows = rows[np.random.default_rng(seed).permutation(len(rows))[:MANY]]
    labels = {target: training.labels[target][rows] for target in targets}
    fitted = _fit_regressor(feature_statistics(training.cached.take(rows)), list(labels.values()))
    return fitted, {name: (float(values.min()), float(values.max())) for name, values in labels.items()}


# What a baseline is, in words, and its answers by output.
_Answers = tuple[str, dict[str, np.ndarray]]


def _fit_genre(
    data: Data, known: np.ndarray, labels: Mapping[str, np.ndarray], asked: np.ndarray
) -> _Answers | None:
    if len(np.unique(labels[GENRE])) < 2:
        return None
    largest = np.bincount(labels[GENRE][:_SEARCHED]).max()
    model = _classifier(known, MANY)
    fitted = _fitted(model, known, labels[GENRE], folds=largest)
    return model.name, {GENRE: np.eye(len(data.classes))[fitted.predict(asked)]}


def _fit_tags(data: Data, known: np.ndarray, labels: Mapping[str, np.ndarray], asked: np.ndarray) -> _Answers:
    model = _tagger(known, len(data.tags))
    fitted = _fitted(model, known, labels[TAGS].astype(np.int64), folds=len(known) // 2)
    # Not calibrated, and in the order of the distance from the border.
    return model.name, {TAGS: expit(fitted.decision_function(asked))}


def _fit_affect(
    data: Data, known: np.ndarray, labels: Mapping[str, np.ndarray], asked: np.ndarray
) -> _Answers:
    fitted = _fit_regressor(known, [labels[target] for target in data.targets])
    predicted = fitted.predict(asked).reshape(len(asked), len(data.targets))
    return _regressor(known).name, dict(zip(data.targets, predicted.T, strict=True))


def _fit_regressor(known: np.ndarray, labels: Sequence[np.ndarray]) -> TransformedTargetRegressor:
    values = np.stack(labels, axis=1).astype(np.float64)
    return _fitted(_regressor(known), known, values, folds=len(known) // 2)  # R2 wants two clips in a fold


_FITS: dict[Task, Callable[..., _Answers | None]] = {
    "genre": _fit_genre,
    "tags": _fit_tags,
    "affect": _fit_affect,
}


def feature_statistics(cached: Cached) -> np.ndarray:
    """Mean and standard deviation over time of every band, float64 `(n, 2 * bands)`."""
    statistics = np.empty((len(cached.paths), 2 * cached.bands))
    for row in range(len(statistics)):
        values = cached.read(row).astype(np.float64)  # (time, bands)
        statistics[row] = np.concatenate([values.mean(axis=0), values.std(axis=0)])
    return statistics


def _classifier(known: np.ndarray, many: float) -> _Model:
    if len(known) > many:
        linear = make_pipeline(StandardScaler(), LinearSVC(dual=False))
        return _Model("a linear SVM on feature statistics", linear, {"linearsvc__C": (1e-3, 1e-2, 0.1)})
    grid = {"svc__C": (1.0, 10.0, 100.0), "svc__gamma": _widths(known)}
    return _Model("an SVM on feature statistics", make_pipeline(StandardScaler(), SVC()), grid)


def _tagger(known: np.ndarray, tags: int) -> _Model:
    """The classifier for each tag, with the same parameters for all."""
    one = _classifier(known, MANY * min(_FEW_TAGS / tags, 1))
    grid = {f"estimator__{name}": values for name, values in one.grid.items()}
    name = one.name.replace("SVM", "SVM for each tag")
    return _Model(name, OneVsRestClassifier(one.estimator), grid, "average_precision")


def _regressor(known: np.ndarray) -> _Model:
    def scaled(model: Any) -> Any:
        # A kernel ridge has no intercept, and one penalty is to suit targets of any unit.
        return TransformedTargetRegressor(
            make_pipeline(StandardScaler(), model), transformer=StandardScaler()
        )

    if len(known) > MANY:
        grid: dict[str, Any] = {"regressor__ridge__alpha": (10.0, 100.0, 1000.0)}
        return _Model("a ridge regression on feature statistics", scaled(Ridge()), grid)
    place = "regressor__kernelridge"
    grid = {f"{place}__alpha": (0.1, 1.0, 10.0), f"{place}__gamma": _widths(known)}
    return _Model("a kernel ridge regression on feature statistics", scaled(KernelRidge(kernel="rbf")), grid)


def _widths(known: np.ndarray) -> tuple[float, ...]:
    return tuple(share / known.shape[1] for share in _WIDTHS)


def _fitted(model: _Model, known: np.ndarray, labels: np.ndarray, folds: int) -> Any:
    """The estimator with the best parameters; with its own where there are too few clips for two folds."""
    estimator = model.estimator
    # One thread: the same numbers on every machine, and small matrices gain nothing by more.
    with threadpool_limits(1), warnings.catch_warnings():
        # Of rare classes that not every fold has, and of optima that are only nearly reached.
        warnings.simplefilter("ignore")
        if folds > 1:
            search = GridSearchCV(
                estimator, model.grid, scoring=model.scoring, cv=min(folds, _FOLDS), refit=False
            )
            some = labels[:_SEARCHED]
            search.fit(known[:_SEARCHED], some if some.ndim == 1 else some[:, :_FEW_TAGS])
            estimator.set_params(**search.best_params_)
        return estimator.fit(known, labels)

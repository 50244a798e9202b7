"""What a model's predictions are worth: scores with bootstrap confidence intervals.

scikit-learn and scipy compute the scores. Intervals are percentile intervals of a bootstrap over
clips (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13): the evaluated
clips are drawn anew with replacement, the score is taken of every such resample, and the interval
holds the middle 95 % of them. They say how far the score depends on which clips happened to be
held out; that another seed trains another model comes on top.

How often each clip is in a resample of n follows a multinomial distribution, so a resample is a
row of counts here, and every score a weighted sum over clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import (
    accuracy_score,
    precision_recall_fscore_support,
    r2_score,
    root_mean_squared_error,
)

from keras_mir.models.report import AffectScores, Bootstrap, ClassScores, GenreScores, Interval
from pipelines.errors import UserError

BINS = 15  # of probabilities, in the expected calibration error
_BLOCK = 4_000_000  # numbers in one array of resample counts; bounds memory at 32 MB each
UNDEFINED = Interval(None, None, None)
_BOOTSTRAP = Bootstrap()


class DivergedError(UserError):
    """A training came to numbers that are none; other settings may help."""


def predicted_classes(probabilities: np.ndarray) -> np.ndarray:
    """The most probable class of each clip.

    Args:
        probabilities: float `(n, n_classes)`.

    Returns:
        int64 `(n,)`.

    Raises:
        UserError: If a probability is not a number: `argmax` would name a class all the same.
    """
    check_not_diverged(probabilities, "class probabilities")
    return np.asarray(probabilities).argmax(axis=1)


def genre_scores(
    true: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    bootstrap: Bootstrap = _BOOTSTRAP,
) -> GenreScores:
    """Compare predicted with true classes.

    All of `class_names` are scored and averaged over, as scikit-learn does with
    `labels=range(n_classes), zero_division=0`: a class that no evaluated clip has appears with
    support 0 and F1 0, and lowers the macro average. In a resample that happens to miss a class
    which the clips do have, the macro average is over the others, for otherwise every interval of
    a small test set would be pulled down.

    Args:
        true: int `(n,)` class indices.
        predicted: int `(n,)` class indices.
        class_names: Names by index.
        bootstrap: How the intervals are made.

    Raises:
        UserError: If there are no clips.
        ValueError: If shapes differ, or an index has no name.
    """
    true, predicted = _pair(true, predicted, "classes")
    labels = np.arange(len(class_names))
    for indices in (true, predicted):
        if not np.isin(indices, labels).all():
            raise ValueError(f"a class index is not in 0 .. {len(labels) - 1}")

    def scores(average: str | None) -> Any:
        return precision_recall_fscore_support(
            true, predicted, labels=labels, average=average, zero_division=0
        )

    n = len(true)
    columns = zip(class_names, *scores(None), strict=True)
    per_class = {name: ClassScores(float(p), float(r), float(f), int(s)) for name, p, r, f, s in columns}
    averages = {}
    for average in ("macro", "micro", "weighted"):
        p, r, f, _ = scores(average)
        averages[average] = ClassScores(float(p), float(r), float(f), n)
    k = len(labels)
    matrix = np.bincount(true * k + predicted, minlength=k * k).reshape(k, k)
    resampled = _resampled_scores(matrix, bootstrap)
    return GenreScores(
        class_names=tuple(class_names),
        n=n,
        accuracy=interval_of(bootstrap, float(accuracy_score(true, predicted)), resampled["accuracy"]),
        macro_f1=interval_of(bootstrap, averages["macro"].f1, resampled["macro_f1"]),
        weighted_f1=interval_of(bootstrap, averages["weighted"].f1, resampled["weighted_f1"]),
        per_class=per_class,
        averages=averages,
        confusion_matrix=matrix,
        bootstrap=bootstrap,
    )


@dataclass(frozen=True)
class Reliability:
    """How sure a model was and how often it was right, by how sure it was.

    Attributes:
        confidence: float `(bins,)`, the mean probability of the answers in each bin; 0 where there are none.
        accuracy: float `(bins,)`, the share of them that is right; 0 where there are none.
        share: float `(bins,)`, of all answers.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of the two, weighted by share.

        After Guo et al., "On Calibration of Modern Neural Networks" (2017).
        """
        return float(self.share @ np.abs(self.accuracy - self.confidence))


def reliability(true: np.ndarray, probabilities: np.ndarray) -> Reliability:
    """Sort answers into `BINS` bins of equal width by the probability of the predicted class.

    Args:
        true: int `(n,)` class indices.
        probabilities: float `(n, n_classes)`.

    Raises:
        UserError: If a probability is not a number.
    """
    hits = predicted_classes(probabilities) == true
    confidence = np.asarray(probabilities, np.float64).max(axis=1)
    # The edge of two bins belongs to the lower one.
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(bins, values, minlength=BINS) / np.maximum(counts, 1)

    return Reliability(mean(confidence), mean(hits), counts / len(true))


def affect_scores(
    true: Mapping[str, np.ndarray],
    predicted: Mapping[str, np.ndarray],
    bootstrap: Bootstrap = _BOOTSTRAP,
) -> AffectScores:
    """Compare predicted with true affect values.

    Spearman's correlation is that of the ranks, `cov(R(X), R(Y)) / (sd R(X) sd R(Y))`, ties
    sharing their mean rank. A target whose predictions (or labels) are all the same value has no
    ranks to correlate: its correlation is undefined, not 0, and so is the mean over targets.

    Args:
        true: float `(n,)` by target.
        predicted: float `(n,)` by target, the same targets.
        bootstrap: How the intervals are made; clips are drawn for all targets together.

    Raises:
        UserError: If there are no clips, or a label or a prediction is not a number.
        ValueError: If targets or shapes differ.
    """
    if not true or set(true) != set(predicted):
        raise ValueError(f"targets differ: true {sorted(true)}, predicted {sorted(predicted)}")
    pairs = {}
    for target in true:
        if not np.isfinite(true[target]).all():
            raise UserError(f"target {target!r}: a label is not a number; correct it, or leave the clip out")
        check_not_diverged(predicted[target], f"predictions of {target!r}")
        pairs[target] = _pair(true[target], predicted[target], target)
    if len({len(x) for x, _ in pairs.values()}) > 1:
        raise ValueError("targets have different numbers of clips")
    n = len(next(iter(pairs.values()))[0])
    resampled = _resampled_affect(list(pairs.values()), bootstrap)

    spearman, rmse, r2, undefined = {}, {}, {}, {}
    for (target, (x, y)), (rho, error, share) in zip(pairs.items(), resampled, strict=True):
        rmse[target] = interval_of(bootstrap, float(root_mean_squared_error(x, y)), error)
        spearman[target] = r2[target] = UNDEFINED
        if np.ptp(x) == 0:
            undefined[f"spearman.{target}"] = undefined[f"r2.{target}"] = "all labels are the same value"
            continue
        r2[target] = interval_of(bootstrap, float(r2_score(x, y)), share)
        correlation = rank_correlation(x, y)
        if correlation is None:
            undefined[f"spearman.{target}"] = "all predictions are the same value"
        else:
            spearman[target] = interval_of(bootstrap, correlation, rho)

    if missing := [target for target, interval in spearman.items() if interval.value is None]:
        spearman_mean = UNDEFINED
        undefined["spearman_mean"] = f"the correlation is undefined for {', '.join(missing)}"
    else:
        mean = float(np.mean([float(interval) for interval in spearman.values()]))
        spearman_mean = interval_of(bootstrap, mean, resampled[:, 0].mean(axis=0))
    return AffectScores(
        targets=tuple(pairs),
        n=n,
        spearman=spearman,
        spearman_mean=spearman_mean,
        rmse=rmse,
        r2=r2,
        undefined=undefined,
        bootstrap=bootstrap,
    )


def accuracy_difference(
    true: np.ndarray, predicted: np.ndarray, other: np.ndarray, bootstrap: Bootstrap = _BOOTSTRAP
) -> Interval:
    """Accuracy less that of other predictions for the same clips, drawn together in every resample.

    Args:
        true: int `(n,)` class indices.
        predicted: int `(n,)` class indices, or `(repeats, n)` for the mean over repeats.
        other: int, likewise.
        bootstrap: How the interval is made.

    Raises:
        UserError: If there are no clips.
        ValueError: If shapes differ.
    """
    hits, other_hits = (
        np.mean([np.equal(*_pair(true, each, "classes")) for each in np.atleast_2d(answers)], axis=0)
        for answers in (predicted, other)
    )
    ahead = hits - other_hits
    resampled = [counts @ ahead / len(ahead) for counts in resample_counts(len(ahead), bootstrap)]
    return interval_of(bootstrap, float(ahead.mean()), np.concatenate(resampled))


def spearman_difference(
    true: Mapping[str, np.ndarray],
    predicted: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    bootstrap: Bootstrap = _BOOTSTRAP,
) -> Interval:
    """Mean Spearman correlation less that of other predictions for the same clips, drawn together.

    Args:
        true: float `(n,)` by target.
        predicted: float `(n,)` by target, the same targets, or `(repeats, n)` for the mean over repeats.
        other: float, likewise.
        bootstrap: How the interval is made.

    Returns:
        Undefined where one of the correlations is.

    Raises:
        UserError: If there are no clips.
        ValueError: If shapes differ.
    """

    def score(values: Mapping[str, np.ndarray]) -> tuple[float, np.ndarray]:
        pairs = [
            _pair(true[target], each, target) for target in true for each in np.atleast_2d(values[target])
        ]
        correlations = [np.nan if (rho := rank_correlation(x, y)) is None else rho for x, y in pairs]
        return float(np.mean(correlations)), _resampled_affect(pairs, bootstrap)[:, 0].mean(axis=0)

    return difference(score(predicted), score(other), bootstrap)


def repeated_genre_scores(
    true: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    bootstrap: Bootstrap = _BOOTSTRAP,
) -> dict[str, Interval]:
    """Main scores of clips that were predicted several times: the mean over the repeats.

    A clip is drawn with all of its predictions: repeats make the mean steadier, and no more clips.

    Args:
        true: int `(n,)` class indices.
        predicted: int `(repeats, n)` class indices.
        class_names: Names by index.
        bootstrap: How the intervals are made.

    Raises:
        UserError: If there are no clips.
    """
    scores = [genre_scores(true, each, class_names, bootstrap) for each in predicted]
    if len(scores) == 1:
        return scores[0].main_scores
    k = len(class_names)
    resampled: list[dict[str, np.ndarray]] = []
    for each, known in zip(predicted, scores, strict=True):
        cells = np.eye(k * k)[true * k + each]  # (n, k * k), the cell of the confusion matrix a clip is in
        matrices = np.concatenate([counts @ cells for counts in resample_counts(len(true), bootstrap)])
        resampled.append(_scores_of_resamples(matrices.reshape(-1, k, k), known.confusion_matrix))
    return mean_intervals([each.main_scores for each in scores], resampled, bootstrap)


def repeated_affect_scores(
    true: Mapping[str, np.ndarray],
    predicted: Mapping[str, np.ndarray],
    bootstrap: Bootstrap = _BOOTSTRAP,
) -> dict[str, Interval]:
    """Main scores of clips that were predicted several times; see `repeated_genre_scores`.

    Args:
        true: float `(n,)` by target.
        predicted: float `(repeats, n)` by target, the same targets.
        bootstrap: How the intervals are made.

    Raises:
        UserError: If there are no clips.
    """
    repeats = range(len(next(iter(predicted.values()))))
    each = [{target: values[repeat] for target, values in predicted.items()} for repeat in repeats]
    scores = [affect_scores(true, values, bootstrap) for values in each]
    if len(scores) == 1:
        return scores[0].main_scores
    resampled = []
    for values in each:
        pairs = [_pair(true[target], values[target], target) for target in true]
        by_target = _resampled_affect(pairs, bootstrap)[:, 0]
        means = {"spearman_mean": by_target.mean(axis=0)}
        resampled.append(means | {f"spearman.{target}": by_target[at] for at, target in enumerate(true)})
    return mean_intervals([each.main_scores for each in scores], resampled, bootstrap)


def mean_intervals(
    scores: Sequence[Mapping[str, Interval]],
    resampled: Sequence[Mapping[str, np.ndarray]],
    bootstrap: Bootstrap,
) -> dict[str, Interval]:
    """By name, the mean over repeats of a score, with the interval of that mean; undefined if one is."""
    intervals = {}
    for name in scores[0]:
        value = float(np.mean([float(each[name]) for each in scores]))
        means = np.mean([each[name] for each in resampled], axis=0)
        intervals[name] = interval_of(bootstrap, value, means) if np.isfinite(value) else UNDEFINED
    return intervals


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Spearman's correlation of `(n,)` values; None if either are all the same."""
    if not len(x) or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(spearmanr(x, y).statistic)


def interval_of(bootstrap: Bootstrap, value: float, resampled: np.ndarray) -> Interval:
    """The percentile interval of a score `value` by its values in resamples, `(resamples,)`."""
    # A resample that holds one clip many times has no correlation, say.
    defined = resampled[np.isfinite(resampled)]
    if not len(defined):
        return Interval(value, None, None)
    tail = (1.0 - bootstrap.confidence) / 2.0
    low, high = np.quantile(defined, (tail, 1.0 - tail))
    return Interval(value, float(low), float(high))


def difference(
    one: tuple[float, np.ndarray], other: tuple[float, np.ndarray], bootstrap: Bootstrap
) -> Interval:
    """One score less another, each with its values in the same resamples, `(resamples,)`.

    Undefined where one of them is, which is then NaN.
    """
    ahead = one[0] - other[0]
    return interval_of(bootstrap, ahead, one[1] - other[1]) if np.isfinite(ahead) else UNDEFINED


def check_not_diverged(predicted: np.ndarray, what: str) -> None:
    """Refuse predictions that are no numbers.

    Raises:
        DivergedError: If there is one.
    """
    finite = np.isfinite(predicted)
    if not finite.all():
        bad = finite.size - np.count_nonzero(finite)
        raise DivergedError(
            f"{what}: {bad} of {finite.size} values are not finite, so the model has diverged; "
            f"train it again with a lower learning_rate"
        )


def _pair(true: np.ndarray, predicted: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape or true.ndim != 1:
        raise ValueError(f"{what}: shapes {true.shape} and {predicted.shape}, expected the same (n,)")
    if not len(true):
        raise UserError(f"{what}: no clips to evaluate; choose another split")
    if true.dtype.kind in "iu":
        return true, predicted
    return true.astype(np.float64), predicted.astype(np.float64)  # float32 sums would lose digits


def _resampled_scores(matrix: np.ndarray, bootstrap: Bootstrap) -> dict[str, np.ndarray]:
    """Accuracy, macro and weighted F1 of resampled clips, each `(resamples,)`.

    All three are functions of the confusion matrix, and the matrix of a resample is itself
    multinomial, so single clips need not be drawn.
    """
    n, k = matrix.sum(), len(matrix)
    rng = np.random.default_rng(bootstrap.seed)
    matrices = rng.multinomial(n, matrix.ravel() / n, size=bootstrap.resamples).reshape(-1, k, k)
    return _scores_of_resamples(matrices, matrix)


def _scores_of_resamples(matrices: np.ndarray, matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Scores, each `(resamples,)`, of the confusion matrices of resamples of clips that have `matrix`."""
    n = matrix.sum()
    hits = matrices.diagonal(axis1=1, axis2=2)
    support = matrices.sum(axis=2)
    seen = support + matrices.sum(axis=1)  # times a class is true plus times it is predicted
    f1 = divide(2.0 * hits, seen, where_zero=0.0)
    never_seen = (matrix.sum(axis=0) + matrix.sum(axis=1)) == 0  # counts as 0, as in the score itself
    averaged = (seen > 0) | never_seen
    return {
        "accuracy": hits.sum(axis=1) / n,
        "macro_f1": f1.sum(axis=1) / averaged.sum(axis=1),
        "weighted_f1": (f1 * support).sum(axis=1) / n,
    }


def resample_counts(n: int, bootstrap: Bootstrap) -> Iterator[np.ndarray]:
    """How often each of n clips is in each resample: float64 `(block, n)` arrays."""
    rng = np.random.default_rng(bootstrap.seed)
    block = max(1, _BLOCK // n)
    for start in range(0, bootstrap.resamples, block):
        counts = rng.multinomial(n, np.full(n, 1.0 / n), size=min(block, bootstrap.resamples - start))
        yield counts.astype(np.float64)


def _resampled_affect(pairs: Sequence[tuple[np.ndarray, np.ndarray]], bootstrap: Bootstrap) -> np.ndarray:
    """The scores of `_weighted_scores` of every resample, `(targets, 3, resamples)`, of `(n,)` pairs."""
    n = len(pairs[0][0])
    blocks = [[_weighted_scores(counts, x, y) for x, y in pairs] for counts in resample_counts(n, bootstrap)]
    return np.concatenate(blocks, axis=2)


def _weighted_scores(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's correlation, RMSE and R2 of every resample, `(3, block)`; NaN where undefined."""
    n = len(x)
    middle = (n + 1) / 2  # the mean of n ranks, ties or not
    rank_x, rank_y = _weighted_ranks(counts, x) - middle, _weighted_ranks(counts, y) - middle

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.einsum("rn,rn,rn->r", counts, a, b)

    spread_x = covariance(rank_x, rank_x)  # exactly 0 where a resample has one value only
    scale = np.sqrt(spread_x * covariance(rank_y, rank_y))
    spearman = divide(covariance(rank_x, rank_y), scale, where_zero=np.nan)

    squared_error = counts @ (x - y) ** 2
    centred = x - x.mean()  # the difference of sums below is exact enough only near 0
    variation = counts @ centred**2 - (counts @ centred) ** 2 / n
    r2 = 1.0 - divide(squared_error, np.where(spread_x > 0, variation, 0.0), where_zero=np.nan)
    return np.stack([spearman, np.sqrt(squared_error / n), r2])


def _weighted_ranks(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rank of each clip's value in each resample, ties (and repeated clips) sharing their mean rank."""
    order = np.argsort(values)
    _, first, group = np.unique(values[order], return_index=True, return_inverse=True)
    sizes = np.add.reduceat(counts[:, order], first, axis=1)  # clips with each value, values ascending
    ranks = np.cumsum(sizes, axis=1) - (sizes - 1) / 2
    by_clip = np.empty_like(group)
    by_clip[order] = group
    return ranks[:, by_clip]


def divide(numerator: np.ndarray, denominator: np.ndarray, where_zero: float) -> np.ndarray:
    """A quotient, and a number of its own where the denominator is 0."""
    result = np.full(np.shape(numerator), where_zero)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)

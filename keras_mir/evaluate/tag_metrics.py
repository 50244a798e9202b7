"""What predicted tags are worth; see `metrics`, by whose bootstrap the intervals are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_auc_score,
)

from keras_mir.evaluate.metrics import (
    UNDEFINED,
    check_not_diverged,
    difference,
    divide,
    interval_of,
    mean_intervals,
    resample_counts,
)
from keras_mir.models.report import Bootstrap, ClassScores, Interval, TagScores, Thresholds
from pipelines.errors import UserError

_BOOTSTRAP = Bootstrap()
_HALF = 0.5


def tag_scores(
    true: np.ndarray,
    probabilities: np.ndarray,
    thresholds: Thresholds,
    bootstrap: Bootstrap = _BOOTSTRAP,
) -> TagScores:
    """Compare the probabilities of tags with the tags that clips have.

    A tag that no clip has, or all, has no areas; the means are over the others, and in a resample
    over those that have them there.

    Args:
        true: `(n, n_tags)`, 1 where a clip has a tag and else 0.
        probabilities: float `(n, n_tags)`.
        thresholds: By tag, in that order.
        bootstrap: How the intervals are made; clips are drawn for all tags together.

    Raises:
        UserError: If there are no clips, or a probability is not a number.
        ValueError: If shapes differ.
    """
    true, probabilities = _pair(true, probabilities)
    tags = tuple(thresholds.by_tag)
    if true.shape[1] != len(tags):
        raise ValueError(f"{true.shape[1]} columns for {len(tags)} tags")
    counts = true.sum(axis=0)
    nobody, everybody = "none of the evaluated clips has it", "all of the evaluated clips have it"
    undefined = {
        tag: everybody if count else nobody
        for tag, count in zip(tags, counts, strict=True)
        if count in (0, len(true))
    }
    areas, resampled = _areas(true, probabilities), _resampled_areas(true, probabilities, bootstrap)
    roc_auc, average_precision = (
        {
            tag: UNDEFINED if tag in undefined else interval_of(bootstrap, float(value), values)
            for tag, value, values in zip(tags, areas[kind], resampled[kind], strict=True)
        }
        for kind in (0, 1)
    )
    means = [
        interval_of(bootstrap, float(value), values) if np.isfinite(value) else UNDEFINED
        for value, values in zip(_mean_over_tags(areas), _mean_over_tags(resampled), strict=True)
    ]
    given = given_tags(probabilities, thresholds)

    def scores(average: str | None) -> tuple[np.ndarray, ...]:
        return precision_recall_fscore_support(true, given, average=average, zero_division=0)

    columns = zip(tags, *scores(None), strict=True)
    averages = {average: scores(average) for average in ("macro", "micro", "weighted")}
    return TagScores(
        tags=tags,
        n=len(true),
        roc_auc=roc_auc,
        average_precision=average_precision,
        macro_roc_auc=means[0],
        mean_average_precision=means[1],
        per_tag={tag: ClassScores(float(p), float(r), float(f), int(s)) for tag, p, r, f, s in columns},
        averages={
            name: ClassScores(float(p), float(r), float(f), int(counts.sum()))
            for name, (p, r, f, _) in averages.items()
        },
        thresholds=thresholds,
        undefined=undefined,
        bootstrap=bootstrap,
    )


def given_tags(probabilities: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """int64 `(n, n_tags)`, 1 where a probability reaches its tag's threshold and else 0."""
    return (probabilities >= np.array(list(thresholds.by_tag.values()))).astype(np.int64)


def choose_thresholds(
    true: np.ndarray, probabilities: np.ndarray, tags: Sequence[str], chosen_on: str
) -> Thresholds:
    """The threshold of each tag at which its F1 is highest; 0.5 where no clip has a tag.

    Each lies in the middle between two probabilities, so that rounding moves no clip across it.

    Args:
        true: `(n, n_tags)`, 1 where a clip has a tag and else 0.
        probabilities: float `(n, n_tags)`.
        tags: In that order.
        chosen_on: What the clips are, for reports.

    Raises:
        UserError: If there are no clips, or a probability is not a number.
    """
    true, probabilities = _pair(true, probabilities)
    chosen = {}
    for tag, has, values in zip(tags, true.T, probabilities.T, strict=True):
        chosen[tag] = _HALF
        if has.any():
            precision, recall, steps = precision_recall_curve(has, values)
            f1 = divide(2 * precision * recall, precision + recall, where_zero=0.0)
            best = float(steps[np.argmax(f1[:-1])])  # the last has no step: it gives nobody the tag
            below = values[values < best]
            chosen[tag] = (best + float(below.max(initial=0.0))) / 2
    return Thresholds(chosen, len(true), chosen_on)


def thresholds_at_half(tags: Sequence[str]) -> Thresholds:
    """Those of a model that none were chosen for."""
    return Thresholds(dict.fromkeys(tags, _HALF), 0, "")


def roc_auc_difference(
    true: np.ndarray, probabilities: np.ndarray, other: np.ndarray, bootstrap: Bootstrap = _BOOTSTRAP
) -> Interval:
    """Macro ROC-AUC less that of other probabilities for the same clips, drawn together in every resample.

    Args:
        true: `(n, n_tags)`, 1 where a clip has a tag and else 0.
        probabilities: float `(n, n_tags)`, or `(repeats, n, n_tags)` for the mean over repeats.
        other: float, likewise.
        bootstrap: How the interval is made.

    Returns:
        Undefined where no tag has an area.

    Raises:
        UserError: If there are no clips.
        ValueError: If shapes differ.
    """

    def score(answers: np.ndarray) -> tuple[float, np.ndarray]:
        pairs = [_pair(true, each) for each in (answers if answers.ndim == 3 else answers[None])]
        areas = [_mean_over_tags(_areas(*pair))[0] for pair in pairs]
        resampled = [_mean_over_tags(_resampled_areas(*pair, bootstrap))[0] for pair in pairs]
        return float(np.mean(areas)), np.mean(resampled, axis=0)

    return difference(score(probabilities), score(other), bootstrap)


def repeated_tag_scores(
    true: np.ndarray,
    probabilities: np.ndarray,
    tags: Sequence[str],
    bootstrap: Bootstrap = _BOOTSTRAP,
) -> dict[str, Interval]:
    """Main scores of clips that were predicted several times; see `repeated_genre_scores`.

    Args:
        true: `(n, n_tags)`, 1 where a clip has a tag and else 0.
        probabilities: float `(repeats, n, n_tags)`.
        tags: In that order.
        bootstrap: How the intervals are made.

    Raises:
        UserError: If there are no clips.
    """
    thresholds = thresholds_at_half(tags)  # of no account for the main scores
    scores: list[Mapping[str, Interval]] = [
        tag_scores(true, each, thresholds, bootstrap).main_scores for each in probabilities
    ]
    resampled = [
        dict(zip(scores[0], _mean_over_tags(_resampled_areas(*_pair(true, each), bootstrap)), strict=True))
        for each in probabilities
    ]
    return mean_intervals(scores, resampled, bootstrap)


def _pair(true: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    check_not_diverged(probabilities, "probabilities of tags")
    true, probabilities = np.asarray(true).astype(np.int64), np.asarray(probabilities, np.float64)
    if true.shape != probabilities.shape or true.ndim != 2:
        raise ValueError(
            f"tags: shapes {true.shape} and {probabilities.shape}, expected the same (n, n_tags)"
        )
    if not len(true):
        raise UserError("tags: no clips to evaluate; choose another split")
    return true, probabilities


def _mean_over_tags(areas: np.ndarray) -> np.ndarray:
    """`(2, n_tags, ...)` to `(2, ...)`, over the tags that have an area; NaN where none has."""
    known = np.isfinite(areas)
    return divide(np.where(known, areas, 0.0).sum(axis=1), known.sum(axis=1), where_zero=np.nan)


def _areas(true: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """ROC-AUC and average precision of each tag, `(2, n_tags)`; NaN where it has none."""
    areas = np.full((2, true.shape[1]), np.nan)
    for tag, (has, values) in enumerate(zip(true.T, probabilities.T, strict=True)):
        if 0 < has.sum() < len(has):
            areas[:, tag] = roc_auc_score(has, values), average_precision_score(has, values)
    return areas


def _resampled_areas(true: np.ndarray, probabilities: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """The same of every resample, `(2, n_tags, resamples)`."""
    blocks = [
        np.stack(
            [
                _weighted_areas(counts, has, values)
                for has, values in zip(true.T, probabilities.T, strict=True)
            ],
            axis=1,
        )
        for counts in resample_counts(len(true), bootstrap)
    ]
    return np.concatenate(blocks, axis=2)


def _weighted_areas(counts: np.ndarray, has: np.ndarray, values: np.ndarray) -> np.ndarray:
    """ROC-AUC and average precision of every resample, `(2, block)`; NaN where all or none have the tag."""
    order = np.argsort(-values)
    _, first = np.unique(-values[order], return_index=True)
    drawn = counts[:, order]
    # At each value, from the highest on: how many clips have it, and how many of these the tag.
    clips, hits = (np.add.reduceat(each, first, axis=1) for each in (drawn, drawn * has[order]))
    others = clips - hits
    positive, negative = hits.sum(axis=1), others.sum(axis=1)
    pairs = positive * negative
    # Of all pairs of a clip with the tag and one without, those in the right order; a tie is half of one.
    below = negative[:, None] - np.cumsum(others, axis=1)
    right = np.einsum("rv,rv->r", hits, below + others / 2)
    precision = divide(np.cumsum(hits, axis=1), np.cumsum(clips, axis=1), where_zero=0.0)
    average = divide(np.einsum("rv,rv->r", hits, precision), positive, where_zero=np.nan)
    return np.stack([divide(right, pairs, where_zero=np.nan), np.where(pairs > 0, average, np.nan)])

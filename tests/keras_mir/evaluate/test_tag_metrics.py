"""Scores of tags: their areas, intervals, thresholds, and how far one model is ahead of another."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from keras_mir.evaluate.metrics import DivergedError, resample_counts
from keras_mir.evaluate.tag_metrics import (
    choose_thresholds,
    given_tags,
    repeated_tag_scores,
    roc_auc_difference,
    tag_scores,
    thresholds_at_half,
)
from keras_mir.models.report import Bootstrap, Interval
from pipelines.errors import UserError

TAGS = ("rock", "live", "kazoo")
FEW = Bootstrap(seed=3, resamples=50)


def clips(n: int = 60, seed: int = 0, digits: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Tags of clips, and probabilities with ties that say something of them."""
    random = np.random.default_rng(seed)
    true = (random.uniform(size=(n, 3)) < (0.5, 0.3, 0.05)).astype(int)
    true[0] = 1
    return true, np.clip(0.3 * true + 0.6 * random.uniform(size=(n, 3)), 0, 1).round(digits)


def test_areas_and_means_are_scikit_learns():
    true, probabilities = clips()
    found = tag_scores(true, probabilities, thresholds_at_half(TAGS), FEW)
    for column, tag in enumerate(TAGS):
        has, values = true[:, column], probabilities[:, column]
        assert float(found.roc_auc[tag]) == roc_auc_score(has, values)
        assert float(found.average_precision[tag]) == average_precision_score(has, values)
        assert found.per_tag[tag].f1 == f1_score(has, values >= 0.5, zero_division=0)
        assert found.per_tag[tag].support == has.sum()
    assert float(found.macro_roc_auc) == pytest.approx(roc_auc_score(true, probabilities))
    assert float(found.mean_average_precision) == pytest.approx(average_precision_score(true, probabilities))
    assert list(found.main_scores) == ["macro_roc_auc", "mean_average_precision"]
    assert {name: each.f1 for name, each in found.averages.items()} == {
        name: f1_score(true, probabilities >= 0.5, average=name) for name in ("macro", "micro", "weighted")
    }


def test_intervals_are_those_of_clips_drawn_anew():
    true, probabilities = clips()
    found = tag_scores(true, probabilities, thresholds_at_half(TAGS), FEW)
    (counts,) = resample_counts(len(true), FEW)
    areas = []
    for row in counts.astype(int):
        drawn = np.repeat(np.arange(len(true)), row)
        areas.append(
            [
                (roc_auc_score(has, values), average_precision_score(has, values))
                if 0 < has.sum() < len(has)
                else (np.nan, np.nan)
                for has, values in zip(true[drawn].T, probabilities[drawn].T, strict=True)
            ]
        )
    low, high = np.nanquantile(areas, (0.025, 0.975), axis=0)
    for column, tag in enumerate(TAGS):
        for kind, intervals in enumerate((found.roc_auc, found.average_precision)):
            bounds = (intervals[tag].low, intervals[tag].high)
            assert bounds == pytest.approx((low[column, kind], high[column, kind]))
    means = np.nanquantile(np.nanmean(areas, axis=1), (0.025, 0.975), axis=0)
    assert (found.macro_roc_auc.low, found.macro_roc_auc.high) == pytest.approx(tuple(means[:, 0]))


def test_a_tag_that_all_clips_have_or_none_has_no_area_and_no_part_in_the_means():
    true, probabilities = clips()
    true[:, 1], true[:, 2] = 1, 0
    found = tag_scores(true, probabilities, thresholds_at_half(TAGS), FEW)
    assert found.undefined == {
        "live": "all of the evaluated clips have it",
        "kazoo": "none of the evaluated clips has it",
    }
    assert found.roc_auc["live"] == found.average_precision["kazoo"] == Interval(None, None, None)
    assert found.macro_roc_auc == found.roc_auc["rock"]
    nothing = tag_scores(np.zeros((4, 2)), np.ones((4, 2)), thresholds_at_half(TAGS[:2]), FEW)
    assert nothing.macro_roc_auc == nothing.mean_average_precision == Interval(None, None, None)


def test_thresholds_are_where_f1_is_highest_between_two_probabilities():
    true = np.array([[0, 0], [1, 0], [0, 0], [1, 0], [1, 0]])
    probabilities = np.array([[0.1, 0.1], [0.3, 0.2], [0.4, 0.3], [0.7, 0.4], [0.9, 0.5]])
    chosen = choose_thresholds(true, probabilities, ("rock", "live"), "validation clips")
    assert chosen.by_tag == {"rock": pytest.approx(0.2), "live": 0.5}
    assert chosen.sentence == (
        "A clip is given the tags whose probability reaches their threshold, where F1 is highest on 5 "
        "validation clips."
    )
    assert given_tags(probabilities, chosen).tolist() == [[0, 0], [1, 0], [1, 0], [1, 0], [1, 1]]
    true, probabilities = clips(digits=3)
    best = choose_thresholds(true, probabilities, TAGS, "training clips")
    for column, tag in enumerate(TAGS):
        values = probabilities[:, column]
        every = [f1_score(true[:, column], values >= at) for at in np.unique(values)]
        assert f1_score(true[:, column], values >= best.by_tag[tag]) >= max(every)


def test_how_far_one_is_ahead_and_the_mean_over_repeats():
    true, probabilities = clips()
    _, other = clips(seed=1)
    scores = [tag_scores(true, each, thresholds_at_half(TAGS), FEW) for each in (probabilities, other)]
    ahead = roc_auc_difference(true, probabilities, other, FEW)
    assert float(ahead) == pytest.approx(float(scores[0].macro_roc_auc) - float(scores[1].macro_roc_auc))
    assert ahead.low < ahead.value < ahead.high
    assert roc_auc_difference(true, probabilities, probabilities, FEW) == Interval(0.0, 0.0, 0.0)
    assert repeated_tag_scores(true, probabilities[None], TAGS, FEW) == scores[0].main_scores
    both = repeated_tag_scores(true, np.stack([probabilities, other]), TAGS, FEW)
    mean = np.mean([float(each.mean_average_precision) for each in scores])
    assert float(both["mean_average_precision"]) == pytest.approx(mean)
    assert roc_auc_difference(np.zeros_like(true), probabilities, other, FEW) == Interval(None, None, None)


def test_what_cannot_be_scored():
    true, probabilities = clips()
    with pytest.raises(DivergedError, match=r"^probabilities of tags: 1 of 180 values are not finite"):
        tag_scores(true, np.where(np.arange(180).reshape(60, 3) == 7, np.nan, probabilities),
                   thresholds_at_half(TAGS))  # fmt: skip
    with pytest.raises(UserError, match=r"^tags: no clips to evaluate"):
        tag_scores(true[:0], probabilities[:0], thresholds_at_half(TAGS))
    with pytest.raises(ValueError, match="3 columns for 2 tags"):
        tag_scores(true, probabilities, thresholds_at_half(TAGS[:2]))

"""Scores equal scikit-learn's and scipy's; intervals behave as intervals; bad predictions are explained."""

import numpy as np
import pytest
from scipy.stats import bootstrap, spearmanr
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix, f1_score, r2_score

from keras_mir.evaluate.metrics import (
    UNDEFINED,
    accuracy_difference,
    affect_scores,
    genre_scores,
    predicted_classes,
    rank_correlation,
    reliability,
    repeated_affect_scores,
    repeated_genre_scores,
    spearman_difference,
)
from keras_mir.models.report import Bootstrap, Interval
from pipelines.errors import UserError

NAMES = ["Blues", "Classical", "Folk", "Rock"]


def genre_answers(n, seed=0, classes=4, right=0.6):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    return true, np.where(rng.random(n) < right, true, rng.integers(0, classes, n))


def affect_answers(n, seed=0, targets=("valence", "energy")):
    rng = np.random.default_rng(seed)
    # Rounding makes ties, which listeners' shares have too.
    true = {target: rng.random(n).round(1).astype(np.float32) for target in targets}
    predicted = {t: (0.5 * x + 0.3 * rng.random(n)).astype(np.float32) for t, x in true.items()}
    return true, predicted


def width(interval):
    return interval.high - interval.low


@pytest.mark.parametrize("classes", [4, 3])  # with 3, Rock is neither true nor predicted
def test_scores_equal_scikit_learns_report(classes):
    true, predicted = genre_answers(200, classes=classes)
    expected = classification_report(
        true, predicted, labels=range(4), target_names=NAMES, output_dict=True, zero_division=0
    )

    metrics = genre_scores(true, predicted, NAMES)

    def as_sklearn(scores):
        return {
            "precision": scores.precision,
            "recall": scores.recall,
            "f1-score": scores.f1,
            "support": scores.support,
        }

    for name in NAMES:
        assert as_sklearn(metrics.per_class[name]) == pytest.approx(expected[name])
    assert as_sklearn(metrics.averages["macro"]) == pytest.approx(expected["macro avg"])
    assert as_sklearn(metrics.averages["weighted"]) == pytest.approx(expected["weighted avg"])
    assert metrics.averages["micro"].f1 == pytest.approx(accuracy_score(true, predicted))
    assert metrics.accuracy.value == accuracy_score(true, predicted)
    assert metrics.macro_f1.value == pytest.approx(expected["macro avg"]["f1-score"])
    assert metrics.weighted_f1.value == pytest.approx(expected["weighted avg"]["f1-score"])
    np.testing.assert_array_equal(
        metrics.confusion_matrix, confusion_matrix(true, predicted, labels=range(4))
    )


def test_absent_class_is_shown_with_support_0_and_counts_in_the_macro_average():
    metrics = genre_scores(np.array([0, 1, 2]), np.array([0, 1, 2]), NAMES)

    assert metrics.per_class["Rock"].support == 0
    assert metrics.macro_f1.value == 0.75  # three perfect classes and one with F1 0
    assert metrics.macro_f1.high == 0.75  # resamples count it, too
    assert metrics.accuracy.value == 1.0


def test_one_class_only():
    metrics = genre_scores(np.zeros(3, int), np.zeros(3, int), ["Rock"])

    assert metrics.accuracy.value == metrics.macro_f1.value == 1.0
    np.testing.assert_array_equal(metrics.confusion_matrix, [[3]])


def test_perfect_answers_have_no_spread_though_resamples_miss_classes():
    metrics = genre_scores(np.arange(4), np.arange(4), NAMES)

    assert (metrics.macro_f1.low, metrics.macro_f1.high) == (1.0, 1.0)


def test_majority_share_is_the_accuracy_of_always_answering_the_largest_class():
    metrics = genre_scores(np.array([3, 3, 3, 0]), np.array([0, 1, 2, 3]), NAMES)

    assert metrics.majority == ("Rock", 0.75)


@pytest.mark.parametrize(
    ("score", "statistic"),
    [
        ("accuracy", accuracy_score),
        ("macro_f1", lambda t, p: f1_score(t, p, average="macro")),
        ("weighted_f1", lambda t, p: f1_score(t, p, average="weighted")),
    ],
)
def test_genre_intervals_agree_with_scipys_bootstrap_over_clips(score, statistic):
    true, predicted = genre_answers(120)
    expected = bootstrap(
        (true, predicted),
        statistic,
        paired=True,
        vectorized=False,
        n_resamples=400,
        method="percentile",
        rng=1,
    ).confidence_interval

    interval = getattr(genre_scores(true, predicted, NAMES), score)

    # Two independent runs: the percentiles of 400 resamples have a standard error of about 0.005.
    assert interval.low == pytest.approx(expected.low, abs=0.03)
    assert interval.high == pytest.approx(expected.high, abs=0.03)


@pytest.mark.parametrize(
    ("score", "statistic"),
    [
        ("spearman", lambda x, y: spearmanr(x, y).statistic),
        ("rmse", lambda x, y: np.sqrt(np.mean((x - y) ** 2))),
        ("r2", r2_score),
    ],
)
def test_affect_scores_and_intervals_agree_with_scipy(score, statistic):
    true, predicted = affect_answers(120)
    x, y = true["energy"].astype(float), predicted["energy"].astype(float)
    expected = bootstrap(
        (x, y), statistic, paired=True, vectorized=False, n_resamples=400, method="percentile", rng=1
    ).confidence_interval

    interval = getattr(affect_scores(true, predicted), score)["energy"]

    assert interval.value == pytest.approx(statistic(x, y))
    tolerance = 0.2 * (expected.high - expected.low)
    assert interval.low == pytest.approx(expected.low, abs=tolerance)
    assert interval.high == pytest.approx(expected.high, abs=tolerance)


def test_spearman_mean_is_over_targets_and_its_interval_over_clips_drawn_together():
    true, predicted = affect_answers(120, targets=("valence",))
    metrics = affect_scores(
        {"a": true["valence"], "b": true["valence"]}, {"a": predicted["valence"], "b": predicted["valence"]}
    )

    # The same target twice: were clips drawn apart, the mean would vary less than either.
    assert metrics.spearman_mean == metrics.spearman["a"] == metrics.spearman["b"]


def test_intervals_bracket_the_score_and_shrink_with_more_clips():
    for few, many in [
        (
            genre_scores(*genre_answers(50), NAMES).accuracy,
            genre_scores(*genre_answers(800), NAMES).accuracy,
        ),
        (
            affect_scores(*affect_answers(50)).spearman_mean,
            affect_scores(*affect_answers(800)).spearman_mean,
        ),
    ]:
        assert few.low < few.value < few.high
        assert many.low < many.value < many.high
        assert width(many) < width(few) / 2  # a quarter, if it goes by the root of n


def test_more_confidence_is_a_wider_interval():
    answers = genre_answers(100)
    narrow = genre_scores(*answers, NAMES, Bootstrap(confidence=0.5)).accuracy
    assert width(narrow) < width(genre_scores(*answers, NAMES).accuracy)


def test_same_seed_same_intervals():
    answers = affect_answers(100)
    assert affect_scores(*answers, Bootstrap(3)) == affect_scores(*answers, Bootstrap(3))
    assert affect_scores(*answers, Bootstrap(3)) != affect_scores(*answers, Bootstrap(4))
    first, second = (genre_scores(*genre_answers(100), NAMES, Bootstrap(3)) for _ in range(2))
    assert first.macro_f1 == second.macro_f1


def test_many_clips_are_resampled_in_blocks_with_the_same_result(monkeypatch):
    answers = affect_answers(50)
    whole = affect_scores(*answers)
    monkeypatch.setattr("keras_mir.evaluate.metrics._BLOCK", 50 * 7)
    assert affect_scores(*answers) == whole


def test_constant_predictions_have_no_correlation_and_a_reason_instead_of_a_warning():
    true, predicted = affect_answers(60)
    predicted["energy"] = np.full(60, 0.5, np.float32)

    metrics = affect_scores(true, predicted)

    assert metrics.spearman["energy"] == metrics.spearman_mean == UNDEFINED
    assert metrics.spearman["valence"].value is not None
    assert metrics.rmse["energy"].value is not None
    assert metrics.r2["energy"].value is not None
    assert set(metrics.undefined) == {"spearman.energy", "spearman_mean"}
    assert "energy" in metrics.undefined["spearman_mean"]


def test_one_clip_has_an_error_but_neither_correlation_nor_r2():
    metrics = affect_scores({"energy": np.array([0.5])}, {"energy": np.array([0.25])})

    assert metrics.rmse["energy"].value == 0.25
    assert set(metrics.undefined) == {"spearman.energy", "r2.energy", "spearman_mean"}


def test_few_clips_whose_resamples_are_often_constant():
    metrics = affect_scores({"energy": np.array([0.0, 1.0, 2.0])}, {"energy": np.array([0.0, 1.0, 1.5])})

    assert metrics.spearman["energy"].value == pytest.approx(1.0)
    assert metrics.spearman["energy"].low == pytest.approx(1.0)


def test_labels_far_from_zero_keep_their_r2():
    true, predicted = affect_answers(100)
    near = affect_scores(true, predicted).r2["energy"]
    shifted = [{k: v.astype(float) + 1e6 for k, v in values.items()} for values in (true, predicted)]
    far = affect_scores(*shifted).r2["energy"]
    assert far.low == pytest.approx(near.low, abs=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_diverged_model_is_named_with_the_remedy(bad):
    true, predicted = affect_answers(10)
    predicted["energy"][3] = bad
    with pytest.raises(UserError, match=r"'energy': 1 of 10 .*diverged.*learning_rate"):
        affect_scores(true, predicted)
    with pytest.raises(UserError, match=r"1 of 4 .*diverged.*learning_rate"):
        predicted_classes(np.array([[0.5, bad], [0.5, 0.5]]))


def test_predicted_classes_are_the_most_probable():
    np.testing.assert_array_equal(predicted_classes(np.array([[0.1, 0.9], [0.8, 0.2]])), [1, 0])


def test_label_that_is_not_a_number():
    with pytest.raises(UserError, match="target 'energy': a label"):
        affect_scores({"energy": np.array([0.1, np.nan])}, {"energy": np.array([0.1, 0.2])})


def test_no_clips():
    none = np.array([], dtype=int)
    with pytest.raises(UserError, match="no clips"):
        genre_scores(none, none, NAMES)
    with pytest.raises(UserError, match="no clips"):
        affect_scores({"energy": none}, {"energy": none})


@pytest.mark.parametrize(("option", "value"), [("resamples", 0), ("confidence", 95.0)])
def test_impossible_bootstrap(option, value):
    with pytest.raises(UserError, match=option):
        genre_scores(*genre_answers(10), NAMES, Bootstrap(**{option: value}))


def test_a_class_index_without_a_name_is_not_dropped_silently():
    with pytest.raises(ValueError, match=r"0 \.\. 3"):
        genre_scores(np.array([0, 1]), np.array([0, 4]), NAMES)


def test_correlation_of_one_side_that_is_constant_is_undefined():
    assert rank_correlation(np.array([1.0, 2.0]), np.array([1.0, 1.0])) is None


def test_an_accuracy_difference_agrees_with_scipys_paired_bootstrap():
    true, predicted = genre_answers(120, right=0.7)
    other = genre_answers(120, right=0.4)[1]
    expected = bootstrap(
        (true, predicted, other),
        lambda t, p, o: accuracy_score(t, p) - accuracy_score(t, o),
        paired=True,
        vectorized=False,
        n_resamples=400,
        method="percentile",
        rng=1,
    ).confidence_interval

    difference = accuracy_difference(true, predicted, other)

    assert difference.value == pytest.approx(accuracy_score(true, predicted) - accuracy_score(true, other))
    assert difference.low == pytest.approx(expected.low, abs=0.03)
    assert difference.high == pytest.approx(expected.high, abs=0.03)
    # Clips are drawn for both together: the same answers never differ.
    assert accuracy_difference(true, other, other) == Interval(0.0, 0.0, 0.0)


def test_a_spearman_difference_is_of_means_over_targets_and_clips_drawn_together():
    true, predicted = affect_answers(120)
    other = {target: values[::-1].copy() for target, values in predicted.items()}
    means = [affect_scores(true, answers).spearman_mean for answers in (predicted, other)]

    difference = spearman_difference(true, predicted, other)

    assert difference.value == pytest.approx(means[0].value - means[1].value)
    assert difference.low < difference.value < difference.high
    assert spearman_difference(true, other, other) == Interval(0.0, 0.0, 0.0)
    other["energy"] = np.full(120, 0.5)
    assert spearman_difference(true, predicted, other) == UNDEFINED


def test_expected_calibration_error_is_the_mean_distance_of_confidence_and_accuracy():
    # Two bins of fifteen: 0.6 four times, right once, and 1.0 twice, always right.
    probabilities = np.array([[0.6, 0.4]] * 4 + [[0.0, 1.0]] * 2)
    true = np.array([0, 1, 1, 1, 1, 1])

    found = reliability(true, probabilities)

    expected = np.zeros((3, 15))
    expected[:, [8, 14]] = [[0.6, 1.0], [0.25, 1.0], [4 / 6, 2 / 6]]
    np.testing.assert_allclose([found.confidence, found.accuracy, found.share], expected)
    assert found.error == pytest.approx(4 / 6 * 0.35)


def test_answers_as_often_right_as_they_are_sure_have_no_calibration_error():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 20000)
    true = (rng.random(20000)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)

    assert reliability(true, probabilities).error < 0.02
    with pytest.raises(UserError, match="diverged"):
        reliability(true[:1], np.full((1, 4), np.nan))


def test_repeated_predictions_are_no_more_clips():
    random = np.random.default_rng(0)
    true = random.integers(0, 3, 60)
    answers = np.where(random.random(60) < 0.7, true, (true + 1) % 3)
    once = repeated_genre_scores(true, answers[None], "abc")
    assert once == genre_scores(true, answers, "abc").main_scores
    thrice = repeated_genre_scores(true, np.stack([answers] * 3), "abc")
    for name, score in thrice.items():
        assert score.value == pytest.approx(once[name].value)
        assert score.low == pytest.approx(once[name].low, abs=0.03)
        assert score.high == pytest.approx(once[name].high, abs=0.03)


def test_repeated_affect_predictions_are_no_more_clips():
    random = np.random.default_rng(0)
    true = {name: random.uniform(size=60) for name in ("calmness", "power")}
    answers = {name: values + random.normal(0, 0.3, 60) for name, values in true.items()}
    once = repeated_affect_scores(true, {name: values[None] for name, values in answers.items()})
    assert once == affect_scores(true, answers).main_scores
    assert list(once) == ["spearman_mean", "spearman.calmness", "spearman.power"]
    twice = repeated_affect_scores(true, {name: np.stack([v, v]) for name, v in answers.items()})
    for name, score in twice.items():
        assert (score.value, score.low, score.high) == pytest.approx(tuple(vars(once[name]).values()))
    constant = {name: np.stack([v, v * 0]) for name, v in answers.items()}
    assert repeated_affect_scores(true, constant)["spearman_mean"] == UNDEFINED

"""Whether the published numbers agree with each other, as slips in copying would not."""

import pytest

from keras_mir.reproduce import published

ROUNDING = 0.0051  # of numbers with two decimals


@pytest.mark.parametrize("number", list("12345"))
@pytest.mark.parametrize("score", [0, 1, 2])
def test_macro_averages_are_the_means_of_the_classes(number, score):
    table = published.GENRE[number]
    classes = [scores[score] for scores in table.classes]
    assert len(classes) == len(published.CLASSES)
    assert table.macro[score] == pytest.approx(sum(classes) / len(classes), abs=2 * ROUNDING)


@pytest.mark.parametrize("number", list("12345"))
@pytest.mark.parametrize("score", [0, 1, 2])
def test_weighted_averages_are_weighted_by_support(number, score):
    table = published.GENRE[number]
    total = sum(scores[score] * count for scores, count in zip(table.classes, published.SUPPORT, strict=True))
    assert table.weighted[score] == pytest.approx(total / sum(published.SUPPORT), abs=2 * ROUNDING)


@pytest.mark.parametrize("number", list("12345"))
def test_accuracy_is_the_weighted_recall(number):
    table = published.GENRE[number]
    assert table.accuracy == pytest.approx(table.weighted[1], abs=2 * ROUNDING)


@pytest.mark.parametrize("model", list(published.SPEARMAN))
def test_mean_correlations_are_the_means_of_the_targets(model):
    scores = published.SPEARMAN[model]
    assert scores["mean"] == pytest.approx(sum(scores[name] for name in published.TARGETS) / 3, abs=6e-4)


def test_classes_and_clips_are_those_of_the_mapped_test_set():
    assert sum(published.SUPPORT) == 575
    assert dict(zip(published.CLASSES, published.SUPPORT, strict=True))["Rock"] == 103

"""Whether the published numbers agree with each other, as slips in copying would not."""

import pytest

from keras_mir.reproduce import paper

ROUNDING = 0.0051  # of numbers with two decimals
CLASSES = list(paper.CLIPS)


@pytest.mark.parametrize("number", list("12345"))
@pytest.mark.parametrize("score", paper.SCORES)
def test_macro_averages_are_the_means_of_the_classes(number, score):
    table = paper.published(number)[score]
    assert list(table.index) == [*CLASSES, "accuracy", "macro avg", "weighted avg"]
    assert table["macro avg"] == pytest.approx(table[CLASSES].mean(), abs=2 * ROUNDING)


@pytest.mark.parametrize("number", list("12345"))
@pytest.mark.parametrize("score", paper.SCORES)
def test_weighted_averages_are_weighted_by_support(number, score):
    table = paper.published(number)[score]
    total = sum(table[name] * clips for name, clips in paper.CLIPS.items())
    assert table["weighted avg"] == pytest.approx(total / sum(paper.CLIPS.values()), abs=2 * ROUNDING)


@pytest.mark.parametrize("number", list("12345"))
def test_accuracy_is_the_weighted_recall(number):
    accuracy = paper.published(number)["F1"]["accuracy"]
    assert accuracy == pytest.approx(paper.published(number)["recall"]["weighted avg"], abs=2 * ROUNDING)


@pytest.mark.parametrize(("number", "model"), [("6", "LSTM"), ("6", "CNN"), ("7", "multitask CNN")])
def test_mean_correlations_are_the_means_of_the_targets(number, model):
    row = paper.published(number).loc[model]
    assert row["mean"] == pytest.approx(row[list(paper.TARGETS)].mean(), abs=6e-4)


def test_classes_and_clips_are_those_of_the_mapped_test_set():
    assert sum(paper.CLIPS.values()) == 575
    assert paper.CLIPS["Rock"] == 103


def test_the_overview_has_the_numbers_of_the_tables():
    accuracies = [paper.published(number)["F1"]["accuracy"] for number in "12345"]
    genre = [value for recipe, value in paper.OVERVIEW.items() if recipe.startswith(("paper-5", "paper-7"))]
    assert genre == accuracies == [0.36, 0.40, 0.22, 0.40, 0.41]
    means = {
        "paper-8-lstm": ("6", "LSTM"),
        "paper-8-cnn": ("6", "CNN"),
        "paper-10-multitask": ("7", "multitask CNN"),
    }
    for recipe, (number, model) in means.items():
        assert paper.OVERVIEW[recipe] == paper.published(number)["mean"][model]
    assert [paper.OVERVIEW[name] for name in ("paper-9-transfer", "paper-11-multitask")] == [0.7365, 0.69407]

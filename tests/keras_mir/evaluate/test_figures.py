"""Figures of scores carry the right numbers on their axes."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from sklearn.metrics import average_precision_score, precision_score, recall_score, roc_auc_score

from keras_mir.evaluate import figures
from keras_mir.evaluate.metrics import reliability
from keras_mir.evaluate.tag_metrics import tag_scores, thresholds_at_half
from keras_mir.models.report import Bootstrap


def test_confusion_matrix_counts_and_colours_by_share_of_the_true_class(drawn):
    matrix = np.array([[30, 10, 0], [0, 2, 0], [0, 0, 0]])
    (axes,) = drawn(figures.confusion_matrix(matrix, ["Blues", "Folk", "Rock"]))

    assert [label.get_text() for label in axes.get_yticklabels()] == ["Blues (40)", "Folk (2)", "Rock (0)"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Blues", "Folk", "Rock"]
    # (column, row): a count stands where predicted and true class meet.
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (0, 0): "30",
        (1, 0): "10",
        (1, 1): "2",
    }
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]])


def test_labels_of_20_classes_do_not_overlap_or_leave_the_figure(drawn):
    names = [f"Some-Genre-{i}" for i in range(20)]
    figure = figures.confusion_matrix(np.eye(20, dtype=int) * 40, names)
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = drawn(figure)

    boxes = [label.get_window_extent(renderer) for label in axes.get_yticklabels()]
    assert not any(upper.overlaps(lower) for upper, lower in pairwise(boxes))
    whole = figure.bbox
    assert all(whole.x0 <= box.x0 and box.y1 <= whole.y1 for box in boxes)
    assert all(label.get_window_extent(renderer).y0 >= whole.y0 for label in axes.get_xticklabels())


def test_reliability_has_a_bar_for_every_bin_with_answers(drawn):
    found = reliability(np.array([0, 1, 1, 1]), np.array([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0], [0.0, 1.0]]))
    upper, lower = drawn(figures.reliability(found))

    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in upper.patches]
    np.testing.assert_allclose(bars, [[8.5 / 15, 0.5], [14.5 / 15, 1.0]])
    np.testing.assert_array_equal(*upper.lines[0].get_data())
    np.testing.assert_allclose(upper.lines[1].get_xydata(), [[0.6, 0.5], [1.0, 1.0]])
    assert upper.get_title() == "expected calibration error 0.050"
    assert [bar.get_height() for bar in lower.patches] == [0.5 * (bin in (8, 14)) for bin in range(15)]


TAGS = tuple(f"tag {number}" for number in range(12))


def tagged(tags=TAGS, unused=1, n=80):
    """Tags of clips, of which the first are on none, and probabilities that say the less the later a tag."""
    random = np.random.default_rng(0)
    true = (random.uniform(size=(n, len(tags))) < 0.3).astype(int)
    true[:, :unused] = 0
    noise = np.linspace(0.5, 3, len(tags))
    probabilities = np.clip(0.3 + 0.4 * true + noise * random.normal(0, 0.3, true.shape), 0, 1)
    scores = tag_scores(true, probabilities, thresholds_at_half(tags), Bootstrap(resamples=50))
    return scores, true, probabilities


def legend(owner):
    return [text.get_text() for text in owner.get_texts()]


def test_areas_of_tags_stand_in_their_order_from_the_best(drawn):
    scores, true, probabilities = tagged()
    left, right = drawn(figures.tag_areas(scores))

    used = list(zip(TAGS[1:], true.T[1:], probabilities.T[1:], strict=True))
    roc = {tag: roc_auc_score(has, values) for tag, has, values in used}
    precision = {tag: average_precision_score(has, values) for tag, has, values in used}
    shares = {tag: has.mean() for tag, has, _ in used}
    order = sorted(roc, key=roc.__getitem__, reverse=True)
    names = [f"{tag} ({true[:, TAGS.index(tag)].sum()})" for tag in order]
    assert [label.get_text() for label in left.get_yticklabels()] == names
    bottom, top = left.get_ylim()
    assert bottom > 10 > 0 > top
    for axes, areas, guessed, intervals in (
        (left, roc, dict.fromkeys(roc, 0.5), scores.roc_auc),
        (right, precision, shares, scores.average_precision),
    ):
        np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [areas[tag] for tag in order])
        ends = [segment[:, 0] for segment in axes.collections[0].get_segments()]
        np.testing.assert_allclose(ends, [(intervals[tag].low, intervals[tag].high) for tag in order])
        guessing, mean = axes.lines
        np.testing.assert_allclose(guessing.get_xdata(), [guessed[tag] for tag in order])
        np.testing.assert_allclose(mean.get_xdata(), np.mean(list(areas.values())))
        assert legend(axes.get_legend()) == ["guessing", f"mean {np.mean(list(areas.values())):.3f}"]
    assert left.get_xlabel() == "ROC-AUC, with its interval"
    assert right.get_xlabel() == "PR-AUC (average precision), with its interval"


def test_precision_over_recall_of_tags_from_the_best_to_the_worst(drawn):
    scores, true, probabilities = tagged()
    figure = figures.precision_recall(scores, true, probabilities)
    panels = drawn(figure)

    used = zip(TAGS[1:], true.T[1:], probabilities.T[1:], strict=True)
    areas = {tag: average_precision_score(has, values) for tag, has, values in used}
    order = sorted(areas, key=areas.__getitem__, reverse=True)
    titles = [f"{tag}\naverage precision {areas[tag]:.3f}" for tag in order]
    shown = [axes.get_title() for axes in panels]
    assert len(shown) == 9  # of eleven
    assert shown == [title for title in titles if title in shown]
    assert (shown[0], shown[-1]) == (titles[0], titles[-1])
    for axes in panels:
        tag = axes.get_title().split("\n")[0]
        column = TAGS.index(tag)
        has, given = true[:, column], probabilities[:, column] >= 0.5
        curve, guessing, threshold = axes.lines
        recall, precision = curve.get_data()
        assert curve.get_drawstyle() == "steps-post"  # under which the average precision is the area
        assert -np.sum(np.diff(recall) * precision[:-1]) == pytest.approx(areas[tag])
        assert list(guessing.get_ydata()) == [pytest.approx(has.mean())] * 2
        at = (recall_score(has, given), precision_score(has, given))
        np.testing.assert_allclose(threshold.get_xydata(), [at])
        assert at in zip(recall, precision, strict=True)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall", "precision")
    assert legend(figure.legends[0]) == ["precision", "guessing", "at the threshold"]


def test_tags_without_areas_are_drawn_as_nothing(drawn):
    scores, true, probabilities = tagged(TAGS[:2], unused=2)
    for axes in drawn(figures.tag_areas(scores)):
        assert not axes.patches
        assert legend(axes.get_legend()) == ["guessing"]
    (axes,) = drawn(figures.precision_recall(scores, true, probabilities))
    assert not axes.lines


def test_scatter_has_equal_axes_an_identity_line_and_the_correlation(drawn):
    rng = np.random.default_rng(0)
    true = {name: rng.random(50) for name in ("valence", "energy", "power", "calmness")}
    predicted = {name: 3 * values for name, values in true.items()}
    predicted["power"] = np.full(50, 0.5)
    panels = drawn(figures.scatters(true, predicted))

    titles = [axes.get_title() for axes in panels]
    assert titles[:3] == ["valence\nSpearman 1.000", "energy\nSpearman 1.000", "power\nSpearman undefined"]
    for axes, target in zip(panels, true, strict=True):
        assert axes.get_xlim() == axes.get_ylim()
        assert axes.get_xlim()[1] > predicted[target].max()
        np.testing.assert_array_equal(*axes.lines[0].get_data())
        np.testing.assert_allclose(axes.collections[0].get_offsets(), np.c_[true[target], predicted[target]])
        box = axes.get_window_extent()
        assert box.width == pytest.approx(box.height, rel=0.01)


def test_scatter_of_a_diverged_model_is_still_drawn(drawn):
    (axes,) = drawn(
        figures.scatters({"energy": np.array([0.2, 0.4])}, {"energy": np.array([np.nan, np.nan])})
    )
    assert axes.get_title() == "energy\nSpearman undefined"

"""What the paper's figures show, by the artists in them."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage

from keras_mir.reproduce import pictures
from pipelines.figures import TRAIN, VALIDATION, save
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()
BEATS = np.array([10, 30, 50])


def clip(name="Jazz"):
    random = np.random.default_rng(0)
    bands = np.concatenate([random.uniform(-80, 0, (128, 60)), random.uniform(0, 1, (12, 60))])
    return pictures.ClipFeatures("7", name, bands, bands[:, :4], BEATS)


def lines(axes, colour):
    return [line for line in axes.lines if to_hex(line.get_color()) == colour.lower()]


def test_clips_share_a_time_axis_in_seconds_and_name_their_genre(tmp_path):
    figure = pictures.clip_pair([clip(), clip("Metal")], SPEC, part="mel", synced=False)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title().split()[0] for axes in panels] == ["Jazz", "Metal"]
    assert panels[0].get_shared_x_axes().joined(*panels)
    assert panels[0].collections[0].get_coordinates()[0, -1, 0] == pytest.approx(60 / SPEC.frame_rate)
    (marks,) = [part for part in panels[0].collections if hasattr(part, "get_segments")]
    np.testing.assert_allclose([segment[0, 0] for segment in marks.get_segments()], BEATS / SPEC.frame_rate)
    save(figure, tmp_path / "it_draws.png")


@pytest.mark.parametrize(("part", "rows"), [("mel", 128), ("chroma", 12)])
def test_columns_of_the_synced_picture_are_as_wide_as_the_beats(part, rows):
    figure = pictures.clip_pair([clip()], SPEC, part=part, synced=True)
    corners = figure.axes[0].collections[0].get_coordinates()
    assert corners.shape[:2] == (rows + 1, 5)
    np.testing.assert_allclose(corners[0, :, 0], np.array([0, 10, 30, 50, 60]) / SPEC.frame_rate)


def test_histograms_show_every_class_with_its_count():
    parts = pd.DataFrame({"train": {"Blues": 3, "Rock": 12}, "test": {"Blues": 0, "Rock": 4}})
    left, right = pictures.class_histograms(parts, "before").axes
    assert [text.get_text() for text in left.texts] == ["3", "12"]
    assert [text.get_text() for text in right.texts] == ["0", "4"]
    assert "15 clips" in left.get_title()
    assert left.yaxis_inverted(), "the first class is on top"


def test_an_overfit_curve_says_where_it_ends():
    (axes,) = pictures.overfit_curve([2.0, 0.5, 0.001]).axes
    assert axes.get_yscale() == "log"
    assert axes.get_title() == "2 at first, 0.001 at last"


def stops(axes):
    return [line for line in axes.lines if line.get_marker() == "o"]


HISTORY = {"loss": [2.0, 1.0, 0.5], "val_loss": [2.0, 1.5, 1.8], "accuracy": [0.1, 0.5, 0.9]}


def test_the_stopping_and_the_best_epoch_are_marked():
    loss, accuracy = pictures.curves_over_seeds(
        [HISTORY], "accuracy", stopped=[True], best=2, title="recipe"
    ).axes
    stopped = next(line for line in loss.lines if line.get_label() == "stopped early")
    assert (list(stopped.get_xdata()), list(stopped.get_ydata())) == ([3], [1.8])
    best = next(line for line in loss.lines if line.get_label() == "best epoch (2)")
    assert set(best.get_xdata()) == {2}
    assert len(lines(accuracy, TRAIN)) == 1


def test_every_seed_has_its_lines_and_one_entry_in_the_legend():
    figure = pictures.curves_over_seeds(
        [HISTORY, HISTORY, HISTORY], "accuracy", stopped=[True, True, False], best=2, title="recipe"
    )
    assert len(lines(figure.axes[0], TRAIN)) == len(lines(figure.axes[0], VALIDATION)) == 3
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["train", "validation", "stopped early"]


def test_train_and_validation_differ_without_colour_too():
    axes = pictures.curves_over_seeds([HISTORY], "accuracy", stopped=[False], best=1, title="").axes[0]
    (train,), (validation,) = lines(axes, TRAIN), lines(axes, VALIDATION)
    assert train.is_dashed() != validation.is_dashed()


def test_a_metric_that_only_a_later_seed_has_is_shown_and_explained():
    later = {"loss": [2.0, 1.0], "val_spearman": [0.1, 0.2]}
    figure = pictures.curves_over_seeds(
        [{"loss": [2.0, 1.0]}, later], "spearman", stopped=[True, True], best=1, title=""
    )
    spearman = figure.axes[1]
    (validation,) = lines(spearman, VALIDATION)
    np.testing.assert_array_equal(validation.get_ydata(), [0.1, 0.2])
    assert [list(line.get_ydata()) for line in stops(spearman)] == [[0.2]]
    # The loss has no validation curve to explain the other panel's with.
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert sorted(legend) == ["stopped early", "train", "validation"]


def test_a_training_that_stopped_on_an_undefined_value_is_still_drawn(tmp_path):
    history = {**HISTORY, "val_spearman": [0.1, None, None]}
    figure = pictures.curves_over_seeds([history], "spearman", stopped=[True], best=1, title="")
    loss, spearman = figure.axes
    assert [list(line.get_xdata()) for line in stops(loss)] == [[3]]
    np.testing.assert_array_equal(stops(spearman)[0].get_ydata(), [np.nan])
    save(figure, tmp_path / "it_draws.png")


def test_a_value_between_gaps_of_a_long_curve_is_seen():
    values = [None, 0.2, None, *np.linspace(0.1, 0.9, 50), None, 0.5]
    history = {"loss": [1.0] * len(values), "val_spearman": values}
    axes = pictures.curves_over_seeds([history], "spearman", stopped=[False], best=1, title="").axes[1]
    assert axes.lines[0].get_markevery() == [1, 54]


def test_a_history_without_the_metric_has_one_panel():
    figure = pictures.curves_over_seeds([{"loss": [1.0]}], "accuracy", stopped=[False], best=1, title="")
    assert len(figure.axes) == 1


def test_an_undefined_correlation_is_a_gap():
    history = {
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [3.0, 2.0, 1.0],
        "val_spearman": [None, 0.2, float("nan")],
    }
    figure = pictures.curves_over_seeds([history], "spearman", stopped=[False], best=1, title="transfer")
    loss, axes = figure.axes
    assert axes.get_xlim() == loss.get_xlim(), "a gap at either end is seen"
    assert axes.get_ylabel() == "Spearman correlation"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [np.nan, 0.2, np.nan])


def test_a_transfer_without_correlations_does_not_call_its_loss_one():
    history = {"loss": [3.0], "val_loss": [3.0]}
    (axes,) = pictures.curves_over_seeds([history], "spearman", stopped=[False], best=1, title="").axes
    assert axes.get_ylabel() == "loss"


def test_each_layer_of_the_digits_cnn_is_there_with_its_shape(tmp_path):
    random = np.random.default_rng(0)
    hidden = [random.uniform(0, 2, (4, 4, 32)), random.uniform(0, 3, (2, 2, 5))]
    probabilities = np.full(10, 0.02)
    probabilities[6] = 0.82
    figure = pictures.digit_layers(random.uniform(size=(8, 8)), hidden, probabilities, 6)
    images = [child for axes in figure.axes for child in axes.get_children() if isinstance(child, AxesImage)]
    assert len(images) == 1 + 32 + 5
    assert len({image.get_clim() for image in images[1:33]}) == 1, "one scale for the channels of a layer"
    titles = [part.get_suptitle() for part in figure.subfigs]
    shapes = [pictures.TIMES.join(shape) for shape in (("4", "4", "32"), ("2", "2", "5"))]
    assert titles[1:] == [f"hidden layer 1: {shapes[0]}", f"hidden layer 2: {shapes[1]}"]
    assert figure.axes[1].get_title().startswith("output: 10 ")
    bars = figure.axes[1].patches
    assert [bar.get_height() for bar in bars] == list(probabilities)
    assert to_hex(bars[6].get_facecolor()) == VALIDATION.lower()
    save(figure, tmp_path / "it_draws.png")


def test_filters_share_a_scale_that_is_white_at_zero():
    kernels = np.random.default_rng(0).normal(size=(3, 3, 1, 10)).astype(np.float32)
    kernels[2, 0, 0, 4] = 9.0  # frame 2, band 0 of filter 4
    figure = pictures.first_layer_filters(kernels)
    images = [child for axes in figure.axes for child in axes.get_children() if isinstance(child, AxesImage)]
    tiles = [image for image in images if image.get_array().shape == (3, 3)]
    assert len(tiles) == 10
    assert {image.get_clim() for image in tiles} == {(-9.0, 9.0)}
    assert tiles[4].get_array()[0, 2] == 9.0, "time goes to the right"
    assert tiles[4].origin == "lower", "bands go up"


def test_negative_weights_are_marked_for_readers_without_colour():
    kernels = np.full((3, 3, 1, 2), 0.1, np.float32)
    kernels[2, 0, 0, 1] = -0.1  # frame 2, band 0 of filter 1
    first, second, _ = pictures.first_layer_filters(kernels).axes
    assert len(first.collections[0].get_offsets()) == 0
    np.testing.assert_array_equal(second.collections[0].get_offsets(), [[2, 0]])


def test_scores_show_every_seed_the_mean_and_the_spread(tmp_path):
    scores = {"lstm-mel": [0.4, 0.5, 0.6], "cnn-mel": [0.7, 0.7]}
    figure = pictures.scores_by_recipe(scores, "macro_f1", 0.25)
    (axes,) = figure.axes
    seeds, means = axes.collections[::2], axes.collections[1::2]
    assert [list(part.get_offsets()[:, 0]) for part in seeds] == list(scores.values())
    assert len(np.unique(seeds[1].get_offsets(), axis=0)) == 2, "seeds of equal score are both seen"
    np.testing.assert_allclose([part.get_segments()[0][0, 0] for part in means], [0.5, 0.7])
    assert [label.get_text() for label in axes.get_yticklabels()] == list(scores)
    assert axes.yaxis_inverted(), "the first recipe is on top"
    assert [text.get_text() for text in axes.texts] == ["0.500 ± 0.100", "0.700 ± 0.000"]
    assert set(axes.lines[0].get_xdata()) == {0.25}
    assert axes.get_xlabel() == "macro f1"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["a seed", "mean", "baseline (0.250)"]
    save(figure, tmp_path / "it_draws.png")


def test_seeds_without_a_score_are_counted_and_their_recipe_keeps_its_row(tmp_path):
    scores = {"lost": [None, float("nan")], "partly": [0.2, None, 0.4], "single": [0.3]}
    figure = pictures.scores_by_recipe(scores, "spearman", None)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["no score", "0.300 ± 0.141 (2 of 3)", "0.300"]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(scores)
    assert not axes.lines, "no baseline"
    save(figure, tmp_path / "it_draws.png")

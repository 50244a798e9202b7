"""Figures carry the right numbers on their axes, and PNGs are written whole."""

import io
from itertools import pairwise

import librosa
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.image import imread
from sklearn.metrics import average_precision_score, precision_score, recall_score, roc_auc_score

from keras_mir.evaluate import figures
from keras_mir.evaluate.metrics import reliability
from keras_mir.evaluate.tag_metrics import tag_scores, thresholds_at_half
from keras_mir.models.report import Bootstrap, Interval
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()
FRAMES = 1292  # 30 s


def fused(frames=FRAMES):
    rng = np.random.default_rng(0)
    return np.vstack([-80 * rng.random((128, frames)), rng.random((12, frames))]).astype(np.float32)


def drawn(figure):
    """Lay the figure out, and return its axes without colour bars."""
    figure.savefig(io.BytesIO(), format="png", dpi=30)
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def tick_labels(axis):
    return dict(zip([t.get_text() for t in axis.get_ticklabels()], axis.get_ticklocs(), strict=True))


def cells(axes):
    return axes.collections[0].get_array()


def test_time_axis_is_the_clips_length_in_seconds():
    mel, chroma = drawn(figures.spectrogram(fused(), SPEC))

    for axes in (mel, chroma):
        start, end = axes.get_xlim()
        assert start == 0
        assert end == pytest.approx(FRAMES * 512 / 22050, abs=512 / 22050)
    assert chroma.get_xlabel() == "time (s)"


@pytest.mark.parametrize(
    "spec", [SPEC, FeatureSpec(sample_rate=44100, n_mels=96), FeatureSpec(sample_rate=16000)]
)
def test_mel_rows_are_librosas_band_centres(spec):
    centres = librosa.mel_frequencies(spec.n_mels + 2, fmin=0, fmax=spec.sample_rate / 2)[1:-1]
    rows = [figures.mel_row(hertz, spec) for hertz in centres]
    np.testing.assert_allclose(rows, np.arange(spec.n_mels), atol=1e-6)


def test_a_440_hz_tone_is_drawn_at_440_hz_and_a():
    tone = librosa.tone(440.0, sr=22050, duration=2.0)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=tone, sr=22050), ref=np.max)
    chroma = np.zeros((12, mel.shape[1]))
    chroma[9] = 1.0  # A
    mel_axes, chroma_axes = drawn(figures.spectrogram(np.vstack([mel, chroma]), SPEC))

    brightest = int(cells(mel_axes)[:, 20].argmax())
    edges = mel_axes.collections[0].get_coordinates()[:, 0, 1]
    assert edges[brightest] < figures.mel_row(440.0, SPEC) < edges[brightest + 1]
    low, high = mel_axes.get_ylim()
    assert low < high  # low frequencies at the bottom
    ticks = tick_labels(mel_axes.yaxis)
    assert ticks["250"] < brightest < ticks["500"]
    assert ticks["1000"] == pytest.approx(figures.mel_row(1000, SPEC))
    assert tick_labels(chroma_axes.yaxis)["A"] == int(cells(chroma_axes)[:, 20].argmax())


def test_frequencies_above_the_highest_band_get_no_tick():
    (axes,) = drawn(figures.spectrogram(fused(20)[:128], FeatureSpec(sample_rate=8000)))
    assert list(tick_labels(axes.yaxis)) == ["250", "500", "1000", "2000"]


@pytest.mark.parametrize(("rows", "panels"), [(slice(0, 128), 1), (slice(128, 140), 1), (slice(0, 140), 2)])
def test_mel_chroma_or_both(rows, panels):
    figure = figures.spectrogram(fused(50)[rows], SPEC, title="clip 7")
    assert len(drawn(figure)) == panels
    assert figure.get_suptitle() == "clip 7"


def test_steps_between_beats_are_placed_in_time():
    beats = np.array([20, 43, 90])
    (axes,) = drawn(figures.spectrogram(fused(4)[:128], SPEC, beats=beats, synced=True, frames=120))

    edges = axes.collections[0].get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges, np.array([0, 20, 43, 90, 120]) * 512 / 22050)


def test_a_beat_on_the_first_frame_starts_the_first_step():
    (axes,) = drawn(figures.spectrogram(fused(2)[:128], SPEC, beats=np.array([0, 30]), synced=True))

    edges = axes.collections[0].get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges, np.array([0, 30, 60]) * 512 / 22050)


def test_steps_without_beats_are_counted():
    axes = drawn(figures.spectrogram(fused(62), SPEC, synced=True))[-1]

    assert axes.get_xlim() == (0, 62)
    assert axes.get_xlabel().startswith("step")


def test_beats_mark_a_spectrogram_of_frames():
    (axes,) = drawn(figures.spectrogram(fused()[:128], SPEC, beats=np.array([43, 86])))

    marks = [segment[0][0] for segment in axes.collections[1].get_segments()]
    np.testing.assert_allclose(marks, [43 * 512 / 22050, 86 * 512 / 22050])


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="50 bands"):
        figures.spectrogram(np.zeros((50, 10)), SPEC)
    with pytest.raises(ValueError, match="5 steps"):
        figures.spectrogram(fused(5), SPEC, beats=np.array([3, 6]), synced=True)


def test_confusion_matrix_counts_and_colours_by_share_of_the_true_class():
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


def test_labels_of_20_classes_do_not_overlap_or_leave_the_figure():
    names = [f"Some-Genre-{i}" for i in range(20)]
    figure = figures.confusion_matrix(np.eye(20, dtype=int) * 40, names)
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = drawn(figure)

    boxes = [label.get_window_extent(renderer) for label in axes.get_yticklabels()]
    assert not any(upper.overlaps(lower) for upper, lower in pairwise(boxes))
    whole = figure.bbox
    assert all(whole.x0 <= box.x0 and box.y1 <= whole.y1 for box in boxes)
    assert all(label.get_window_extent(renderer).y0 >= whole.y0 for label in axes.get_xticklabels())


def test_reliability_has_a_bar_for_every_bin_with_answers():
    found = reliability(np.array([0, 1, 1, 1]), np.array([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0], [0.0, 1.0]]))
    upper, lower = drawn(figures.reliability(found))

    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in upper.patches]
    np.testing.assert_allclose(bars, [[8.5 / 15, 0.5], [14.5 / 15, 1.0]])
    np.testing.assert_array_equal(*upper.lines[0].get_data())
    np.testing.assert_allclose(upper.lines[1].get_xydata(), [[0.6, 0.5], [1.0, 1.0]])
    assert upper.get_title() == "expected calibration error 0.050"
    assert [bar.get_height() for bar in lower.patches] == [0.5 * (bin in (8, 14)) for bin in range(15)]


def test_intervals_stand_in_their_order_from_the_top():
    scores = {
        "one": Interval(0.5, 0.4, 0.6),
        "two": Interval(None, None, None),
        "three": Interval(0.7, None, None),
    }
    (axes,) = drawn(figures.intervals(scores, "accuracy"))

    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two", "three"]
    bottom, top = axes.get_ylim()
    assert bottom > 2 > 0 > top
    np.testing.assert_allclose([line.get_xydata()[0] for line in axes.lines], [[0.5, 0], [0.7, 2]])
    (line,) = axes.collections[0].get_segments()
    np.testing.assert_allclose(line, [[0.4, 0], [0.6, 0]])
    assert len(axes.collections) == 1


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


def test_areas_of_tags_stand_in_their_order_from_the_best():
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


def test_precision_over_recall_of_tags_from_the_best_to_the_worst():
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


def test_tags_without_areas_are_drawn_as_nothing():
    scores, true, probabilities = tagged(TAGS[:2], unused=2)
    for axes in drawn(figures.tag_areas(scores)):
        assert not axes.patches
        assert legend(axes.get_legend()) == ["guessing"]
    (axes,) = drawn(figures.precision_recall(scores, true, probabilities))
    assert not axes.lines


def test_scatter_has_equal_axes_an_identity_line_and_the_correlation():
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


def test_scatter_of_a_diverged_model_is_still_drawn():
    (axes,) = drawn(
        figures.scatters({"energy": np.array([0.2, 0.4])}, {"energy": np.array([np.nan, np.nan])})
    )
    assert axes.get_title() == "energy\nSpearman undefined"


def test_learning_curves():
    history = {
        "loss": [3.0, 2.0, 1.0],
        "energy_loss": [3.0, 2.0, 1.0],
        "energy_rmse": [1.7, 1.4, 1.0],
        "learning_rate": [1e-3, 1e-3, 1e-4],
        "val_loss": [3.0, 1.5, 2.5],
        "val_energy_loss": [3.0, 1.5, 2.5],
        "val_energy_rmse": [1.7, 1.2, 1.6],
    }
    figure = figures.learning_curves(history, best_epoch=1, stopped_epoch=2)
    panels = drawn(figure)

    assert [axes.get_ylabel() for axes in panels] == ["loss", "energy rmse", "learning rate"]
    train, validation, best = panels[0].lines
    np.testing.assert_array_equal(train.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(validation.get_ydata(), [3.0, 1.5, 2.5])
    assert to_rgba(train.get_color()) != to_rgba(validation.get_color())
    assert list(best.get_xdata()) == [2, 2]  # an index counts from 0, people from 1
    legend = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert legend == ["train", "validation", "best epoch (2)"]
    assert "epoch 3" in figure.get_suptitle()
    assert panels[2].get_yscale() == "log"


def test_learning_curves_of_one_epoch_show_points():
    (axes,) = drawn(figures.learning_curves({"loss": [1.0], "val_loss": [2.0]}))
    assert {line.get_marker() for line in axes.lines} == {"."}


def test_save_writes_a_png_and_nothing_else(tmp_path):
    figure = figures.confusion_matrix(np.eye(20, dtype=int), [f"class {n}" for n in range(20)])
    path = figures.save(figure, tmp_path / "pictures" / "classes.png")

    height, width = imread(path).shape[:2]
    assert width > 6 * figures.DPI
    assert height > 1 * figures.DPI
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("names", [["$x$", r"Jazz $\frac$"], ["東京", "_a"], ["[b]", "^{"]])
def test_a_name_is_shown_as_it_is(names, tmp_path):
    figure = figures.confusion_matrix(np.eye(2, dtype=int), names)
    figures.save(figure, tmp_path / "matrix.png")
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == names
    assert not any(label.get_parse_math() for label in labels)


def test_powers_of_ten_are_formulas():
    figure = figures.learning_curves({"loss": [1.0, 0.5], "learning_rate": [1e-3, 1e-4]})
    figures.png(figure)
    labels = {label.get_text(): label.get_parse_math() for label in figure.axes[1].get_yticklabels()}
    assert labels[r"$\mathdefault{10^{-3}}$"]

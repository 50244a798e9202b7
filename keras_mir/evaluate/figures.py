"""Pictures for reports, TensorBoard and print.

Every function returns a matplotlib `Figure` of its own, without pyplot and its global state.
Colours can be told apart by colour-blind readers: cividis and magma for values, Okabe and Ito's blue
and vermilion for pairs. In grey, those two are alike, so that lines of a pair differ in their dashes too.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import precision_recall_curve

from keras_mir.evaluate.metrics import Reliability, rank_correlation
from keras_mir.models.report import Interval, TagScores, number
from pipelines.files import write_atomically
from pipelines.spec import FeatureSpec

DPI = 150
TRAIN, VALIDATION, NEUTRAL = "#0072B2", "#D55E00", "#595959"

History = Mapping[str, Sequence[float | None]]  # values by epoch, as Keras names them; None where undefined

# The two curves of a metric: what Keras puts before its name, label, colour and line.
_CURVES = (("", "train", TRAIN, (0, (3, 1))), ("val_", "validation", VALIDATION, "-"))

PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_MEL_TICKS = (250, 500, 1000, 2000, 4000, 8000, 16000)  # Hz; an octave apart
_PANELS_PER_ROW = 3
_MOST_CURVES = 9  # of tags
_MOST_COUNTS = 30  # classes; in a larger confusion matrix no number would be readable


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG at 150 dpi so that it is there whole or not at all.

    Args:
        figure: What to write.
        path: Where to; its folder is made if it is not there.
    """
    write_atomically(path, png(figure))
    return path


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """A figure as a PNG. What stands between dollar signs in a name is no formula."""
    for axes in figure.axes:
        axes.get_xticklabels()  # which writes them
        axes.get_yticklabels()
    for text in figure.findobj(Text):
        if isinstance(text, Text) and r"\mathdefault" not in text.get_text():  # powers of ten are formulas
            text.set_parse_math(False)
    image = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that no font has is shown as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(image, format="png", dpi=dpi, bbox_inches="tight")
    return image.getvalue()


def learning_curves(
    history: History,
    best_epoch: int | None = None,
    stopped_epoch: int | None = None,
) -> Figure:
    """Loss, metrics and, where it is in the history, learning rate over epochs, shown from 1.

    Args:
        history: Values by epoch, as Keras names them: `loss`, `val_loss`, `accuracy` ...
            The parts a loss is the sum of (`valence_loss`) get no panel.
        best_epoch: Index, as Keras counts from 0, of the epoch whose weights the model has.
        stopped_epoch: Index of the epoch after which early stopping ended the training; None
            if it did not.
    """
    # Some metrics are of the validation examples only.
    metrics = [
        name
        for name in dict.fromkeys(key.removeprefix("val_") for key in history)
        if name not in ("loss", "learning_rate") and not name.endswith("_loss")
    ]
    names = ["loss", *metrics, *(["learning_rate"] if "learning_rate" in history else [])]
    figure, panels = panel_grid(len(names), width=4.2, height=3.2)
    for axes, name in zip(panels, names, strict=True):
        draw_curves(axes, [history], name)
        if name == "learning_rate":
            axes.set_yscale("log")
        if best_epoch is not None:
            mark_epoch(axes, best_epoch + 1)
        axes.set(ylabel=name.replace("_", " "), xlim=(0.5, len(history["loss"]) + 0.5))
    panels[0].legend(fontsize="small")
    if stopped_epoch is not None:
        figure.suptitle(f"stopped early, after epoch {stopped_epoch + 1}", fontsize="medium")
    return figure


def draw_curves(axes: Axes, histories: Sequence[History], name: str) -> None:
    """Draw a metric over epochs, shown from 1: a line for each history, a gap where it is undefined."""
    for prefix, label, colour, line in _CURVES:
        for history in histories:
            values = np.array(history.get(f"{prefix}{name}", []), np.float64)  # None is NaN: a gap
            # All of a short curve is marked, and else what is between gaps, as it has no line.
            known = np.isfinite(np.pad(values, 1, constant_values=np.nan))
            alone = known[1:-1] & ~known[:-2] & ~known[2:]
            marked = np.flatnonzero(alone | (len(values) <= 30)).tolist()
            if len(values):
                axes.plot(
                    range(1, len(values) + 1),
                    values,
                    color=colour,
                    linestyle=line,
                    linewidth=1.4 if len(histories) == 1 else 1.0,
                    marker="." if marked else "",
                    markevery=marked,
                    label=label,
                )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)


def mark_epoch(axes: Axes, best: int) -> None:
    """Mark the epoch, counted from 1, whose weights were kept."""
    axes.axvline(best, color=NEUTRAL, linestyle="--", linewidth=1, label=f"best epoch ({best})")


def confusion_matrix(matrix: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Counts, coloured by their share of the true class.

    Args:
        matrix: int `(n_classes, n_classes)`, true classes in rows.
        class_names: In the order of rows and columns.
    """
    matrix = np.asarray(matrix)
    k = len(class_names)
    support = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(support, 1)
    side = min(max(0.45 * k, 2.5), 14.0)  # inches
    figure = new_figure(side + 2.6, side + 1.4)
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap="cividis", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    rows = [f"{name} ({n})" for name, n in zip(class_names, support[:, 0], strict=True)]
    axes.set_yticks(range(k), rows)
    axes.set_xticks(range(k), list(class_names), rotation=45, ha="right", rotation_mode="anchor")
    axes.set(xlabel="predicted", ylabel="true (clips)")
    if k <= _MOST_COUNTS:
        for row, column in np.argwhere(matrix):
            colour = "black" if share[row, column] > 0.5 else "white"
            axes.text(
                column, row, matrix[row, column], ha="center", va="center", color=colour, fontsize="small"
            )
    return figure


def reliability(found: Reliability) -> Figure:
    """Accuracy over the probability of the predicted class, and how many clips have which probability.

    Args:
        found: By bin of the probability of the predicted class.
    """
    figure = new_figure(4.6, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = len(found.share)
    centres = (np.arange(bins) + 0.5) / bins
    some = found.share > 0
    upper.plot((0, 1), (0, 1), color=NEUTRAL, linewidth=1, linestyle="--", label="perfect calibration")
    upper.bar(centres[some], found.accuracy[some], 1 / bins, color=TRAIN, alpha=0.5, label="accuracy")
    # A bar's middle is not how sure the model was within the bin.
    upper.plot(found.confidence[some], found.accuracy[some], "o", color=VALIDATION, label="mean probability")
    lower.bar(centres, found.share, 1 / bins, color=NEUTRAL)
    title = f"expected calibration error {found.error:.3f}"
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02), title=title)
    lower.set(xlabel="probability of the predicted class", ylabel="share of clips")
    upper.legend(fontsize="small", loc="upper left")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return figure


def intervals(scores: Mapping[str, Interval], score: str) -> Figure:
    """Scores with their confidence intervals, a row each, from the top.

    Args:
        scores: By name. One that is undefined has no mark.
        score: What it is, in words.
    """
    figure = new_figure(6.4, 1.1 + 0.35 * len(scores))
    axes = figure.add_subplot()
    for row, found in enumerate(scores.values()):
        if found.value is None:
            continue
        if found.low is not None and found.high is not None:
            axes.hlines(row, found.low, found.high, color=TRAIN)
        axes.plot(found.value, row, "o", color=TRAIN)
    axes.set_yticks(range(len(scores)), list(scores))
    axes.set(xlabel=f"{score}, with its interval", ylim=(len(scores) - 0.5, -0.5))
    axes.grid(alpha=0.3, axis="x")
    return figure


def tag_areas(scores: TagScores) -> Figure:
    """ROC-AUC and average precision by tag, with their intervals, the best first.

    Args:
        scores: Scores of the tags; one that has no areas has no bars.
    """
    known = [tag for tag in scores.tags if tag not in scores.undefined]
    order = sorted(known, key=lambda tag: -float(scores.roc_auc[tag]))
    figure = new_figure(9.0, 1.4 + 0.26 * max(len(order), 3))
    chance = {tag: scores.per_tag[tag].support / scores.n for tag in order}
    kinds = (
        ("ROC-AUC", scores.roc_auc, scores.macro_roc_auc, dict.fromkeys(order, 0.5)),
        ("PR-AUC (average precision)", scores.average_precision, scores.mean_average_precision, chance),
    )
    for axes, (name, areas, mean, guessed) in zip(figure.subplots(1, 2, sharey=True), kinds, strict=True):
        values = np.array([float(areas[tag]) for tag in order])
        ends = np.array([(areas[tag].low, areas[tag].high) for tag in order], np.float64).reshape(-1, 2)
        rows = np.arange(len(order))
        axes.barh(rows, values, color=TRAIN, alpha=0.5)
        axes.hlines(rows, ends[:, 0], ends[:, 1], color=NEUTRAL)
        axes.plot(list(guessed.values()), rows, "|", color=VALIDATION, markersize=9, label="guessing")
        if mean.value is not None:
            axes.axvline(
                mean.value, color=NEUTRAL, linestyle="--", linewidth=1, label=f"mean {mean.value:.3f}"
            )
        axes.set_yticks(rows, [f"{tag} ({scores.per_tag[tag].support})" for tag in order])
        axes.set(xlabel=f"{name}, with its interval", xlim=(0, 1), ylim=(len(order) - 0.4, -0.6))
        axes.grid(alpha=0.3, axis="x")
        axes.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    return figure


def precision_recall(scores: TagScores, true: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Precision over recall of up to nine tags, from the best to the worst, each with its threshold.

    Args:
        scores: Scores of the tags; one that has no areas is left out.
        true: `(n, n_tags)`, 1 where a clip has a tag and else 0.
        probabilities: `(n, n_tags)`.
    """
    known = [tag for tag in scores.tags if tag not in scores.undefined]
    order = sorted(known, key=lambda tag: -float(scores.average_precision[tag]))
    spread = np.unique(np.linspace(0, len(order) - 1, min(len(order), _MOST_CURVES)).round().astype(int))
    shown = [order[place] for place in spread]
    figure, panels = panel_grid(max(len(shown), 1), width=3.2, height=3.0)
    for axes, tag in zip(panels, shown, strict=False):
        column = scores.tags.index(tag)
        precision, recall, _ = precision_recall_curve(true[:, column], probabilities[:, column])
        axes.plot(recall, precision, color=TRAIN, drawstyle="steps-post", label="precision")
        share, at = scores.per_tag[tag].support / scores.n, scores.per_tag[tag]
        axes.axhline(share, color=NEUTRAL, linestyle="--", linewidth=1, label="guessing")
        axes.plot(at.recall, at.precision, "o", color=VALIDATION, label="at the threshold")
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
        axes.set_title(
            f"{tag}\naverage precision {number(scores.average_precision[tag].value)}", fontsize="medium"
        )
        axes.grid(alpha=0.3)
    if shown:
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small"
        )
    return figure


def scatters(true: Mapping[str, np.ndarray], predicted: Mapping[str, np.ndarray]) -> Figure:
    """Predicted over true values with their Spearman correlation, a panel for each target.

    Args:
        true: `(n,)` by target.
        predicted: `(n,)` by target. Values that are not finite are left out.
    """
    figure, panels = panel_grid(len(true), width=3.6, height=4.2)
    for axes, target in zip(panels, true, strict=True):
        shown = np.isfinite(predicted[target])
        x, y = np.asarray(true[target])[shown], np.asarray(predicted[target])[shown]
        axes.scatter(x, y, s=14, color=TRAIN, alpha=0.5, linewidths=0)
        values = np.concatenate([x, y]) if shown.any() else np.array([0.0, 1.0])
        margin = 0.04 * np.ptp(values) or 0.5
        limits = (values.min() - margin, values.max() + margin)
        identity = axes.plot(limits, limits, color=NEUTRAL, linewidth=1, linestyle="--")
        rho = rank_correlation(x, y)
        title = f"{target}\nSpearman {'undefined' if rho is None else f'{rho:.3f}'}"
        axes.set(xlabel="true", ylabel="predicted", xlim=limits, ylim=limits, box_aspect=1, title=title)
        axes.grid(alpha=0.3)
    figure.legend(identity, ["predicted = true"], loc="outside lower center", fontsize="small")
    return figure


def spectrogram(
    features: np.ndarray,
    spec: FeatureSpec,
    *,
    beats: np.ndarray | None = None,
    synced: bool = False,
    frames: int | None = None,
    title: str = "",
) -> Figure:
    """A clip's mel spectrogram, chromagram, or both.

    Args:
        features: `(bands, time)`: mel in dB, chroma, or mel then chroma.
        spec: What they were made with.
        beats: int `(n,)` beat frames. They are marked in a spectrogram of frames, and place
            the steps of a beat-synchronous one in time.
        synced: Whether the columns are beat-synchronous. Without `beats` the time axis then
            counts steps.
        frames: Length of the clip, where the last step of a beat-synchronous spectrogram ends;
            by default that step is as long as the one before.
        title: Title of the figure.

    Raises:
        ValueError: If the number of bands is not that of `spec`, or the steps do not fit the beats.
    """
    edges, label = column_edges(features.shape[1], spec, beats if synced else None, synced, frames)
    rows = len(features)
    if rows not in (spec.n_mels, spec.n_chroma, spec.n_bands):
        known = f"{spec.n_mels} (mel), {spec.n_chroma} (chroma) or {spec.n_bands}"
        raise ValueError(f"{rows} bands; expected {known}")
    mel, chroma = np.split(features, [0 if rows == spec.n_chroma else spec.n_mels])
    heights = [3.0] * bool(len(mel)) + [1.6] * bool(len(chroma))
    figure = new_figure(8.0, sum(heights) + 0.8)
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    if len(mel):
        draw_mel(panels[0], mel, edges, spec)
    if len(chroma):
        draw_chroma(panels[-1], chroma, edges, spec)
    if beats is not None and not synced:
        mark_beats(panels[0], beats, spec)
    panels[-1].set_xlabel(label)
    figure.align_ylabels()
    if title:
        figure.suptitle(title)
    return figure


def vectors(values: np.ndarray, title: str = "") -> Figure:
    """A clip's vectors, one above the other as its time goes on.

    Args:
        values: `(size, vectors)`.
        title: Title of the figure.
    """
    figure = new_figure(8.0, 3.8)
    axes = figure.subplots()
    largest = np.abs(values).max(initial=0.0) or 1.0
    image = axes.imshow(
        values.T, aspect="auto", interpolation="nearest", cmap="RdBu_r", vmin=-largest, vmax=largest
    )
    figure.colorbar(image, ax=axes)
    axes.set(xlabel="number of the vector", ylabel="vector")
    if title:
        figure.suptitle(title)
    return figure


def draw_mel(axes: Axes, mel: np.ndarray, edges: np.ndarray, spec: FeatureSpec) -> None:
    """Draw mel bands `(n_mels, time)` in dB, with their scale, between column edges `(time + 1,)`."""
    _draw_bands(axes, mel, edges, "magma", (-spec.top_db, 0.0), "dB")
    hertz = [f for f in _MEL_TICKS if 0 <= mel_row(f, spec) <= spec.n_mels - 1]
    axes.set_yticks([mel_row(f, spec) for f in hertz], [str(f) for f in hertz])
    axes.set_ylabel("frequency (Hz, mel)")


def draw_chroma(axes: Axes, chroma: np.ndarray, edges: np.ndarray, spec: FeatureSpec) -> None:
    """Draw pitch classes `(n_chroma, time)`, as `draw_mel` does."""
    _draw_bands(axes, chroma, edges, "cividis", (0.0, 1.0), "energy")
    per_class, rest = divmod(spec.n_chroma, len(PITCH_CLASSES))
    if per_class and not rest:
        axes.set_yticks(range(0, spec.n_chroma, per_class), PITCH_CLASSES, fontsize=8)
    axes.set_ylabel("pitch class")


def mark_beats(axes: Axes, beats: np.ndarray, spec: FeatureSpec) -> None:
    """Mark beat frames `(n,)` above a spectrogram: lines through it would hide what they point at."""
    above = axes.get_xaxis_transform()
    axes.vlines(np.asarray(beats) / spec.frame_rate, 1.01, 1.05, NEUTRAL, transform=above, clip_on=False)
    axes.text(0, 1.06, "beats", transform=axes.transAxes, fontsize="small")


def mel_row(hertz: float, spec: FeatureSpec) -> float:
    """Where a frequency lies among the rows of a mel spectrogram: row r is centred on band r.

    The bands' centres are equally spaced on Slaney's mel scale ("Auditory Toolbox", 1998), librosa's
    default, with the first and last band's outer edges at 0 Hz and at half the sampling rate.
    """
    spacing = _hertz_to_mel(spec.sample_rate / 2) / (spec.n_mels + 1)
    return _hertz_to_mel(hertz) / spacing - 1


def _hertz_to_mel(hertz: float) -> float:
    linear = 3 * hertz / 200  # 15 mel at 1 kHz; above it, 27 mel for a factor of 6.4
    return linear if hertz < 1000 else float(15 + 27 * np.log(hertz / 1000) / np.log(6.4))


def column_edges(
    columns: int, spec: FeatureSpec, beats: np.ndarray | None, synced: bool, frames: int | None
) -> tuple[np.ndarray, str]:
    """Where columns begin and end, `(columns + 1,)`, and the label of that axis; see `spectrogram`."""
    if not synced:
        return np.arange(columns + 1) / spec.frame_rate, "time (s)"
    if beats is None:
        return np.arange(columns + 1), "step (one beat each)"
    starts = np.union1d([0], beats)  # what comes before the first beat is a step too
    end = frames or starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1)
    if len(starts) != columns:
        raise ValueError(f"{columns} steps do not fit {len(starts) - 1} beats after the start")
    return np.append(starts, end) / spec.frame_rate, "time (s)"


def _draw_bands(
    axes: Axes, bands: np.ndarray, edges: np.ndarray, colours: str, limits: tuple[float, float], label: str
) -> None:
    rows = np.arange(len(bands) + 1) - 0.5  # so that row r is centred on r
    # Rasterised: a path for each of 165,000 cells would make a PDF of tens of megabytes.
    image = axes.pcolormesh(
        edges, rows, bands, cmap=colours, vmin=limits[0], vmax=limits[1], shading="flat", rasterized=True
    )
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.01)


def panel_grid(n: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of n panels of a size in inches, three in a row."""
    columns = min(n, _PANELS_PER_ROW)
    rows = -(-n // columns)
    figure = new_figure(width * columns, height * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in panels[n:]:
        unused.remove()
    return figure, list(panels[:n])


def new_figure(width: float, height: float) -> Figure:
    """A figure of a size in inches whose parts are kept from overlapping."""
    return Figure(figsize=(width, height), layout="constrained")

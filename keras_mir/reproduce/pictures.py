"""The paper's figures that no single evaluation has, fit to print; see `pipelines.figures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from keras_mir.fit.learning_curves import History, draw_curves, mark_epoch
from pipelines.extraction.pictures import column_edges, draw_chroma, draw_mel, mark_beats
from pipelines.figures import NEUTRAL, TRAIN, VALIDATION, new_figure
from pipelines.spec import FeatureSpec

TIMES = " \N{MULTIPLICATION SIGN} "
_WIDTH = 8.0  # inches
_FILTERS_PER_ROW, _CHANNELS_PER_ROW = 8, 16
_LABELS = {"spearman": "Spearman correlation"}  # of metrics as Keras names them
_SEED_SPREAD = 0.15  # of a row, up and down, so that seeds of equal score do not hide each other


@dataclass(frozen=True)
class ClipFeatures:
    """A clip to show: mel in dB and chroma, float32 `(n_bands, time)`, and the same between beats.

    Beats are int `(n,)` frames.
    """

    id: str
    genre: str
    features: np.ndarray
    synced: np.ndarray
    beats: np.ndarray


def clip_pair(
    clips: Sequence[ClipFeatures], spec: FeatureSpec, *, part: Literal["mel", "chroma"], synced: bool
) -> Figure:
    """Spectrograms of several clips below each other, on one time axis in seconds.

    `synced` ones have one column per beat, as wide as the beat is long; others every frame, with beats
    marked above.
    """
    figure = new_figure(_WIDTH, (2.4 if part == "mel" else 1.9) * len(clips) + 0.4)
    panels = figure.subplots(len(clips), 1, sharex=True, squeeze=False)[:, 0]
    draw = draw_mel if part == "mel" else draw_chroma
    for axes, clip in zip(panels, clips, strict=True):
        shown = clip.synced if synced else clip.features
        columns, beats = shown.shape[1], clip.beats if synced else None
        edges, label = column_edges(columns, spec, beats, synced, clip.features.shape[1])
        draw(axes, shown[spec.bands(part)], edges, spec)
        if not synced:
            mark_beats(axes, clip.beats, spec)
        title = f"{clip.genre} (clip {clip.id}), {columns} {'beats' if synced else 'frames'}"
        axes.set_title(title, fontsize="medium", pad=None if synced else 12)
    panels[-1].set_xlabel(label)
    figure.align_ylabels()
    return figure


def class_histograms(parts: pd.DataFrame, title: str) -> Figure:
    """Clips by class, a row each, in a panel for each part of the data, a column each."""
    figure = new_figure(_WIDTH, 0.24 * len(parts) + 1.3)
    panels = figure.subplots(1, len(parts.columns), sharey=True, squeeze=False)[0]
    for axes, (name, counts) in zip(panels, parts.items(), strict=True):
        bars = axes.barh(counts.index, counts, color=TRAIN)
        axes.bar_label(bars, padding=3, fontsize="small")
        axes.margins(x=0.15, y=0.01)
        axes.set(xlabel="clips", title=f"{name} ({counts.sum():,} clips)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()  # the first class on top
    figure.suptitle(title)
    return figure


def overfit_curve(losses: Sequence[float]) -> Figure:
    """Training loss over epochs, on a logarithmic scale: a sound model brings it to about 0."""
    figure = new_figure(5.5, 3.4)
    axes = figure.add_subplot()
    axes.plot(range(1, len(losses) + 1), losses, color=TRAIN)
    title = f"{losses[0]:.3g} at first, {losses[-1]:.2g} at last"
    axes.set(xlabel="epoch", ylabel="training loss", title=title, yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    return figure


def curves_over_seeds(
    histories: Sequence[History], metric: str, *, stopped: Sequence[bool], best: int, title: str
) -> Figure:
    """Loss and a metric over epochs, a line for each seed; a gap where a value is undefined.

    Args:
        histories: One a seed.
        metric: `accuracy`, say; may be there for validation only, for some seeds only, or not at all.
        stopped: For each seed, whether early stopping ended it.
        best: Epoch of the first seed whose weights were kept, counted from 1; shown for a single seed.
        title: Title of the figure.
    """
    known = any(key in history for history in histories for key in (metric, f"val_{metric}"))
    names = ["loss", metric] if known else ["loss"]
    figure = new_figure(_WIDTH * len(names) / 2, 3.3)
    # One axis of epochs, so that a gap at either end is seen.
    panels = figure.subplots(1, len(names), sharex=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        draw_curves(axes, histories, name)
        axes.set_ylabel(_LABELS.get(name, name))
        for history, early in zip(histories, stopped, strict=True):
            values = history.get(f"val_{name}", history.get(name))
            if early and values:
                last = np.array(values[-1], np.float64)
                axes.plot(len(values), last, "o", color=NEUTRAL, markersize=6, label="stopped early")
        if len(histories) == 1:
            mark_epoch(axes, best)
    # What is in one panel only, such as validation where the loss has none, is explained too.
    handles = _legend(panels)
    panels[0].legend(handles.values(), handles.keys(), fontsize="small")
    figure.suptitle(title, fontsize="medium")
    return figure


def digit_layers(
    image: np.ndarray, hidden: Sequence[np.ndarray], probabilities: np.ndarray, digit: int
) -> Figure:
    """What each layer of a small CNN makes of one digit.

    Args:
        image: `(height, width)`, the input.
        hidden: `(height, width, channels)` for each hidden layer.
        probabilities: `(10,)`, the output.
        digit: What the image shows.
    """
    rows = [-(-layer.shape[-1] // _CHANNELS_PER_ROW) for layer in hidden]
    heights = [1.9, *(0.55 * count + 0.45 for count in rows)]
    figure = new_figure(_WIDTH, 1.9 + sum(heights[1:]))
    top, *below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    left, right = top.subplots(1, 2, width_ratios=[1, 2])
    left.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    left.set_title(f'input: a "{digit}", {TIMES.join(map(str, image.shape))}', fontsize="medium")
    left.set_axis_off()
    bars = right.bar(range(10), probabilities, color=[VALIDATION if n == digit else TRAIN for n in range(10)])
    right.bar_label(bars, [f"{p:.2f}" if p >= 0.005 else "" for p in probabilities], fontsize="small")
    right.set(xticks=range(10), ylim=(0, 1.15), yticks=(0, 0.5, 1))
    right.set_title(f"output: {len(probabilities)} probabilities, one for each digit", fontsize="medium")
    right.spines[["top", "right"]].set_visible(False)
    for number, (part, layer, count) in enumerate(zip(below, hidden, rows, strict=True), start=1):
        part.suptitle(f"hidden layer {number}: {TIMES.join(map(str, layer.shape))}", fontsize="medium")
        # One scale for all channels of a layer: how strong each is can be compared.
        channels, limits = np.moveaxis(layer, -1, 0), (0.0, float(layer.max()))
        _draw_tiles(part, channels, count, _CHANNELS_PER_ROW, "gray_r", limits)
    return figure


def first_layer_filters(kernels: np.ndarray) -> Figure:
    """The filters of a CNN's first layer, `(time, bands, 1, filters)`, on one scale that is white at 0.

    Negative weights have a dot: without colour, they would look like positive ones.
    """
    tiles = np.moveaxis(kernels[:, :, 0, :], -1, 0).transpose(0, 2, 1)  # bands upwards, time to the right
    rows = -(-len(tiles) // _FILTERS_PER_ROW)
    limit = float(np.abs(kernels).max()) or 1.0
    figure = new_figure(_WIDTH * 0.85, 0.8 * rows + 0.6)
    images = _draw_tiles(figure, tiles, rows, _FILTERS_PER_ROW, "PuOr", (-limit, limit), origin="lower")
    for axes, tile in zip(figure.axes, tiles, strict=True):
        band, frame = np.nonzero(tile < 0)
        axes.scatter(frame, band, s=5, color="black", edgecolors="white", linewidths=0.4)
    figure.colorbar(images, ax=figure.axes, label="weight (a dot: less than 0)", shrink=0.8, pad=0.01)
    figure.supxlabel("time (frames)", fontsize="medium")
    figure.supylabel("frequency (bands)", fontsize="medium")
    return figure


def scores_by_recipe(
    scores: Mapping[str, Sequence[float | None]], metric: str, baseline: float | None
) -> Figure:
    """A row for each recipe: a dot for each seed, a line at their mean, and mean ± spread in figures.

    Args:
        scores: By recipe, in the order to show, a score for each seed. Undefined ones (None or NaN) are
            left out and counted; a recipe without a score keeps its row.
        metric: What they are.
        baseline: Score of the trivial answer, such as the majority class's share; None for no line.
    """
    figure = new_figure(_WIDTH, 0.34 * len(scores) + 1.5)
    axes = figure.add_subplot()
    for row, values in enumerate(scores.values()):
        every = np.array(values, np.float64)
        known = every[np.isfinite(every)]
        heights = row + np.linspace(-_SEED_SPREAD, _SEED_SPREAD, len(known)) if len(known) > 1 else [row]
        if len(known):
            axes.scatter(known, heights, s=24, color=TRAIN, linewidths=0, zorder=3, label="a seed")
            axes.vlines(known.mean(), row - 0.35, row + 0.35, VALIDATION, linewidth=2.5, label="mean")
        spread = f" ± {known.std(ddof=1):.3f}" if len(known) > 1 else ""
        missing = f" ({len(known)} of {len(every)})" if len(known) < len(every) else ""
        summary = f"{known.mean():.3f}{spread}{missing}" if len(known) else "no score"
        # Beside the panel, where no dot can lie under it.
        axes.text(1.01, row, summary, transform=axes.get_yaxis_transform(), va="center")
    if baseline is not None:
        label = f"baseline ({baseline:.3f})"
        axes.axvline(baseline, color=NEUTRAL, linestyle="--", linewidth=1, label=label)
    axes.set_yticks(range(len(scores)), list(scores))
    axes.set(ylim=(len(scores) - 0.5, -0.5), xlabel=metric.replace("_", " "))  # first on top
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if handles := _legend([axes]):
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize="small")
    return figure


def _draw_tiles(
    figure: Figure | SubFigure,
    tiles: np.ndarray,
    rows: int,
    columns: int,
    colours: str,
    limits: tuple[float, float],
    **how: str,
) -> AxesImage:
    """Small pictures `(n, height, width)` in rows, without axes."""
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, tile in zip(panels, tiles, strict=False):
        image: AxesImage = axes.imshow(tile, cmap=colours, vmin=limits[0], vmax=limits[1], **how)
        axes.set(xticks=[], yticks=[])
    for unused in panels[len(tiles) :]:
        unused.remove()
    return image


def _legend(panels: Sequence[Axes]) -> dict[str, Artist]:
    """Something drawn for each label, the last of all panels."""
    shown = [axes.get_legend_handles_labels() for axes in panels]
    return {label: line for lines, labels in shown for line, label in zip(lines, labels, strict=True)}

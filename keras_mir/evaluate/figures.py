"""Pictures of scores, for reports and TensorBoard. See `pipelines.figures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from keras_mir.evaluate.metrics import Reliability, rank_correlation
from keras_mir.models.report import TagScores, number
from pipelines.figures import NEUTRAL, TRAIN, VALIDATION, new_figure, panel_grid

_MOST_CURVES = 9  # of tags
_MOST_COUNTS = 30  # classes; in a larger confusion matrix no number would be readable


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

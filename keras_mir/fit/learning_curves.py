"""Learning curves: loss and metrics over epochs. See `pipelines.figures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipelines.figures import NEUTRAL, TRAIN, VALIDATION, panel_grid

History = Mapping[str, Sequence[float | None]]  # values by epoch, as Keras names them; None where undefined

# The two curves of a metric: what Keras puts before its name, label, colour and line.
_CURVES = (("", "train", TRAIN, (0, (3, 1))), ("val_", "validation", VALIDATION, "-"))


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

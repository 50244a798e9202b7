"""How all figures look, and how they are written.

Every function that draws returns a matplotlib `Figure` of its own, without pyplot and its global state.
Colours can be told apart by colour-blind readers: cividis and magma for values, Okabe and Ito's blue
and vermilion for pairs. In grey, those two are alike, so that lines of a pair differ in their dashes too.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from pipelines.files import write_atomically

DPI = 150
TRAIN, VALIDATION, NEUTRAL = "#0072B2", "#D55E00", "#595959"
_PANELS_PER_ROW = 3


def new_figure(width: float, height: float) -> Figure:
    """A figure of a size in inches whose parts are kept from overlapping."""
    return Figure(figsize=(width, height), layout="constrained")


def panel_grid(n: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of n panels of a size in inches, three in a row."""
    columns = min(n, _PANELS_PER_ROW)
    rows = -(-n // columns)
    figure = new_figure(width * columns, height * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in panels[n:]:
        unused.remove()
    return figure, list(panels[:n])


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

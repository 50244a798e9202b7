"""Figures are written whole, with names as they are."""

import pytest
from matplotlib.image import imread

from pipelines import figures


def test_save_writes_a_png_and_nothing_else(tmp_path):
    figure = figures.new_figure(8.0, 3.0)
    figure.add_subplot()
    path = figures.save(figure, tmp_path / "pictures" / "axes.png")

    height, width = imread(path).shape[:2]
    assert width > 6 * figures.DPI
    assert height > 1 * figures.DPI
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("names", [["$x$", r"Jazz $\frac$"], ["東京", "_a"], ["[b]", "^{"]])
def test_a_name_is_shown_as_it_is(names, tmp_path):
    figure = figures.new_figure(4.0, 3.0)
    figure.add_subplot().set_xticks(range(2), names)
    figures.save(figure, tmp_path / "names.png")
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == names
    assert not any(label.get_parse_math() for label in labels)


def test_powers_of_ten_are_formulas():
    figure = figures.new_figure(4.0, 3.0)
    figure.add_subplot().set(yscale="log", ylim=(1e-4, 1e-2))
    figures.png(figure)
    labels = {label.get_text(): label.get_parse_math() for label in figure.axes[0].get_yticklabels()}
    assert labels[r"$\mathdefault{10^{-3}}$"]

"""The picture of runs side by side."""

import numpy as np

from keras_mir.compare.figure import intervals
from keras_mir.models.report import Interval


def test_intervals_stand_in_their_order_from_the_top(drawn):
    scores = {
        "one": Interval(0.5, 0.4, 0.6),
        "two": Interval(None, None, None),
        "three": Interval(0.7, None, None),
    }
    (axes,) = drawn(intervals(scores, "accuracy"))

    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two", "three"]
    bottom, top = axes.get_ylim()
    assert bottom > 2 > 0 > top
    np.testing.assert_allclose([line.get_xydata()[0] for line in axes.lines], [[0.5, 0], [0.7, 2]])
    (line,) = axes.collections[0].get_segments()
    np.testing.assert_allclose(line, [[0.4, 0], [0.6, 0]])
    assert len(axes.collections) == 1

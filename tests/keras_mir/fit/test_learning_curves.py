"""Learning curves: what is drawn of a training, and which epochs are marked."""

import numpy as np
from matplotlib.colors import to_rgba

from keras_mir.fit.learning_curves import learning_curves


def test_learning_curves(drawn):
    history = {
        "loss": [3.0, 2.0, 1.0],
        "energy_loss": [3.0, 2.0, 1.0],
        "energy_rmse": [1.7, 1.4, 1.0],
        "learning_rate": [1e-3, 1e-3, 1e-4],
        "val_loss": [3.0, 1.5, 2.5],
        "val_energy_loss": [3.0, 1.5, 2.5],
        "val_energy_rmse": [1.7, 1.2, 1.6],
    }
    figure = learning_curves(history, best_epoch=1, stopped_epoch=2)
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


def test_learning_curves_of_one_epoch_show_points(drawn):
    (axes,) = drawn(learning_curves({"loss": [1.0], "val_loss": [2.0]}))
    assert {line.get_marker() for line in axes.lines} == {"."}

"""Labels and answers as a table, and back from its file."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keras_mir.evaluate.predictions import prediction_table, read_predictions


def test_a_genre_table_survives_its_file(tmp_path):
    probabilities = np.array([[0.1, 0.9], [2 / 3, 1 / 3]], np.float32)
    table = prediction_table(
        ["007", "x"], {"genre": np.array([0, 0])}, {"genre": probabilities}, ("NA", "Pop")
    )
    assert table.columns.tolist() == ["id", "label", "predicted", "probability_NA", "probability_Pop"]
    assert table[["id", "label", "predicted"]].to_numpy().tolist() == [
        ["007", "NA", "Pop"],
        ["x", "NA", "NA"],
    ]
    table.to_csv(tmp_path / "predictions.csv", index=False)
    again = read_predictions(tmp_path / "predictions.csv")
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    np.testing.assert_array_equal(again["probability_Pop"].to_numpy(np.float32), probabilities[:, 1])


def test_an_affect_table_has_a_pair_of_columns_a_target():
    labels = {"power": np.array([0.25, 0.5]), "calmness": np.array([1.0, 0.0])}
    outputs = {name: values[:, None] / 2 for name, values in labels.items()}
    assert prediction_table(["a", "b"], labels, outputs, ()).to_dict("list") == {
        "id": ["a", "b"],
        "label_power": [0.25, 0.5],
        "predicted_power": [0.125, 0.25],
        "label_calmness": [1.0, 0.0],
        "predicted_calmness": [0.5, 0.0],
    }

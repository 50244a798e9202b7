"""Labels and answers as a table, and back from its file; those of a cross-validation, too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from keras_mir.evaluate.evaluation import compare_with_labels
from keras_mir.evaluate.predictions_table import (
    predictions_table,
    read_predictions,
    write_out_of_fold,
    write_predictions,
)
from pipelines.errors import UserError


def genre(ids, labels, rows, folder):
    """Write the predictions of a genre model; ids are any texts, and so are the names of classes."""
    probabilities = np.array(rows, np.float32)
    evaluation = compare_with_labels(
        {"genre": np.array(labels)}, {"genre": probabilities}, ("NA", "Pop"), (), 0
    )
    write_predictions(ids, evaluation, folder / "predictions.csv")
    return evaluation


def test_a_genre_table_survives_its_file(tmp_path):
    rows = [[0.1, 0.9], [2 / 3, 1 / 3]]
    table = predictions_table(["007", "x"], genre(["007", "x"], [0, 0], rows, tmp_path))
    again = read_predictions(tmp_path / "predictions.csv")
    assert again.table.reset_index().columns.tolist() == [
        *("id", "label", "predicted"),
        *("probability_NA", "probability_Pop"),
    ]
    assert again.table[["label", "predicted"]].to_numpy().tolist() == [["NA", "Pop"], ["NA", "NA"]]
    assert again.classes == ("NA", "Pop")
    pd.testing.assert_frame_equal(again.table, table, check_dtype=False)


def test_an_affect_table_has_a_pair_of_columns_a_target():
    labels = {"power": np.array([0.25, 0.5]), "calmness": np.array([1.0, 0.0])}
    outputs = {name: values[:, None] / 2 for name, values in labels.items()}
    evaluation = compare_with_labels(labels, outputs, (), ("power", "calmness"), 0)
    assert predictions_table(["a", "b"], evaluation).reset_index().to_dict("list") == {
        "id": ["a", "b"],
        "label_power": [0.25, 0.5],
        "predicted_power": [0.125, 0.25],
        "label_calmness": [1.0, 0.0],
        "predicted_calmness": [0.5, 0.0],
    }


def test_a_cross_validation_has_a_row_a_clip_and_repeat_and_means_over_repeats(tmp_path):
    clips = {(1, 1): ("a", 0.9), (1, 2): ("b", 0.2), (2, 1): ("b", 0.4), (2, 2): ("a", 0.3)}
    runs = {at: tmp_path / f"{at[0]}-{at[1]}" for at in clips}
    for at, (name, share) in clips.items():
        runs[at].mkdir()
        genre([name], [int(name == "b")], [[share, 1 - share]], runs[at])
    written = write_out_of_fold(
        {at: run / "predictions.csv" for at, run in runs.items()}, tmp_path / "predictions.csv"
    )
    read = read_predictions(tmp_path / "predictions.csv")
    for found in (written, read):
        table = found.table.reset_index()
        assert table.columns.tolist()[:5] == ["id", "fold", "repeat", "label", "predicted"]
        assert table[["id", "fold", "repeat", "label"]].to_numpy().tolist() == [
            ["a", 1, 1, "NA"],
            ["b", 2, 1, "Pop"],
            ["b", 1, 2, "Pop"],
            ["a", 2, 2, "NA"],
        ]
        means = found.mean_over_repeats().table
        assert means.index.tolist() == ["a", "b"]
        assert means["predicted"].tolist() == ["NA", "Pop"]
        np.testing.assert_allclose(means["probability_NA"], [0.6, 0.3], atol=1e-6)
        assert means.columns.tolist() == ["label", "predicted", "probability_NA", "probability_Pop"]
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    (tmp_path / "predictions.csv").write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(UserError, match="damaged, not a table of predictions; evaluate the model again"):
        read_predictions(tmp_path / "predictions.csv")

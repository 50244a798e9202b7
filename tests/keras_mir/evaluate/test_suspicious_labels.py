"""Labels that do not fit what a model says come first."""

from __future__ import annotations

import numpy as np
import pytest

from keras_mir.evaluate.suspicious_labels import suspicious_labels


def test_a_label_that_a_sure_model_denies_comes_first():
    pytest.importorskip("cleanlab")
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    probabilities = np.eye(3)[labels] * 0.8 + random.dirichlet(np.ones(3), 60) * 0.2
    given = labels.copy()
    given[[7, 31]] = (labels[[7, 31]] + 1) % 3
    table = suspicious_labels([str(n) for n in range(60)], given, probabilities, ("Folk", "Jazz", "Rock"))
    assert table.columns.tolist() == ["id", "label", "predicted", "label_quality", "likely_wrong"]
    assert set(table["id"][:2]) == {"7", "31"}
    count = int(table["likely_wrong"].sum())  # cleanlab's estimate
    assert 1 <= count <= 2
    assert table["likely_wrong"].tolist() == [True] * count + [False] * (60 - count)
    first = table.set_index("id").loc["7"]
    assert (first["label"], first["predicted"]) == ("Rock", "Jazz")
    assert table["label_quality"].is_monotonic_increasing
    assert len(table) == 60

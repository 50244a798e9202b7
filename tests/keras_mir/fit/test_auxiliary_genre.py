"""Affect that learns the genre besides: where clips have one, in training alone."""

import numpy as np
import pandas as pd
import pytest

import keras_mir as km
from pipelines.errors import UserError
from tests.keras_mir.conftest import TARGETS, write_course_data

SMALL = {"epochs": 2, "batch_size": 8, "filters": (4,), "pools": (2,), "frames": 16, "early_stopping": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """With the table that `prepare` keeps of all labels."""
    root = write_course_data(tmp_path_factory.mktemp("both"), per_genre=6, synced=False)
    rows = []
    for split in ("train", "test"):
        genre = pd.read_csv(root / "fma_genre_spectrograms" / f"{split}_labels.txt", sep="\t")
        rows += [(name.split(".")[0], label) for name, label in genre.to_numpy()]
    pd.DataFrame(rows, columns=["id", "genre"]).to_csv(root / "examples.csv", index=False)
    return root


@pytest.mark.parametrize(
    "augment", [{}, pytest.param({"mixup": 0.0, "label_smoothing": 0.0}, marks=pytest.mark.slow)]
)
def test_the_genre_is_learnt_and_left_out_of_what_is_kept(data, tmp_path, augment):
    model = km.train("small-cnn-affect", data, out=tmp_path / "run", **SMALL, **augment)
    assert {"genre_loss", "genre_accuracy"} <= set(model.history.columns)
    assert set(model.keras.output) == set(TARGETS)
    assert model.classes == ()
    again = km.load(tmp_path / "run")
    features = {"features": np.full((1, 16, 140), -20, np.float32), "lengths": np.array([16], np.int32)}
    assert set(again.keras(features)) == set(TARGETS)
    assert all(0 <= float(value[0, 0]) <= 1 for value in again.keras(features).values()), "a share stays one"


@pytest.mark.slow
def test_where_a_clip_has_no_genre_affect_is_learnt_alone(data, tmp_path):
    (data / "examples.csv").rename(tmp_path / "examples.csv")
    try:
        model = km.train("small-cnn-affect", data, out=tmp_path / "run", **SMALL)
    finally:
        (tmp_path / "examples.csv").rename(data / "examples.csv")
    assert "genre_loss" not in model.history.columns


def test_a_genre_recipe_has_no_other_genre():
    with pytest.raises(
        UserError, match=r"^auxiliary_genre: the genre task has none; choose an affect recipe"
    ):
        km.recipes.named.named_recipe("small-cnn").with_settings({"auxiliary_genre": True})

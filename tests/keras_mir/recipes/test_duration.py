"""What a user is told beforehand of how long a training takes."""

from __future__ import annotations

import pytest

from keras_mir.recipes.duration import training_seconds
from keras_mir.recipes.named import OUR_RECIPES
from pipelines.spec import SPECTROGRAMS

CLIPS, FRAMES, BEATS, VECTORS = 300, 1293, 75, 10  # of 30 s, at 150 beats a minute


@pytest.mark.parametrize("recipe", OUR_RECIPES, ids=lambda recipe: recipe.name)
def test_our_recipes_train_within_ten_minutes(recipe):
    frames = BEATS if recipe.input.sync == "beat" else FRAMES
    length = frames if recipe.input.feature in SPECTROGRAMS else VECTORS
    learnt_from = round(CLIPS * (1 - recipe.split.test) * (1 - recipe.split.validation))
    assert training_seconds(recipe, learnt_from, length) < 600

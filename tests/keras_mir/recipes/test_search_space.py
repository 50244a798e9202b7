"""What a search varies follows from the recipe."""

from __future__ import annotations

from keras_mir.recipes.named import RECIPES, named_recipe
from keras_mir.recipes.recipe import Recipe, read_recipe
from keras_mir.recipes.search_space import Choice, Span, chosen_settings, search_space

ANY = {"learning_rate", "weight_decay", "dropout", "mixup"}
MASKS = {"freq_mask", "time_mask"}
GENRE = ANY | MASKS | {"level", "label_smoothing"}


def test_an_architecture_brings_its_own_settings():
    assert set(search_space(named_recipe("lstm-beat-mel"))) == GENRE | {"units", "layers"}
    assert set(search_space(named_recipe("transfer-cnn-beat-mel"))) == ANY | MASKS | {"level"}
    assert set(search_space(named_recipe("lstm-beat-mel"), ("units", "mixup"))) == GENRE - {"mixup"} | {
        "layers"
    }
    cnn = named_recipe("lstm-beat-mel").with_settings({"kind": "cnn-any-length"})
    assert set(search_space(cnn)) == GENRE | {"filters"}
    chroma = cnn.with_settings({"feature": "chroma"})
    assert set(search_space(chroma)) == GENRE - {"level"} | {"filters"}


def test_vectors_have_no_bands_to_hide_and_no_level():
    assert set(search_space(named_recipe("musicnn"))) == ANY | {"label_smoothing", "discriminant"}
    assert set(search_space(named_recipe("musicnn-affect"))) == ANY


def test_every_end_of_a_range_makes_a_recipe():
    for recipe in RECIPES.values():
        space = search_space(recipe)
        ends = {name: r.values if isinstance(r, Choice) else (r.low, r.high) for name, r in space.items()}
        for end in (0, -1):
            recipe.with_settings(chosen_settings({name: values[end] for name, values in ends.items()}))


def test_the_strength_of_a_registered_augmentation_is_varied():
    recipe = named_recipe("lstm-beat-mel").with_settings({"augment": ("noise=2", "tempo=0.5")})
    space = search_space(recipe)
    assert space["augment.noise"] == Span(0.0, 4.0)
    assert chosen_settings({"augment.noise": 1.23456, "augment.tempo": 0.0, "units": 33}) == {
        "units": 33,
        "augment": ("noise=1.23", "tempo=0"),
    }


def test_what_differs_from_a_base_makes_the_recipe_again(tmp_path):
    base = named_recipe("cnn-beat-mel")
    changed = base.with_settings({"filters": "8,16,32,64", "mixup": 0.2})
    changes = changed.changes_from(base)
    assert changes == {"model": {"filters": [8, 16, 32, 64]}, "augment": {"mixup": 0.2}}
    assert Recipe.from_dict(changes, base) == changed
    (tmp_path / "best.toml").write_text('base = "cnn-beat-mel"\n[augment]\nmixup = 0.2\n')
    assert read_recipe(tmp_path / "best.toml", RECIPES).augment.mixup == 0.2

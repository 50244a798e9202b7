"""Recipes: named, overridden by flags, read from TOML, refused when wrong."""

import argparse
import dataclasses

import pytest
import tomli_w

from keras_mir.recipes.flags import add_setting_flags, attribute_texts, changed_settings
from keras_mir.recipes.named import DEFAULT, RECIPES, named_recipe
from keras_mir.recipes.recipe import Recipe, all_settings, part_types, read_recipe
from pipelines.errors import UserError


def settings_from(*flags: str) -> dict:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_setting_flags(parser)
    return changed_settings(parser.parse_args(flags))


def test_setting_names_are_unique_over_all_parts():
    names = [field.name for kind in part_types().values() for field in dataclasses.fields(kind)]
    assert len(names) == len(set(names)) == len(all_settings())


def test_every_setting_has_a_flag_with_a_description():
    for kind in part_types().values():
        texts = attribute_texts(kind)
        for field in dataclasses.fields(kind):
            assert texts.get(field.name), f"{kind.__name__}.{field.name} is not documented"
    parser = argparse.ArgumentParser()
    add_setting_flags(parser)
    text = parser.format_help()
    assert all(f"--{name.replace('_', '-')}" in text for name in all_settings())


def test_flags_override_settings_with_the_right_types():
    flags = (
        "--learning-rate",
        "1e-4",
        "--filters",
        "8,16",
        "--pools",
        "2,2",
        "--no-masks",
        "--frames",
        "256",
    )
    recipe = named_recipe("cnn").with_settings(settings_from(*flags, "--epochs", "3"))
    assert recipe.train.learning_rate == 1e-4
    assert recipe.train.epochs == 3
    assert recipe.model.filters == (8, 16)
    assert recipe.model.masks is False
    assert recipe.input.frames == 256
    assert recipe.train.weight_decay == named_recipe("cnn").train.weight_decay


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_toml(name, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(tomli_w.dumps(RECIPES[name].to_dict()))
    assert read_recipe(path, RECIPES) == RECIPES[name]


def test_a_file_may_start_from_a_named_recipe(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "affect-lstm"\n[train]\nepochs = 7\n[task]\ntargets = ["power"]\n')
    recipe = read_recipe(path, RECIPES)
    assert recipe.name == "mine"
    assert recipe.train.epochs == 7
    assert recipe.task.targets == ("power",)
    assert recipe.model == RECIPES["affect-lstm"].model


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[train]\nlerning_rate = 0.1",
            "unknown key 'lerning_rate' in [train]; did you mean 'learning_rate'",
        ),
        ("[trian]\nepochs = 1", "unknown key 'trian'; did you mean 'train'"),
        ("train = 3", "'train' is not a table"),
        ('[train]\nepochs = "many"', "epochs many: give a whole number"),
        ("[train]\nepochs = 1.5", "epochs 1.5: give a whole number"),
        ("[train]\nepochs = 0", "epochs 0: give a number above 0"),
        ("[train]\nlearning_rate = nan", "learning_rate nan: give a number"),
        ('[input]\nfeature = "mfcc"', "feature mfcc: choose mel, chroma, fused"),
        ('[input]\nsync = ""', "sync '': choose none, beat"),
        ("[input]\nbucket = true\nframes = 10", "bucket: examples of 10 frames need no buckets"),
        ("[model]\nfilters = [8, 8, 8]", "pools"),
        (
            'base = "lstm-beat-mell"',
            "base 'lstm-beat-mell' is no named recipe; did you mean 'lstm-beat-mel'",
        ),
        ("[split]\nvalidation = 1.5", "validation 1.5: give a share of at least 0 and less than 1"),
        ("[split]\ntest = 0.0", "test 0.0: give a share between 0 and 1"),
        ("[split]\nvalidation = 0.0", "early_stopping and reduce_lr watch validation clips"),
        ('[split]\nvalidation = 0.0\nsplit = "course"', "the course's split evaluates on validation clips"),
        ("epochs 3", "not TOML"),
        (f"a = {'[' * 5000}", "not TOML"),
        ("[train]\nepochs = 1e30", "epochs 1e+30: give a whole number of at most 4294967295"),
        ("[input]\nframes = 100_000_000", "frames 100000000: give 1 to 1048576"),
        ("[model]\nlayers = 1_000_000", "layers 1000000: give 1 to 100"),
        ('[task]\ntask = "affect"\nloss_weights = ["x"]', "loss_weights x: write name=weight"),
        ('[task]\ntask = "affect"\nloss_weights = ["x=1", "x=2"]', "x is there twice; leave one out"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(text, message, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_recipe(path, RECIPES)
    assert message in str(error.value)
    assert "wrong.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_is_no_matter(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf[train]\r\nepochs = 7\r\n")
    assert read_recipe(path, RECIPES).train.epochs == 7


def test_a_missing_file_and_an_unknown_recipe_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_recipe(tmp_path / "none.toml", RECIPES)
    with pytest.raises(UserError) as refusal:
        named_recipe("lstm-best-mel")
    line = "recipe 'lstm-best-mel': no such recipe; python -m keras_mir.fit --list shows them"
    assert str(refusal.value) == line


@pytest.mark.parametrize("weights", [("valence",), ("=2",), ("valence=high",)])
def test_loss_weights_must_be_name_and_number(weights):
    with pytest.raises(UserError, match="write name=weight"):
        Recipe("x").with_settings({"task": "affect", "loss_weights": weights})


def test_loss_weights_are_read():
    recipe = Recipe("x").with_settings({"task": "affect", "loss_weights": "valence=2,energy=0.5"})
    assert recipe.task.loss_weights_by_output() == {"valence": 2.0, "energy": 0.5}


def test_genre_recipes_take_no_targets():
    with pytest.raises(UserError, match="affect recipe"):
        named_recipe(DEFAULT).with_settings({"targets": "valence"})

"""Splits as `fit` makes them: groups stay together, and what is not kept together is said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from keras_mir.data.load import SplitInfo, fold_table, load_data, mapped, split_examples
from keras_mir.recipes.named import named_recipe
from keras_mir.recipes.recipe import SplitSettings
from pipelines.datasets.base import Examples
from pipelines.datasets.classes import ClassMap
from pipelines.errors import ArgumentError, UserError

CLIPS = 24
RECIPE = named_recipe("lstm-mel")


@pytest.fixture
def by_artists(make_examples) -> Examples:
    """Four clips each of six artists, two genres."""
    examples = make_examples([20] * CLIPS)
    examples.table["artist"] = [f"artist {row // 4}" for row in range(CLIPS)]
    examples.table["genre"] = [("Rock", "Folk")[row // 4 % 2] for row in range(CLIPS)]
    return examples


def sides_of(examples: Examples, **settings: object) -> dict[str, set[str]]:
    """The parts in which clips of each artist are."""
    sides: dict[str, set[str]] = {}
    for name, part in split_examples(examples, SplitSettings(**settings)).items():
        for artist in part.table["artist"]:
            sides.setdefault(artist, set()).add(name)
    return sides


def test_one_clip_without_an_artist_does_not_turn_grouping_off(by_artists, tmp_path):
    known = by_artists.table["artist"].copy()
    for unknown in ("", np.nan, None):
        by_artists.table["artist"] = known.astype(object).where(np.arange(CLIPS) != 5, unknown)
        named = by_artists.table["artist"].isin(known)
        for seed in range(5):
            sides = sides_of(by_artists.where(named.to_numpy()), split_seed=seed)
            assert {len(parts) for parts in sides.values()} == {1}
            sides = sides_of(by_artists, split_seed=seed)
            assert {len(parts) for artist, parts in sides.items() if artist in set(known)} == {1}
    data = load_data(by_artists, RECIPE, tmp_path)
    assert data.split.group_by == "artist"
    assert data.notes == ("1 clip has no artist; each is a group of its own in the split",)


def test_what_is_not_kept_together_is_said(by_artists, tmp_path):
    def loaded(examples: Examples, **settings: object) -> tuple[str, tuple[str, ...]]:
        data = load_data(examples, RECIPE.with_settings(settings), tmp_path)
        return data.split.group_by, data.notes

    said = "clips of one artist may be on both sides of the split: "
    assert loaded(by_artists) == ("artist", ())
    assert loaded(by_artists, group_by="none") == ("none", ())
    assert loaded(by_artists, split="course") == ("none", (f"{said}the course's split has no groups",))
    by_artists.table["artist"] = ""
    assert loaded(by_artists) == ("none", (f"{said}no clip has one",))
    del by_artists.table["artist"]
    assert loaded(by_artists) == ("none", ())


def test_a_trained_models_own_class_map_wants_no_file(by_artists):
    task = dataclasses.replace(RECIPE.task, classes="gone.toml")
    examples, taken = mapped(by_artists, task, ClassMap("gone.toml", {"Rock": "Loud", "Folk": None}))
    assert set(examples.table["genre"]) == {"Loud"}
    assert len(examples) == CLIPS // 2
    assert taken.name == "gone.toml"
    assert mapped(by_artists, task, ClassMap("as-is", {}))[0] is by_artists


def test_a_column_that_cannot_group_is_refused(by_artists):
    with pytest.raises(ArgumentError, match="group_by artist: the course's split has no groups"):
        split_examples(by_artists, SplitSettings(split="course", group_by="artist"))
    with pytest.raises(ArgumentError, match="group_by band: noise has no such column; it has id, path"):
        split_examples(by_artists, SplitSettings(group_by="band"))


def test_a_class_with_too_few_clips_is_counted_as_the_user_counts(by_artists):
    rare = ["Rare", "Rare", *by_artists.table["genre"][2:]]
    by_artists.table["genre"] = rare
    by_artists.table["artist"] = [f"artist {row}" for row in range(CLIPS)]
    needs = "and needs one for each of train, validation"

    def refusal(**settings: object) -> str:
        with pytest.raises(UserError) as raised:
            split_examples(by_artists, SplitSettings(**settings))
        return str(raised.value)

    assert refusal(group_by="none").startswith(f"class 'Rare' has 2 clips, {needs}, test: add clips")
    assert refusal().startswith(f"class 'Rare' has 2 artists, {needs}, test: add clips")
    held_out = f"class 'Rare' has 2 clips, 1 of them held out already, {needs}: add clips"
    assert refusal(group_by="none", folds=2, fold=1).startswith(held_out)
    by_artists.table["split"] = ["test"] + ["train"] * (CLIPS - 1)
    assert refusal(group_by="none").startswith(held_out)


def test_a_kind_of_labels_that_a_part_has_none_of_is_named(by_artists, tmp_path):
    by_artists.table["split"] = ["test" if row < 8 else "" for row in range(CLIPS)]
    calm = np.linspace(0, 1, CLIPS)
    calm[:8] = np.nan
    examples = dataclasses.replace(
        by_artists, table=by_artists.table.assign(calm=calm), targets=("calm",), tasks=("genre", "affect")
    )
    recipe = named_recipe("lstm-mel").with_settings({"task": "genre+affect"})
    with pytest.raises(UserError) as refusal:
        load_data(examples, recipe, tmp_path)
    assert str(refusal.value) == (
        "noise: no test clip has a value of calm; add labels, or choose a recipe without them"
    )


def test_the_split_is_described(by_artists, tmp_path):
    data = load_data(by_artists, RECIPE.with_settings({"limit": 6}), tmp_path)
    assert isinstance(data.split, SplitInfo)
    assert dataclasses.asdict(data.split) == {
        "method": "stratified",
        "test_from": "held out",
        "group_by": "artist",
        "seed": 0,
        "limit": 6,
        "sizes": {"train": 6, "validation": 6, "test": 6},
    }
    assert data.evaluated_on == "test"


def test_a_fold_holds_out_its_part_of_what_is_not_the_data_sets_own_test_split(by_artists, tmp_path):
    by_artists.table["split"] = ["test" if row < 8 else "" for row in range(CLIPS)]
    by_artists.table["artist"] = [f"artist {row // 2}" for row in range(CLIPS)]
    by_artists.table["genre"] = [("Rock", "Folk")[row % 2] for row in range(CLIPS)]
    settings = SplitSettings(folds=4)
    table = fold_table(by_artists, settings)
    assert table.columns.tolist() == ["id", "fold"]
    assert table["id"].tolist() == by_artists.table["id"][8:].tolist()
    for fold in range(1, 5):
        parts = split_examples(by_artists, dataclasses.replace(settings, fold=fold))
        assert parts["test"].table["id"].tolist() == table["id"][table["fold"] == fold].tolist()
        assert sorted(id_ for part in parts.values() for id_ in part.table["id"]) == sorted(table["id"])
        assert len(parts["validation"])
    whole = split_examples(by_artists, settings)
    assert {name: len(part) for name, part in whole.items()} == {"train": 16, "test": 8}
    data = load_data(by_artists, RECIPE.with_settings({"folds": 4, "fold": 2}), tmp_path)
    assert data.split.test_from == "a fold"
    by_artists.table["split"] = ""
    assert list(split_examples(by_artists, settings)) == ["train"]

"""Which trainings an experiment takes, and whether their commands say what is done."""

import shlex
from pathlib import Path

import pytest

from keras_mir.fit import __main__ as fit
from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.experiments import EXPERIMENTS, named_experiments
from keras_mir.reproduce.experiments.base import Setup
from keras_mir.reproduce.request import Request
from pipelines.datasets.classes import ClassMap
from pipelines.errors import UserError

DATASET = DataSet(
    root=Path("data"),
    labels=None,
    name="music",
    genre=None,
    affect=None,
    why_no={"genre": "", "affect": ""},
    class_map=ClassMap("as-is", {}),
    classes="auto",
    split="stratified",
    targets=("valence", "energy"),
    frames=517,
    why_not_course="",
    left_out="",
)


KNOWN = {experiment.id: experiment for experiment in EXPERIMENTS}
WITH_RECIPES = [experiment.id for experiment in EXPERIMENTS if experiment.variants]


def planned(name, data="data", **options):
    return KNOWN[name].trainings(Setup(Request(out="out", data=data, **options), DATASET))


def test_all_of_the_paper_is_there():
    assert ",".join(one.id for one in EXPERIMENTS) == "1,2,3,4,5a,5b,5c,6,7a,7b,8,9,10,11"


def test_an_experiment_brings_what_it_builds_on():
    assert [one.id for one in named_experiments(("9", "6"))] == ["5c", "6", "7b", "9"]


def test_an_unknown_experiment_is_named():
    with pytest.raises(UserError, match=r"^only 5d: no such experiment; there are 1, 2, .*11$"):
        named_experiments(("5c", "5d"))


def test_every_seed_setting_and_target_has_its_own_training():
    names = [one.run.name for one in planned("8", seeds=2)]
    assert len(names) == len(set(names)) == 2 * 2 * 2 * 2
    assert "paper-8-lstm-energy-seed1" in names
    assert {one.run.settings for one in planned("8", settings="ours")} == {"ours"}


def test_all_experiments_use_the_data_sets_split():
    for name in WITH_RECIPES:
        for one in planned(name):
            assert one.recipe.split.split == "stratified", one.run.name


def test_the_full_clips_are_cut_to_one_length_for_all_cnns():
    cnns = [one for name in ("7b", "8", "9", "10", "11") for one in planned(name, settings="paper")]
    assert {one.recipe.input.frames for one in cnns if one.recipe.model.kind == "cnn"} == {517}
    assert {one.recipe.input.frames for one in planned("7b", settings="paper", frames=100)} == {100}


def test_transfer_builds_on_the_genre_cnn_of_the_same_seed_and_settings():
    backbones = {one.run.name: one.recipe.task.backbone for one in planned("9", seeds=2)}
    assert backbones["paper-9-transfer-seed1"] == str(Path("out/runs/paper-7b-cnn-seed1"))
    assert backbones["transfer-cnn-beat-mel-seed0"] == str(Path("out/runs/cnn-beat-mel-seed0"))
    assert {one.recipe.task.targets for one in planned("9")} == {("energy",)}


def test_only_the_built_in_corpus_is_limited_unasked():
    assert {one.recipe.split.limit for one in planned("5c")} == {0}
    built_in = planned("5c", data="")
    assert {one.recipe.split.limit for one in built_in} == {96}
    assert {one.recipe.input.frames for one in built_in if one.recipe.name == "paper-5c-mel"} == {258}


@pytest.mark.parametrize("name", WITH_RECIPES)
@pytest.mark.parametrize("quick", [True, False])
def test_a_command_asks_fit_for_the_very_same_recipe(name, quick):
    for one in planned(name, quick=quick):
        python, m, module, *words = shlex.split(one.run.command)
        assert (python, m, module) == ("python", "-m", "keras_mir.fit")
        arguments = fit.parser().parse_args(words)
        assert fit._recipe(arguments) == one.recipe
        assert (arguments.seed, str(arguments.data), arguments.export) == (one.run.seed, "data", False)

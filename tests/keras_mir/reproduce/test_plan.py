"""Which trainings a step takes, and whether their commands say what is done."""

import shlex
from pathlib import Path

import pytest

from keras_mir.fit import __main__ as fit
from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.plan import STEPS, VARIANTS, plan, steps_asked
from keras_mir.reproduce.request import ReproduceRequest
from pipelines.datasets.classes import ClassMap
from pipelines.errors import UserError

DATASET = DataSet(
    root=Path("data"),
    labels=None,
    name="music",
    genre=None,
    affect=None,
    why_no_genre="",
    why_no_affect="",
    class_map=ClassMap("as-is", {}),
    classes="auto",
    split="stratified",
    targets=("valence", "energy"),
    frames=517,
    why_not_course="",
    left_out="",
)


def step(name):
    return next(step for step in STEPS if step.id == name)


def planned(name, **asked):
    return plan(step(name), ReproduceRequest(out="out", data="data", **asked), DATASET)


def test_all_of_the_report_is_there():
    assert ",".join(step.id for step in STEPS) == "1,2,3,4,5a,5b,5c,6,7a,7b,8,9,10,11"


def test_a_step_brings_what_it_builds_on():
    assert [step.id for step in steps_asked(("9", "6"))] == ["5c", "6", "7b", "9"]


def test_an_unknown_step_is_named():
    with pytest.raises(UserError, match=r"^--only 5d: no such experiment; there are 1, 2, .*11$"):
        steps_asked(("5c", "5d"))


def test_every_seed_setting_and_target_has_its_own_training():
    names = [one.name for one in planned("8", seeds=2)]
    assert len(names) == len(set(names)) == 2 * 2 * 2 * 2
    assert "report-8-lstm-energy-seed1" in names
    assert {one.settings for one in planned("8", settings="ours")} == {"ours"}


def test_all_steps_use_the_data_sets_split():
    for name in VARIANTS:
        for one in planned(name):
            assert one.recipe.split.split == "stratified", one.name


def test_the_full_clips_are_cut_to_one_length_for_all_cnns():
    cnns = [one for name in ("7b", "8", "9", "10", "11") for one in planned(name, settings="report")]
    assert {one.recipe.input.frames for one in cnns if one.recipe.model.kind == "cnn"} == {517}
    assert {one.recipe.input.frames for one in planned("7b", settings="report", frames=100)} == {100}


def test_transfer_builds_on_the_genre_cnn_of_the_same_seed_and_settings():
    backbones = {one.name: one.recipe.task.backbone for one in planned("9", seeds=2)}
    assert backbones["report-9-transfer-seed1"] == str(Path("out/runs/report-7b-cnn-seed1"))
    assert backbones["transfer-cnn-beat-mel-seed0"] == str(Path("out/runs/cnn-beat-mel-seed0"))
    assert {one.recipe.task.targets for one in planned("9")} == {("energy",)}


def test_only_the_built_in_corpus_is_limited_unasked():
    assert {one.recipe.split.limit for one in planned("5c")} == {0}
    built_in = plan(step("5c"), ReproduceRequest(out="out"), DATASET)
    assert {one.recipe.split.limit for one in built_in} == {96}
    assert {one.recipe.input.frames for one in built_in if one.recipe.name == "report-5c-mel"} == {258}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("quick", [True, False])
def test_a_command_asks_fit_for_the_very_same_recipe(name, quick):
    for one in planned(name, quick=quick):
        python, m, module, *words = shlex.split(one.command)
        assert (python, m, module) == ("python", "-m", "keras_mir.fit")
        arguments = fit.parser().parse_args(words)
        assert fit._recipe(arguments) == one.recipe
        assert (arguments.seed, str(arguments.data), arguments.no_export) == (one.seed, "data", True)

"""Small models of each kind, what they say of themselves, and runs that have them."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_mir.evaluate.evaluate import compare_with_labels
from keras_mir.models.build import build_model
from keras_mir.models.ensemble import mean_model
from keras_mir.models.json_file import write_json
from keras_mir.models.report import Circumstances, Dataset, Split, Thresholds, TrainingSummary, make_report
from keras_mir.models.run_folder import RunFolder, RunOptions
from keras_mir.models.trained_model import Description
from keras_mir.recipes.model_settings import ModelSettings
from keras_mir.recipes.named import named_recipe
from pipelines.settings import InputSettings
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec(n_mels=12, n_chroma=12)
CLASSES = ("Blues", "Ρεμπέτικο", "Trip-Hop")
TARGETS = ("valence", "a.b-c")
TAGS = Thresholds({"κιθάρα": 0.25, "live": 0.5, "rock": 0.125}, 9, "training clips")
SETTINGS = {
    "lstm": ModelSettings(kind="lstm", units=4, layers=2, normalise="bands"),
    "cnn": ModelSettings(kind="cnn", filters=(3, 4), pools=(2, 3)),
    "wide": ModelSettings(kind="cnn", filters=(32, 48), pools=(2, 3)),
    "multitask": ModelSettings(kind="cnn-any-length", filters=(3, 4), pools=(2, 3), hidden=5),
    "tags": ModelSettings(kind="vectors", normalise="none", statistics=("max", "attention")),
    "ensemble": ModelSettings(kind="cnn-any-length", filters=(3, 4), pools=(2, 3)),
}
# By kind, classes, targets and thresholds of the tags.
OUTPUTS = {"multitask": (CLASSES, TARGETS, TAGS), "tags": (None, (), TAGS)}


def build(kind):
    if kind == "ensemble":  # of a cross-validation's folds
        return mean_model([build_one(kind, seed) for seed in range(2)])
    return build_one(kind)


def build_one(kind, seed=0):
    keras.utils.set_random_seed(seed)
    classes, targets, thresholds = OUTPUTS.get(kind, (CLASSES, (), None))
    return build_model(
        SETTINGS[kind],
        bands=12,
        time=12 if SETTINGS[kind].kind == "cnn" else None,
        classes=classes,
        targets=targets,
        tags=tuple(thresholds.by_tag) if thresholds else (),
        spec=SPEC,
        feature="mel",
        band_mean=np.linspace(-60, -20, 12),
        band_variance=np.linspace(50, 200, 12),
    )


def describe(kind):
    settings = InputSettings("mel", sync="beat", frames=12 if SETTINGS[kind].kind == "cnn" else "batch")
    named = {"tags": "lstm-beat-mel-tags", "multitask": "small-cnn-multitask"}
    base = named_recipe(named.get(kind, "lstm-beat-mel"))
    recipe = dataclasses.replace(base, model=SETTINGS[kind], input=settings)
    classes, targets, thresholds = OUTPUTS.get(kind, (CLASSES, (), None))
    labels = {"genre": np.arange(3), "tags": np.eye(3)} | {name: np.arange(3.0) for name in targets}
    outputs = {"genre": np.eye(3), "tags": np.eye(3)} | {name: np.arange(3.0) for name in targets}
    scores = compare_with_labels(labels, outputs, classes or (), targets, 0, thresholds).scores
    circumstances = Circumstances(
        seed=0,
        split=Split(evaluated="test", sizes={"train": 9, "test": 3}, test_from="held out", group_by="none"),
        dataset=Dataset("songs", synthetic=False, licence="CC0"),
        recipe=recipe.to_dict(),
        training=TrainingSummary(epochs=1, best_epoch=1, stopped_early=False, seconds=1.0),
        model="",
    )
    return Description(
        recipe=recipe,
        feature_spec=SPEC,
        frames=12 if SETTINGS[kind].kind == "cnn" else None,
        classes=classes or (),
        targets=targets,
        class_mapping="as-is",
        tags=tuple(thresholds.by_tag) if thresholds else (),
        thresholds=thresholds.by_tag if thresholds else {},
        report=make_report(scores, circumstances),
        members=2 if kind == "ensemble" else 1,
    )


def make_run(folder, policy="float32"):
    run = RunFolder(folder)
    options = RunOptions("", "", False, False, "", 0, "lstm-of-a-run", False, "", 0, ())
    run.create(describe("lstm").recipe, options, run.split, b"id,split\n")
    keras.config.set_dtype_policy(policy)
    try:
        model = build("lstm")
    finally:
        keras.config.set_dtype_policy("float32")
    model.save(run.model)
    write_json(run.description, describe("lstm").to_dict())
    return model


@pytest.fixture(scope="session")
def small():
    """Builds a model of a kind, describes it, and makes a run's folder of it."""
    return SimpleNamespace(build=build, describe=describe, make_run=make_run, spec=SPEC)

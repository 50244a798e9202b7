"""What an exported model says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_mir.data.load import TRAIN, Data
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.base import Examples


def describe(recipe: Recipe, data: Data, examples: Examples, report: dict[str, Any]) -> dict[str, Any]:
    """The description stored in an exported model.

    Args:
        recipe: What was trained.
        data: What it was trained on.
        examples: The data set.
        report: Of its evaluation.

    Returns:
        A JSON-serialisable dictionary: `feature_spec` and `recipe` say what input the model
        expects, `classes` or `targets` what its answers mean, `dataset` what it learnt from and
        under which licence, `report` how it was trained and how good it is (see
        `keras_mir.models.report`), `versions` what it was made with. Where files
        were on this machine is left out.
    """
    said_once = ("recipe", "versions", "model")
    shortened = {key: value for key, value in report.items() if key not in said_once}
    left_out = [Path(path).name for path in report["split"]["left_out"]]
    return {
        "format": 1,
        "recipe": recipe.to_dict(),
        "feature_spec": data.sources[TRAIN].spec.to_dict(),
        "frames": data.sources[TRAIN].frames,
        "classes": list(data.classes),
        "targets": list(data.targets),
        "class_mapping": data.class_mapping,
        "dataset": {"name": examples.name, "licence": examples.licence, "synthetic": examples.synthetic},
        "report": {**shortened, "split": {**report["split"], "left_out": left_out}},
        "versions": report["versions"],
    }

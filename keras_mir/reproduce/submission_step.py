"""Step 11's file: the larger multitask model's answers for the clips of the test folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from keras_mir.data.load import TEST, make_source
from keras_mir.evaluate.predictions import predict_source
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe
from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.plan import Planned
from keras_mir.reproduce.request import ReportFolder, ReproduceRequest
from keras_mir.reproduce.results import Run
from keras_mir.reproduce.submission import write_submission
from pipelines.datasets.base import ID, Examples
from pipelines.datasets.course import FOLDERS, is_course_layout, unlabelled_test
from pipelines.datasets.load import load_examples
from pipelines.errors import UserError
from pipelines.input.build import cache_examples
from pipelines.source import Source

FILES = {"report": "submission.csv", "ours": "submission-ours.csv"}


def submit(
    runs: Sequence[Run],
    planned: Sequence[Planned],
    request: ReproduceRequest,
    folder: ReportFolder,
    dataset: DataSet,
) -> tuple[str, ...]:
    """Write a submission for each setting's first finished model.

    Returns:
        A sentence on each file, for the page.

    Raises:
        UserError: If a test clip cannot be read, or an answer is not a number.
    """
    recipes = {one.name: one.recipe for one in planned}
    notes = []
    for settings, name in FILES.items():
        done = [run for run in runs if run.settings == settings and run.status == "done"]
        if done:
            notes.append(
                _submit(done[0], recipes[done[0].name], folder.path / name, request, folder, dataset)
            )
    return tuple(notes)


def _submit(
    run: Run, recipe: Recipe, path: Path, request: ReproduceRequest, folder: ReportFolder, dataset: DataSet
) -> str:
    place = RunFolder(folder.path / run.folder)
    model = keras.models.load_model(place.model, compile=False)
    examples = _test_examples(recipe, place, dataset)
    cached = cache_examples(examples, recipe.input, request.cache / "processed")
    if cached.bad:
        # Every clip has to be answered for, so none can be left out.
        raise UserError(f"{cached.bad[0].path}: {cached.bad[0].reason}")
    source = make_source(examples, cached, recipe, (), ())
    source = replace(source, frames=model.input["features"].shape[1])
    ids = list(examples.table[ID])
    clipped = write_submission(path, ids, _values(model, source, dataset.targets))
    return (
        f"{path.name}: {run.name}'s answers for the {len(ids)} clips of the test folder; "
        f"every id is there once, every value in [0, 1] ({clipped} were clipped to it)."
    )


def _values(model: keras.Model, source: Source, targets: Sequence[str]) -> dict[str, np.ndarray]:
    outputs = predict_source(model, source)
    return {name: outputs[name].reshape(-1) for name in targets}


def _test_examples(recipe: Recipe, place: RunFolder, dataset: DataSet) -> Examples:
    """The clips of the test folder, labelled or not; without such a folder, the run's test clips."""
    if is_course_layout(dataset.root):
        synced = recipe.input.sync == "beat" and (dataset.root / FOLDERS["affect", True]).is_dir()
        return unlabelled_test(dataset.root, synced)
    examples = load_examples(dataset.root, "affect", labels=dataset.labels, prefer_synced=False)
    split = pd.read_csv(place.split, dtype=str)
    tested = set(split["id"][split["split"] == TEST])
    return examples.where(examples.table[ID].isin(tested).to_numpy())

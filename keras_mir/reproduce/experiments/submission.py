"""Experiment 11: the file of predictions that the course asks for, one row per clip of the test folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from keras_mir.data.load import TEST, make_source
from keras_mir.models.answers import predict_source
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe
from keras_mir.reproduce.dataset import DataSet
from keras_mir.reproduce.experiments.affect import Affect
from keras_mir.reproduce.experiments.base import Runs, Setup, Variant
from keras_mir.reproduce.results import Run
from keras_mir.reproduce.trainings import RecipeTraining, Training
from pipelines.datasets.base import ID, Examples
from pipelines.datasets.course import FOLDERS, is_course_layout, unlabelled_test
from pipelines.datasets.load import load_examples
from pipelines.errors import UserError
from pipelines.files import write_atomically
from pipelines.input.cache import cache_examples

_FILES = {"paper": "submission.csv", "ours": "submission-ours.csv"}
SUFFIX = ".fused.full.npy.gz"


class Submission(Affect):
    """A submission for each setting's first finished model."""

    def finish(self, setup: Setup, trainings: Sequence[Training], runs: Runs) -> Iterator[str]:
        recipes = {one.run.name: one.recipe for one in trainings if isinstance(one, RecipeTraining)}
        for settings, name in _FILES.items():
            done = [run for run in runs if run.settings == settings and run.status == "done"]
            for run in done[:1]:
                yield _submit(run, recipes[run.name], setup.request.folder / name, setup)


def write_submission(path: Path, ids: Sequence[str], values: Mapping[str, np.ndarray]) -> int:
    """Write predictions as the course wants them; refuse what is no number, and two clips of one name.

    A row is such as `123212738.fused.full.npy.gz,0.153000,0.961000,0.013000`.

    Args:
        path: The file; replaced if it is there.
        ids: Ids of the clips.
        values: Predictions by target, float `(n,)` in the order of the ids; targets become
            columns in this order. What is outside [0, 1] is clipped.

    Returns:
        How many values were clipped.
    """
    if not ids:
        raise UserError(f"{path}: there is no clip to predict; put feature files into the test folder")
    if twice := [identity for identity in ids if ids.count(identity) > 1]:
        raise UserError(f"{path}: two clips are called {twice[0]!r}; rename one of their files")
    for target, array in values.items():
        if array.shape != (len(ids),):
            raise ValueError(f"{target}: shape {array.shape}, expected {(len(ids),)}")
        if not np.isfinite(array).all():
            first = int(np.argmin(np.isfinite(array)))
            raise UserError(
                f"{path}: the {target} predicted for clip {ids[first]!r} is {array[first]}, so the model has "
                f"diverged; train it again with a lower learning_rate"
            )
    table = pd.DataFrame(values, index=pd.Index([f"{name}{SUFFIX}" for name in ids], name=f"Id{SUFFIX}"))
    clipped = table.clip(0.0, 1.0)
    write_atomically(path, clipped.to_csv(float_format="%.6f", lineterminator="\n").encode())
    return int((clipped != table).to_numpy().sum())


def _submit(run: Run, recipe: Recipe, path: Path, setup: Setup) -> str:
    place = RunFolder(setup.request.folder / run.folder)
    model = keras.models.load_model(place.model, compile=False)
    examples = _test_examples(recipe, place, setup.dataset)
    cached = cache_examples(examples, recipe.input, setup.request.cache / "processed")
    if cached.bad:
        # Every clip has to be answered for, so none can be left out.
        raise UserError(f"{cached.bad[0].path}: {cached.bad[0].reason}")
    source = make_source(examples, cached, recipe, (), ())
    outputs = predict_source(model, replace(source, frames=model.input["features"].shape[1]))
    ids = list(examples.table[ID])
    values = {name: outputs[name].reshape(-1) for name in setup.dataset.targets}
    clipped = write_submission(path, ids, values)
    return (
        f"{path.name}: {run.name}'s answers for the {len(ids)} clips of the test folder; "
        f"every id is there once, every value in [0, 1] ({clipped} were clipped to it)."
    )


def _test_examples(recipe: Recipe, place: RunFolder, dataset: DataSet) -> Examples:
    """The clips of the test folder, labelled or not; without such a folder, the run's test clips."""
    if is_course_layout(dataset.root):
        synced = recipe.input.sync == "beat" and (dataset.root / FOLDERS["affect", True]).is_dir()
        return unlabelled_test(dataset.root, synced)
    examples = load_examples(dataset.root, "affect", labels=dataset.labels, prefer_synced=False)
    split = pd.read_csv(place.split, dtype=str)
    tested = set(split["id"][split["split"] == TEST])
    return examples.where(examples.table[ID].isin(tested).to_numpy())


SUBMISSION = Submission(
    "11",
    "Submission: a larger multitask CNN on the test clips",
    variants=(
        Variant(
            "multitask-large",
            "paper-11-multitask",
            "multitask-large-beat-mel",
            "larger multitask CNN",
            remark="The paper's number for experiment 11 is the score of its submission, on clips whose "
            "labels are not public, and ours is on clips that were held out.",
        ),
    ),
)

"""The trained model that a user means, in a run's folder or exported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

import keras_mir.layers  # noqa: F401, so that Keras knows the layers of a saved model
from keras_mir.export.savedmodel import latest_version, load_keras, read_description
from keras_mir.models.audio_model import AudioModel, note_for
from keras_mir.models.run_folder import RunFolder
from keras_mir.recipes.recipe import Recipe
from pipelines.errors import UserError
from pipelines.spec import FeatureSpec


@dataclass(frozen=True)
class TrainedModel:
    """A model and what is known of it.

    Attributes:
        name: What an export of it is called, unless the user says otherwise.
        model: As it was trained.
        description: Of `keras_mir.fit.describe`.
    """

    name: str
    model: keras.Model
    description: dict[str, Any]

    @property
    def classes(self) -> list[str] | None:
        """Genre names in index order, or None for an affect model."""
        return self.description["classes"] or None

    def hears(self, model: keras.Model) -> AudioModel:
        """What answers to sound with a model like this one."""
        recipe = Recipe.from_dict(self.description["recipe"], source=self.name)
        spec = FeatureSpec.from_dict(self.description["feature_spec"])
        note = note_for(self.description.get("dataset", {}))
        return AudioModel(model, self.classes, recipe.input, self.description["frames"], spec, note)


def find_trained(place: str, root: Path) -> TrainedModel:
    """Load the model of a run, or the Keras model kept inside an exported one.

    Args:
        place: A run's folder, a model's folder or a version's, or `NAME` or `NAME/VERSION` in `root`.
        root: The export root, `saved_models`.

    Raises:
        UserError: If there is none, or it is damaged.
    """
    run = RunFolder(Path(place))
    if run.request.is_file():
        return _of_run(run)
    named = root / place
    version = latest_version(named if named.is_dir() or not run.path.is_dir() else run.path)
    description = read_description(version)
    if missing := {"recipe", "feature_spec", "classes", "frames"} - description.keys():
        raise UserError(f"{version}: its description lacks {', '.join(sorted(missing))}; export it again")
    return TrainedModel(version.resolve().parent.name, load_keras(version), description)


def _of_run(run: RunFolder) -> TrainedModel:
    if not run.model.is_file() or not run.description.is_file():
        raise UserError(
            f"{run.path}: no trained model in it; finish the run with "
            f"`python -m keras_mir.fit --resume {run.path}`, or give an exported model"
        )
    try:
        model = keras.models.load_model(run.model, compile=False)
        description = json.loads(run.description.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{run.path}: its model cannot be read ({reason}); train it again") from None
    return TrainedModel(run.read_request()["name"], model, description)

"""A trained model: a Keras model, what it says of itself, and how good it is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from keras import Model
from keras.models import load_model

import keras_mir.layers  # noqa: F401, so that Keras knows the layers of a saved model
from keras_mir.models import package
from keras_mir.models.audio_model import AudioModel, note_for
from keras_mir.models.embedding import embedding_of
from keras_mir.models.folders import (
    DESCRIPTION,
    FORMAT,
    KERAS_MODEL,
    check_unchanged,
    find_version,
    note_checksums,
    read_description,
    spec_of,
)
from keras_mir.models.hub import HUB, download, hub_name
from keras_mir.models.json_file import from_json, plain, write_json
from keras_mir.models.outputs import Outputs
from keras_mir.models.pretrained.networks import NETWORKS, network_named
from keras_mir.models.report import Report, read_report, report_from_dict, report_to_dict, write_report
from keras_mir.models.run_folder import RunFolder
from keras_mir.models.servable import ServableModel, function_of
from keras_mir.recipes.recipe import Recipe, Tasks
from pipelines.errors import ArgumentError, UserError, reason_of
from pipelines.files import flush_to_disk, place_named, read_json
from pipelines.limits import MAX_FRAMES
from pipelines.spec import SPECTROGRAMS, FeatureSpec, Spec

if TYPE_CHECKING:
    import pandas as pd

_SAID_ONCE = ("recipe", "versions", "model")  # of a report, in a description that has them itself
_REMEDY = "export the model again"


@dataclass(frozen=True, kw_only=True)
class _Outputs:
    frames: int | None
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    class_mapping: str = ""
    class_map: dict[str, str | None] | None = None
    members: int = 1
    tags: tuple[str, ...] = ()
    thresholds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Description(_Outputs):
    """What a model says of itself: `keras_mir.json`, and `description.json` of a run.

    Attributes:
        recipe: What was trained, and how its input is made.
        feature_spec: What its features are made with.
        frames: Frames, or beats, that it reads; None for any number.
        classes: Genres in index order; empty for a model of none.
        targets: Affect targets; empty for a model of none.
        class_mapping: Name of the mapping from the data's genres to the classes.
        class_map: That mapping: genre to class, None for genres that were left out; empty where each genre
            is a class. None if it is not known: older models leave it to the recipe.
        members: Models whose mean it is; 1 for a model that is no ensemble.
        tags: In index order; empty for a model of none.
        thresholds: From which probability on a clip is given a tag, by tag.
        report: How it was trained and how good it is.
    """

    recipe: Recipe
    feature_spec: Spec
    report: Report

    @property
    def outputs(self) -> Outputs:
        """What it answers."""
        return Outputs(self.classes, self.targets, self.tags)

    def of(self, task: str) -> Description:
        """The same of some of its heads, `genre` or `genre+tags`, say, with the report of all; empty for all.

        Raises:
            ArgumentError: If it has no such head.
        """
        there = self.recipe.task.tasks
        asked = task.split("+") if task else there
        if strange := [name for name in asked if name not in there]:
            problem = f"the model has no {strange[0]} head; it has {', '.join(there)}"
            raise ArgumentError("task", task, problem)
        kept = [name for name in there if name in asked]
        names = {"genre": self.classes, "tags": self.tags, "affect": self.targets}
        classes, tags, targets = (of if name in kept else () for name, of in names.items())
        settings = replace(
            self.recipe.task,
            task=cast(Tasks, "+".join(kept)),
            targets=self.recipe.task.targets and targets,
            tags=self.recipe.task.tags and tags,
        )
        recipe = replace(self.recipe, task=settings)
        return replace(self, recipe=recipe, classes=classes, tags=tags, targets=targets)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; where files were on this machine is left out."""
        report = {key: value for key, value in report_to_dict(self.report).items() if key not in _SAID_ONCE}
        report["split"]["left_out"] = [Path(path).name for path in self.report.split.left_out]
        recipe = plain(self.recipe)
        for setting in ("classes", "backbone"):
            recipe["task"][setting] = Path(recipe["task"][setting]).name
        own = {"dataset": plain(self.report.dataset), "report": report, "versions": self.report.versions}
        return {"format": FORMAT, **plain(self), "recipe": recipe, **own}

    def problem_with(self, model: Model) -> str:
        """What a Keras model would have to be if this were of it; empty if it is."""
        _, time, bands = model.input["features"].shape
        frames = self.frames if time is None else time  # of any number, it may be given always the same
        own = self.outputs.sizes
        outputs = {name: value.shape[-1] for name, value in model.output.items()}
        width = self.feature_spec.width(self.recipe.input.feature)
        for what, said, there in (
            ("frames", self.frames, frames),
            ("bands", width, bands),
            ("outputs", own, outputs),
        ):
            if said != there:
                return f"has {what} {there}, and should have {said}"
        return ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], place: str, model: str = "") -> Description:
        """What `to_dict` gave.

        Args:
            values: The JSON.
            place: Where it is from, for messages.
            model: Where the model is.

        Raises:
            UserError: If something is missing or damaged.
        """
        parts = ("recipe", "feature_spec", "frames", "classes", "targets", "report", "versions")
        if missing := sorted(set(parts) - values.keys()):
            raise UserError(f"{place}: its description lacks {', '.join(missing)}; {_REMEDY}")
        spec = spec_of(values, place)
        for part in ("recipe", "report"):
            if not isinstance(values[part], Mapping):
                raise UserError(f"{place}: damaged ({part} is {str(values[part])[:40]}); {_REMEDY}")
        outputs = from_json(_Outputs, values, place, _REMEDY)
        recipe = Recipe.from_dict(values["recipe"], source=place)
        tasks, of_spectrograms = recipe.task.tasks, recipe.input.feature in SPECTROGRAMS
        possible = {
            "frames": outputs.frames is None or 1 <= outputs.frames <= MAX_FRAMES,
            "classes": bool(outputs.classes) == ("genre" in tasks),
            "targets": bool(outputs.targets) == ("affect" in tasks),
            "tags": bool(outputs.tags) == ("tags" in tasks),
            "thresholds": tuple(outputs.thresholds) in ((), outputs.tags),
            "feature_spec": isinstance(spec, FeatureSpec) == of_spectrograms,
        }
        for part in (part for part in possible if not possible[part]):
            raise UserError(f"{place}: damaged ({part} is {str(values.get(part))[:40]}); {_REMEDY}")
        said_once = {"recipe": values["recipe"], "versions": values["versions"], "model": model}
        return cls(
            recipe=recipe,
            feature_spec=spec,
            report=report_from_dict({**values["report"], **said_once}, place),
            **vars(outputs),
        )


class TrainedModel(ServableModel):
    """A Keras model with its description and report; what `train` returns and `load` reads.

    Args:
        name: The name of an export, unless another is given there.
        description: What it says of itself.
        folder: The folder of the run, or of the exported version, that it comes from.
        keras: The Keras model; None to load it from `folder` when it is wanted.
        place: What `load` finds it by, if that is no folder.

    Attributes:
        name: As given.
        description: As given.
        folder: As given.
    """

    def __init__(
        self,
        name: str,
        description: Description,
        folder: Path,
        keras: Model | None = None,
        place: str = "",
    ) -> None:
        self.name = name
        self.description = description
        self.folder = folder
        self._place = place
        if keras is not None:
            self.keras = keras

    @cached_property
    def keras(self) -> Model:
        """The Keras model, from `{"features": (batch, time, bands), "lengths": (batch,)}` to its outputs.

        Raises:
            UserError: If its file is missing or damaged, or the description is not of it.
        """
        file = self.exported / KERAS_MODEL if self.exported else RunFolder(self.folder).model
        model = load_keras(file, self.folder)
        if problem := self.description.problem_with(model):
            raise UserError(f"{file}: {problem} by its description, which is damaged or another's; {_REMEDY}")
        return model

    @property
    def exported(self) -> Path | None:
        """The folder of the version, if the model is an exported one."""
        return self.folder if (self.folder / DESCRIPTION).is_file() else None

    @property
    def place(self) -> str:
        if self._place:
            return self._place
        folder = self.folder.resolve()
        return f"{folder.parent.name}/{folder.name}" if self.exported else str(folder)

    @property
    def report(self) -> Report:
        """How good the model is: its scores on held-out clips."""
        return self.description.report

    @property
    def recipe(self) -> Recipe:
        """What was trained, and how."""
        return self.description.recipe

    @property
    def classes(self) -> tuple[str, ...]:
        """Genres in index order; empty for a model without genres."""
        return self.description.classes

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        return self.description.outputs.names

    @property
    def thresholds(self) -> tuple[float, ...]:
        return tuple(self.description.thresholds[tag] for tag in self.description.tags)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Losses and metrics, one row per epoch; no rows for an exported model, which keeps no history."""
        import pandas as pd

        run = RunFolder(self.folder)
        return run.read_history() if run.history.is_file() else pd.DataFrame()

    def audio_model(self, model: Model | None = None) -> AudioModel:
        return AudioModel(
            model or self.keras,
            self.names,
            self.recipe.input,
            self.description.frames,
            self.description.feature_spec,
            note_for(self.report.dataset),
            thresholds=self.thresholds,
        )

    def embedding_model(self) -> AudioModel:
        return AudioModel(
            embedding_of(self.keras),
            {},
            self.recipe.input,
            self.description.frames,
            self.description.feature_spec,
            note_for(self.report.dataset),
        )

    def save(self) -> None:
        """Write the model, its description and, last, its report to the run's folder, whole or not at all."""
        run = RunFolder(self.folder)
        temporary = run.model.with_name(".tmp.keras")
        try:
            with place_named(run.model):  # Keras and HDF5 name no file
                self.keras.save(temporary)
            flush_to_disk(temporary)
            note_checksums(run.path, {run.model.name: temporary})
            temporary.replace(run.model)
        finally:
            temporary.unlink(missing_ok=True)
        write_json(run.description, self.description.to_dict())
        write_report(self.report, run.path)

    def push(self, hub: str, *, public: bool = False) -> str:
        """Upload the model to a model hub; see `keras_mir.export.push.push`."""
        address: str = import_module("keras_mir.export.push").push(self, hub, public=public)
        return address

    def evaluate(self, data: str | Path | None = None, **options: Any) -> Report:
        """Scores on a labelled data set; see `keras_mir.evaluate.evaluate`."""
        report: Report = function_of("evaluate")(self, data, **options)
        return report

    def __repr__(self) -> str:
        return f"TrainedModel {self.name!r} in {self.folder}: {self.report.headline}"

    def _repr_html_(self) -> str:
        return self.report._repr_html_() + _image(RunFolder(self.folder).curves, "learning curves")


def _image(file: Path, what: str) -> str:
    """A PNG as HTML that needs no file; empty if there is none, as in the folder of an exported model."""
    try:
        content = base64.b64encode(file.read_bytes()).decode()
    except OSError:
        return ""
    return f'<img alt="{what}" style="max-width: min(100%, 60rem)" src="data:image/png;base64,{content}">'


def load(place: str | Path, models: str | Path = "saved_models") -> ServableModel:
    """Load a trained model, or a pretrained network.

    Args:
        place: A run's folder; a folder of an exported model, or of one of its versions; `NAME` or
            `NAME/VERSION` in `models`; or, where nothing there is called so, a pretrained network's name. A
            model that others made is a `.zip`, or `hf://OWNER/NAME`, with `@REVISION` if not the newest: it
            is checked before it is opened.
        models: The export root.

    Raises:
        UserError: If there is none, or it is damaged, or might run code.
    """
    from keras_mir.models.tagger import Tagger

    if str(place).startswith(HUB):
        return _of_package(download(str(place)), str(place), hub_name(str(place)))
    if Path(place).suffix == package.ZIP:
        with TemporaryDirectory() as folder:
            package.unpack(Path(place), Path(folder))
            return _of_package(Path(folder), str(Path(place).resolve()), Path(place).stem)
    if network := network_named(str(place), Path(models)):
        return Tagger(network)
    run = RunFolder(Path(place))
    if run.options.is_file():
        return _of_run(run)
    version = find_version(str(place), Path(models))
    values = read_description(version)
    if network := NETWORKS.get(values.get("name", "")):
        return Tagger(network)
    description = Description.from_dict(values, str(version / DESCRIPTION), str(version))
    return TrainedModel(version.resolve().parent.name, description, version)


def load_trained(place: str | Path, models: str | Path = "saved_models") -> TrainedModel:
    """As `load`, but no pretrained network: for what needs a recipe and a report.

    Raises:
        UserError: If there is none, or it is damaged.
    """
    model = load(place, models)
    if not isinstance(model, TrainedModel):
        raise UserError(f"{place}: a pretrained network, without recipe and report; train a head on it")
    return model


def _of_run(run: RunFolder) -> TrainedModel:
    if run.cross_validation.is_file() and not run.model.is_file():
        raise UserError(f"{run.path}: a cross-validation without an ensemble; give the run of a fold in it")
    if not run.model.is_file() or not run.description.is_file():
        raise UserError(
            f"{run.path}: no trained model in it; finish the run with "
            f"`python -m keras_mir.fit --resume {run.path}`, or give an exported model"
        )
    values = read_json(run.description, "train the model again")
    exported_to = read_report(run.path).model if run.report.is_file() else str(run.model)
    description = Description.from_dict(values, str(run.description), exported_to)
    return TrainedModel(run.read_options().name, description, run.path)


def _of_package(folder: Path, place: str, name: str) -> TrainedModel:
    package.check_package(folder, place)
    values = read_json(folder / package.DESCRIPTION, "ask for another copy")
    description = Description.from_dict(values, f"{place}: {package.DESCRIPTION}")
    model = load_keras(folder / package.MODEL)
    if problem := description.problem_with(model):
        raise UserError(f"{place}: {problem} by its description; ask for another copy")
    return TrainedModel(name, description, Path(place), model, place)


def load_keras(file: Path, folder: Path | None = None) -> Model:
    """Load a Keras model of this package.

    Args:
        file: The model.
        folder: Folder of the run, or of the exported version, that it is in; without, its own.

    Raises:
        UserError: If it is missing or damaged.
    """
    if not file.is_file():
        raise UserError(f"{file}: missing; export the model with its Keras model kept")
    check_unchanged(folder or file.parent, [file])
    try:
        return load_model(file, compile=False)
    except Exception as error:  # of a damaged file, whatever zipfile, h5py and Keras raise
        remedy = "train or export the model again"
        raise UserError(f"{file}: cannot be read ({reason_of(error)}); {remedy}") from None

"""The folder of a run: what is in it, and how it gets there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import tomli_w

from keras_mir.models.json_file import from_json, write_json
from keras_mir.recipes.recipe import Recipe, read_recipe
from pipelines.errors import ArgumentError, UserError
from pipelines.files import read_json, write_atomically
from pipelines.places import check_folder

if TYPE_CHECKING:
    import pandas as pd

_REMEDY = "start a new run"


@dataclass(frozen=True)
class RunOptions:
    """What was asked of a run besides its recipe, as `run.json` keeps it; folders are absolute.

    Attributes:
        data: Folder of the data set; empty for the built-in synthetic corpus.
        labels: Label table of a folder of files; empty for none.
        synced: Whether such a folder's features are beat-synchronous already.
        skip_bad: Leave out files that cannot be read.
        cache_dir: Where processed features are kept.
        jobs: Processes that extract features; 0 for one per core.
        name: Name of the exported model.
        export: Whether to write a SavedModel.
        export_dir: Where exported models go.
        seed: Seed of everything random but the split.
        devices: Train on these in step.
        baseline: Whether to fit the baseline that the report sets beside the scores.
    """

    data: str
    labels: str
    synced: bool
    skip_bad: bool
    cache_dir: str
    jobs: int
    name: str
    export: bool
    export_dir: str
    seed: int
    devices: tuple[str, ...]
    baseline: bool = True


Options = TypeVar("Options", bound=RunOptions)


class RunFolder:
    """Paths in a run's folder.

    `recipe.toml` and `run.json` say what was asked for, `checkpoint` holds the state after the last whole
    epoch, `logs` what TensorBoard shows; `split.csv`, `history.csv`, `predictions.csv`, in `baseline.csv`
    those of the baseline, `report.json`, `model.keras`, its checksum in `model.sha256`, what it says of
    itself in `description.json`, and the pictures are the results; an overfit check has `overfit.json` in
    place of the report. Where a model has several heads each has its own `predictions_genre.csv`,
    `baseline_tags.csv` and so on. A cross-validation has `folds.csv`, `cross_validation.json`, and one run
    folder per fold; a search has its state in `study.log`, `trials.csv`, the best recipe in `best.toml`,
    and one cross-validation folder per trial.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.options = path / "run.json"
        self.checkpoint = path / "checkpoint"
        self.logs = path / "logs"
        self.split = path / "split.csv"
        self.history = path / "history.csv"
        self.report = path / "report.json"
        self.predictions = path / "predictions.csv"
        self.baseline = path / "baseline.csv"
        self.description = path / "description.json"
        self.overfit = path / "overfit.json"
        self.model = path / "model.keras"
        self.curves = path / "learning_curves.png"
        self.folds = path / "folds.csv"
        self.cross_validation = path / "cross_validation.json"
        self.suspicious_labels = path / "suspicious_labels.csv"
        self.study = path / "study.log"
        self.trials = path / "trials.csv"
        self.best = path / "best.toml"

    @property
    def is_finished(self) -> bool:
        """Whether the model is there and all that is said of it; what is lost a checkpoint can make again."""
        return all(file.exists() for file in (self.model, self.description, self.report))

    def check_free(self) -> None:
        """Refuse a folder that a new run cannot have.

        Raises:
            ArgumentError: If there is a run in it already, or it is a file.
        """
        if self.options.exists():
            problem = f"there is a run in it; go on with python -m keras_mir.fit --resume {self.path}"
            raise ArgumentError("out", self.path, problem)
        check_folder("out", self.path)

    def create(self, recipe: Recipe, options: RunOptions, parts: Path, content: bytes) -> None:
        """Make the folder and write down what was asked for.

        Args:
            recipe: What is trained.
            options: What else was asked for; there is a run in the folder once they are written.
            parts: The file that says which clip is used for what.
            content: Content of that file.

        Raises:
            ArgumentError: As `check_free`.
        """
        self.check_free()
        write_atomically(self.recipe, tomli_w.dumps(recipe.to_dict()).encode())
        write_atomically(parts, content)
        write_json(self.options, options)

    def check_same(self, parts: Path, content: bytes) -> None:
        """Refuse to go on with other data than the run was started with.

        Args:
            parts: The file that says which clip is used for what.
            content: What it must say.

        Raises:
            ArgumentError: If it says something else, or is not there.
        """
        if not parts.is_file() or parts.read_bytes() != content:
            problem = f"the data set has changed since the run started, or {parts.name}; start a new run"
            raise ArgumentError("resume", self.path, problem)

    def read_options(self) -> RunOptions:
        """What was asked for.

        Raises:
            UserError: As `read_options_of`.
        """
        return self.read_options_of(RunOptions)

    def read_options_of(self, kind: type[Options]) -> Options:
        """What was asked for, of a run that has more options than a training.

        Args:
            kind: Its options.

        Raises:
            UserError: If there is no run in the folder, or what it says of itself is damaged.
        """
        try:
            return from_json(kind, read_json(self.options, _REMEDY), str(self.options), _REMEDY)
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"{self.path}: no run in it (run.json is missing); check the folder") from None

    def read_recipe(self) -> Recipe:
        """The recipe it follows.

        Raises:
            UserError: If it is missing or damaged.
        """
        try:
            return read_recipe(self.recipe, {}, whole=True)
        except UserError as error:
            raise UserError(f"{error}; {_REMEDY}") from None

    def read_history(self) -> pd.DataFrame:
        """Losses and metrics, one row per epoch.

        Raises:
            UserError: If they are missing or damaged.
        """
        from pipelines.datasets.tables import read_table

        remedy = "train the model again"
        cells, _ = read_table(self.history, remedy)
        try:
            table = cells.replace("", "nan").astype(float)
            return table.set_index(table.pop("epoch").astype(int))
        except (KeyError, ValueError):
            raise UserError(f"{self.history}: damaged, not a table of numbers by epoch; {remedy}") from None

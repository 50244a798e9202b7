"""The contract every data set fulfils: a table of examples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipelines.errors import UserError
from pipelines.spec import FeatureSpec, Spec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

Task = Literal["genre", "affect", "tags"]  # what labels are of; a model may learn several

# Columns with a meaning of their own. Every other column is the user's (an artist, a year ...).
ID, PATH, BEATS, SPLIT, GENRE, TAGS = "id", "path", "beats", "split", "genre", "tags"


@dataclass(frozen=True)
class LoadOptions:
    """What a user may say of a data set of features; see `pipelines.datasets.load.load_examples`."""

    labels: Path | None = None
    prefer_synced: bool = False
    synced: bool = False
    targets: Sequence[str] | None = None
    tags: Sequence[str] | None = None


@dataclass(frozen=True)
class Examples:
    """A table of labelled feature files.

    Attributes:
        table: One row an example, with a default index and at least these columns:
            `id` (str, unique), `path` (str, a `.npy` or `.npy.gz` file), `split`
            (`"train"`, `"test"` or `""` where the data set has no opinion), `beats`
            (str, a `.npy` file of beat frames, or `""`), then `genre` (str) and/or the
            target columns (float), for the tags task `tags` (a tuple of str), and any further
            columns such as an artist.
        name: What reports call the data set.
        targets: The numeric columns that are affect targets.
        synced: Whether the files are beat-synchronous already.
        spec: What the features were made with.
        licence: Terms the data may be used under, as stated by its source; may be empty.
        synthetic: Whether the music was generated rather than recorded.
        notes: What was not taken as it is written in the labels.
        tags: The tags there are; empty unless the task is tags.
        tasks: What the labels are of, if that is known. Where there are several a clip may lack some: its
            genre is `""`, its tags are None, or all its targets are NaN.
    """

    table: pd.DataFrame
    name: str
    targets: tuple[str, ...] = ()
    synced: bool = False
    spec: Spec = field(default_factory=FeatureSpec)
    licence: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def spectrogram_spec(self) -> FeatureSpec:
        """The spec, of examples that are spectrograms.

        Raises:
            UserError: If they are not.
        """
        if not isinstance(self.spec, FeatureSpec):
            raise UserError(f"{self.name}: vectors, where spectrograms are needed")
        return self.spec

    @property
    def has_genre(self) -> bool:
        return GENRE in self.table.columns

    def has_labels(self, task: Task) -> np.ndarray:
        """Which clips have labels of a kind that is learnt, bool `(n,)`."""
        if task == "genre":
            return (self.table[GENRE] != "").to_numpy()
        columns = [TAGS] if task == "tags" else list(self.targets)
        return self.table[columns].notna().all(axis=1).to_numpy()

    def labelled(self) -> Examples:
        """The examples that have any of the labels that are learnt: a genre, where no task is known."""
        return self.where(np.any([self.has_labels(task) for task in self.tasks or ("genre",)], axis=0))

    def take(self, rows: np.ndarray) -> Examples:
        """The examples at the given row positions, in that order."""
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True))

    def where(self, mask: np.ndarray) -> Examples:
        """The examples for which the boolean `mask` holds."""
        return self.take(np.flatnonzero(mask))

"""`predictions.csv`: what a model said of each evaluated clip, beside its labels.

A row a clip, with its `id`; of a genre model `label`, `predicted` and `probability_<class>` for each class,
of an affect model `label_<target>` and `predicted_<target>` for each target.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from keras_mir.evaluate.evaluation import Evaluation, compare_with_labels
from keras_mir.models.report import GenreScores
from pipelines.datasets.base import GENRE, ID
from pipelines.datasets.tables import numbers, read_table
from pipelines.errors import UserError
from pipelines.files import write_atomically

FILE_NAME = "predictions.csv"
_LABEL, _PREDICTED, _PROBABILITY = "label", "predicted", "probability_"
_REMEDY = "evaluate the model again"


@dataclass(frozen=True)
class Predictions:
    """A table of predictions.

    Attributes:
        table: The columns as above; the index has the ids.
        classes: Genres in index order; empty for affect.
        targets: Affect targets; empty for genre.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def labels(self) -> pd.DataFrame:
        """Columns of labels, in an order that follows from their names."""
        return self.table[[_LABEL] if self.classes else sorted(f"{_LABEL}_{name}" for name in self.targets)]

    def evaluation(self, ids: Iterable[str], seed: int = 0) -> Evaluation:
        """The predictions for some of the clips, compared with their labels.

        Args:
            ids: Of the clips.
            seed: Of the confidence intervals.
        """
        rows = self.table.loc[list(ids)]
        labels: dict[str, np.ndarray]
        outputs: dict[str, np.ndarray]
        if self.classes:
            labels = {GENRE: np.array([self.classes.index(name) for name in rows[_LABEL]])}
            outputs = {GENRE: rows[[f"{_PROBABILITY}{name}" for name in self.classes]].to_numpy()}
        else:
            labels = {name: rows[f"{_LABEL}_{name}"].to_numpy() for name in self.targets}
            outputs = {name: rows[f"{_PREDICTED}_{name}"].to_numpy() for name in self.targets}
        return compare_with_labels(labels, outputs, self.classes, self.targets, seed)


def predictions_table(ids: Iterable[str], evaluation: Evaluation) -> pd.DataFrame:
    """Predictions as a table with the columns above.

    Args:
        ids: Of the clips, in the order of the evaluation.
        evaluation: What the model said of them.
    """
    columns: dict[str, np.ndarray] = {}
    if isinstance(evaluation.scores, GenreScores):
        names = np.array(evaluation.scores.class_names)
        columns = {_LABEL: names[evaluation.true[GENRE]], _PREDICTED: names[evaluation.predicted[GENRE]]}
        columns |= {
            f"{_PROBABILITY}{name}": values
            for name, values in zip(names, np.asarray(evaluation.probabilities).T, strict=True)
        }
    else:
        for target, values in evaluation.true.items():
            columns |= {f"{_LABEL}_{target}": values, f"{_PREDICTED}_{target}": evaluation.predicted[target]}
    return pd.DataFrame(columns, index=pd.Index(list(ids), name=ID))


def write_predictions(ids: Iterable[str], evaluation: Evaluation, folder: Path) -> Path:
    """Write `predictions.csv`, whole or not at all; see `predictions_table`."""
    path = folder / FILE_NAME
    write_atomically(path, predictions_table(ids, evaluation).to_csv(lineterminator="\n").encode())
    return path


def read_predictions(folder: Path) -> Predictions:
    """Read the predictions in a run's folder, or in one that `evaluate` wrote.

    Raises:
        UserError: If there are none, or they are damaged.
    """
    path = folder / FILE_NAME
    cells = read_table(path, _REMEDY)
    classes = _after(_PROBABILITY, cells)
    targets = () if classes else _after(f"{_PREDICTED}_", cells)
    wanted = [ID, _LABEL] if classes else [ID, *(f"{_LABEL}_{name}" for name in targets)]
    if not (classes or targets) or not set(wanted) <= set(cells) or cells[ID].duplicated().any():
        raise UserError(f"{path}: damaged, not a table of predictions; {_REMEDY}")
    if classes and not set(cells[_LABEL]) <= set(classes):
        raise UserError(f"{path}: damaged, a label is not one of the classes; {_REMEDY}")
    texts = (ID, _LABEL, _PREDICTED)
    columns = {
        name: cells[name] if name in texts else numbers(path, cells[name], f"not a number; {_REMEDY}")
        for name in cells
    }
    return Predictions(pd.DataFrame(columns).set_index(ID), classes, targets)


def _after(prefix: str, cells: pd.DataFrame) -> tuple[str, ...]:
    return tuple(name.removeprefix(prefix) for name in map(str, cells) if name.startswith(prefix))

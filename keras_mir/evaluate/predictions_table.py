"""`predictions.csv`: what a model said of each evaluated clip, beside its labels.

A row a clip, with its `id`; of a genre model `label`, `predicted` and `probability_<class>` for each class,
of an affect model `label_<target>` and `predicted_<target>` for each target. Of a cross-validation a row a
clip and repeat, and after the id `fold`, which the clip was in, and `repeat`, both counted from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from keras_mir.evaluate.evaluation import Evaluation, compare_with_labels
from keras_mir.models.report import GenreScores
from keras_mir.models.run_folder import RunFolder
from pipelines.datasets.base import GENRE, ID
from pipelines.datasets.tables import numbers, read_table
from pipelines.errors import UserError
from pipelines.files import write_atomically

FOLD, REPEAT = "fold", "repeat"
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

    def by_repeat(self) -> list[Predictions]:
        """Those of each repeat of a cross-validation."""
        return [replace(self, table=part) for _, part in self.table.groupby(REPEAT)]

    def mean_over_repeats(self) -> Predictions:
        """With a row a clip, the mean of its probabilities or values over the repeats, if there are any."""
        if REPEAT not in self.table:
            return self
        outputs = [*self._probabilities, *(f"{_PREDICTED}_{name}" for name in self.targets)]
        clips = self.table.drop(columns=[FOLD, REPEAT]).groupby(level=ID, sort=False)
        table = clips.first().assign(**clips[outputs].mean())
        if self.classes:
            table[_PREDICTED] = np.array(self.classes)[table[self._probabilities].to_numpy().argmax(axis=1)]
        return replace(self, table=table)

    def labels_and_outputs(self, ids: Iterable[str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Labels and outputs of some of the clips, by name, as `compare_with_labels` takes them."""
        rows = self.table.loc[list(ids)]
        if self.classes:
            labels = np.array([self.classes.index(name) for name in rows[_LABEL]])
            return {GENRE: labels}, {GENRE: rows[self._probabilities].to_numpy()}
        return (
            {name: rows[f"{_LABEL}_{name}"].to_numpy() for name in self.targets},
            {name: rows[f"{_PREDICTED}_{name}"].to_numpy() for name in self.targets},
        )

    def evaluation(self, ids: Iterable[str], seed: int = 0) -> Evaluation:
        """The predictions for some of the clips, compared with their labels.

        Args:
            ids: Of the clips.
            seed: Of the confidence intervals.
        """
        return compare_with_labels(*self.labels_and_outputs(ids), self.classes, self.targets, seed)

    @property
    def _probabilities(self) -> list[str]:
        return [f"{_PROBABILITY}{name}" for name in self.classes]


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
    return _write(predictions_table(ids, evaluation), folder)


def write_out_of_fold(runs: Mapping[tuple[int, int], Path], folder: Path) -> Predictions:
    """Write the `predictions.csv` of a cross-validation, of those of its runs.

    Args:
        runs: Folders by repeat and fold.
        folder: Of the cross-validation.

    Returns:
        The predictions, a row a clip and repeat.
    """
    every = {at: read_predictions(run) for at, run in runs.items()}
    tables = []
    for (repeat, fold), predictions in every.items():
        tables.append(predictions.table.copy())
        tables[-1].insert(0, FOLD, fold)
        tables[-1].insert(1, REPEAT, repeat)
    whole = replace(next(iter(every.values())), table=pd.concat(tables))
    _write(whole.table, folder)
    return whole


def _write(table: pd.DataFrame, folder: Path) -> Path:
    path = RunFolder(folder).predictions
    write_atomically(path, table.to_csv(lineterminator="\n").encode())
    return path


def read_predictions(folder: Path) -> Predictions:
    """Read the predictions in the folder of a run or a cross-validation, or in one that `evaluate` wrote.

    Raises:
        UserError: If there are none, or they are damaged.
    """
    path = RunFolder(folder).predictions
    cells = read_table(path, _REMEDY)
    classes = _after(_PROBABILITY, cells)
    targets = () if classes else _after(f"{_PREDICTED}_", cells)
    keys = [ID, REPEAT] if {FOLD, REPEAT} <= set(cells) else [ID]
    wanted = {*keys, _LABEL} if classes else {*keys, *(f"{_LABEL}_{name}" for name in targets)}
    if not (classes or targets) or not wanted <= set(cells) or cells.duplicated(keys).any():
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

"""`predictions.csv`: what a model said of each evaluated clip, beside its labels.

One row per clip, with its `id`; of a genre model `label`, `predicted` and `probability_<class>` for each
class, of an affect model `label_<target>` and `predicted_<target>` for each target, of a model of tags
`label_<tag>` and `predicted_<tag>`, which are 0 or 1, and `probability_<tag>` for each tag. A model of
several heads has a table for each, such as `predictions_genre.csv`, of the clips that have labels for it.
Of a cross-validation one row per clip and repeat, and after the id `fold`, which the clip was in, and
`repeat`, both counted from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from keras_mir.evaluate.evaluation import (
    AffectEvaluation,
    Evaluation,
    GenreEvaluation,
    HeadEvaluation,
    TagsEvaluation,
    compare_with_labels,
)
from keras_mir.evaluate.metrics import predicted_classes
from keras_mir.evaluate.tag_metrics import thresholds_at_half
from pipelines.datasets.base import GENRE, ID, TAGS, Task
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
        classes: Genres in index order; empty for another task.
        targets: Affect targets; empty for another task.
        tags: In index order; empty for another task.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    tags: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """What they are of."""
        return "genre" if self.classes else "tags" if self.tags else "affect"

    @property
    def labels(self) -> pd.DataFrame:
        """Columns of labels, in an order that follows from their names."""
        names = sorted(f"{_LABEL}_{name}" for name in self.targets or self.tags)
        return self.table[[_LABEL] if self.classes else names]

    def of_every_repeat(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Labels `(n,)`, and class indices or values `(repeats, n)`, of a cross-validation, by output.

        Of tags `(n, n_tags)` and `(repeats, n, n_tags)`: their probabilities.
        """
        repeats = [replace(self, table=part) for _, part in self.table.groupby(REPEAT)]
        ids = repeats[0].table.index  # those of every repeat
        labels, _ = repeats[0].labels_and_outputs(ids)
        every = [each.labels_and_outputs(ids)[1] for each in repeats]
        answers = {name: np.stack([outputs[name] for outputs in every]) for name in labels}
        if self.classes:
            answers[GENRE] = np.stack([predicted_classes(each) for each in answers[GENRE]])
        return labels, answers

    def mean_over_repeats(self) -> Predictions:
        """With one row per clip, the mean of its probabilities or values over repeats, if there are any."""
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
        if self.tags:
            labels = rows[[f"{_LABEL}_{name}" for name in self.tags]].to_numpy()
            return {TAGS: labels}, {TAGS: rows[self._probabilities].to_numpy()}
        return (
            {name: rows[f"{_LABEL}_{name}"].to_numpy() for name in self.targets},
            {name: rows[f"{_PREDICTED}_{name}"].to_numpy() for name in self.targets},
        )

    def evaluation(self, ids: Iterable[str], seed: int = 0) -> HeadEvaluation:
        """The predictions for some of the clips, compared with their labels.

        Args:
            ids: Ids of the clips.
            seed: Seed of the confidence intervals.
        """
        thresholds = thresholds_at_half(self.tags) if self.tags else None  # the main scores need none
        answers = self.labels_and_outputs(ids)
        return compare_with_labels(*answers, self.classes, self.targets, seed, thresholds).heads[self.task]

    @property
    def _probabilities(self) -> list[str]:
        return [f"{_PROBABILITY}{name}" for name in self.classes or self.tags]


def predictions_table(ids: Iterable[str], evaluation: HeadEvaluation) -> pd.DataFrame:
    """Predictions as a table with the columns above.

    Args:
        ids: Ids of all clips that were evaluated, in their order.
        evaluation: What the model said of those that have labels for the head.
    """
    every = np.array(list(ids), dtype=object)
    return pd.DataFrame(
        _COLUMNS[type(evaluation)](evaluation), index=pd.Index(every[evaluation.rows], name=ID)
    )


def _genre_columns(evaluation: GenreEvaluation) -> dict[str, np.ndarray]:
    names = np.array(evaluation.scores.class_names)
    columns = {_LABEL: names[evaluation.true[GENRE]], _PREDICTED: names[evaluation.predicted[GENRE]]}
    for name, values in zip(names, evaluation.probabilities.T, strict=True):
        columns[f"{_PROBABILITY}{name}"] = values
    return columns


def _affect_columns(evaluation: AffectEvaluation) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for target, values in evaluation.true.items():
        columns |= {f"{_LABEL}_{target}": values, f"{_PREDICTED}_{target}": evaluation.predicted[target]}
    return columns


def _tag_columns(evaluation: TagsEvaluation) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    arrays = (evaluation.true[TAGS].T, evaluation.predicted[TAGS].T, evaluation.probabilities.T)
    for tag, label, given, probability in zip(evaluation.scores.tags, *arrays, strict=True):
        columns |= {
            f"{_LABEL}_{tag}": label,
            f"{_PREDICTED}_{tag}": given,
            f"{_PROBABILITY}{tag}": probability,
        }
    return columns


_COLUMNS: dict[type, Callable[[Any], dict[str, np.ndarray]]] = {
    GenreEvaluation: _genre_columns,
    AffectEvaluation: _affect_columns,
    TagsEvaluation: _tag_columns,
}


def tables_of(tasks: Collection[Task], path: Path) -> dict[Task, Path]:
    """The files of the heads: the only one's is the path itself, and others are called after their tasks."""
    if len(tasks) == 1:
        return dict.fromkeys(tasks, path)
    return {task: path.with_name(f"{path.stem}_{task}{path.suffix}") for task in tasks}


def write_predictions(ids: Iterable[str], evaluation: Evaluation, path: Path) -> None:
    """Write the table of each head, whole or not at all; see `predictions_table` and `tables_of`."""
    files = tables_of(evaluation.heads, path)
    for task, head in evaluation.heads.items():
        _write(predictions_table(ids, head), files[task])


def write_out_of_fold(tables: Mapping[tuple[int, int], Path], path: Path) -> Predictions:
    """Write the table of a cross-validation, of those of its runs.

    Args:
        tables: Tables of the runs, by repeat and fold.
        path: Path of the table to write.

    Returns:
        The predictions, one row per clip and repeat.
    """
    every = {at: read_predictions(table) for at, table in tables.items()}
    parts = []
    for (repeat, fold), predictions in every.items():
        parts.append(predictions.table.copy())
        parts[-1].insert(0, FOLD, fold)
        parts[-1].insert(1, REPEAT, repeat)
    whole = replace(next(iter(every.values())), table=pd.concat(parts))
    _write(whole.table, path)
    return whole


def _write(table: pd.DataFrame, path: Path) -> None:
    write_atomically(path, table.to_csv(lineterminator="\n").encode())


def read_predictions(path: Path) -> Predictions:
    """Read the predictions of a run or a cross-validation, or those that `evaluate` wrote.

    Raises:
        UserError: If there are none, or they are damaged.
    """
    cells, _ = read_table(path, _REMEDY)
    probable, predicted = _after(_PROBABILITY, cells), _after(f"{_PREDICTED}_", cells)
    classes = () if predicted else probable
    tags, targets = (predicted, ()) if predicted == probable else ((), predicted)
    keys = [ID, REPEAT] if {FOLD, REPEAT} <= set(cells) else [ID]
    wanted = {*keys, _LABEL} if classes else {*keys, *(f"{_LABEL}_{name}" for name in predicted)}
    if not (classes or predicted) or not wanted <= set(cells) or cells.duplicated(keys).any():
        raise UserError(f"{path}: damaged, not a table of predictions; {_REMEDY}")
    if classes and not set(cells[_LABEL]) <= set(classes):
        raise UserError(f"{path}: damaged, a label is not one of the classes; {_REMEDY}")
    texts = (ID, _LABEL, _PREDICTED)
    columns = {
        name: cells[name] if name in texts else numbers(path, cells[name], f"not a number; {_REMEDY}")
        for name in cells
    }
    return Predictions(pd.DataFrame(columns).set_index(ID), classes, targets, tags)


def read_heads(path: Path) -> dict[Task, Predictions]:
    """The predictions of each head that there are; see `tables_of`.

    Args:
        path: Path that the table of an only head has.

    Raises:
        UserError: If there are none, or they are damaged.
    """
    several = [file for file in tables_of(get_args(Task), path).values() if file.is_file()]
    found = [read_predictions(file) for file in ([path] if path.is_file() or not several else several)]
    return {predictions.task: predictions for predictions in found}


def _after(prefix: str, cells: pd.DataFrame) -> tuple[str, ...]:
    return tuple(name.removeprefix(prefix) for name in map(str, cells) if name.startswith(prefix))

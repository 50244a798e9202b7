"""Examples of several kinds of labels as one table, in which a clip may lack some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

import pandas as pd

from pipelines.datasets.base import GENRE, ID, SPLIT, TAGS, Examples, Task
from pipelines.datasets.tables import name_ids
from pipelines.errors import UserError


def joined(parts: Mapping[Task, Examples]) -> Examples:
    """The clips of one data set that were read for several tasks, each with all labels that it has.

    Args:
        parts: By the task they were read for; of one alone, they are given back as they are.

    Raises:
        UserError: If a clip is in another split for one task than for another, or one has
            beat-synchronous features and another has not.
    """
    first, *others = parts.values()
    if not others:
        return first
    for task, part in parts.items():
        if (part.synced, part.spec) != (first.synced, first.spec):
            raise UserError(
                f"{first.name}: the features of its {task} clips are not made as those of the others; "
                f"prepare all of them together"
            )
    learnt = {
        task: {"genre": [GENRE], "tags": [TAGS], "affect": list(part.targets)}[task]
        for task, part in parts.items()
    }
    every = list(chain.from_iterable(learnt.values()))
    others_of = [part.table.drop(columns=every, errors="ignore") for part in parts.values()]
    # The first that there is; a column of the user's may be in some parts alone.
    table = pd.concat(others_of).groupby(ID, sort=False).first().fillna("")
    for task, part in parts.items():
        labels = part.table.set_index(ID)
        moved = labels.index[labels[SPLIT] != table.loc[labels.index, SPLIT]]
        if len(moved):
            raise UserError(
                f"{first.name}: {name_ids(list(moved))} is tested on for one task and trained on for "
                f"another; prepare the data again"
            )
        for column in learnt[task]:
            table[column] = labels[column].reindex(table.index)
    if "genre" in parts:
        table[GENRE] = table[GENRE].fillna("")
    if "tags" in parts:
        known = [tags if isinstance(tags, tuple) else None for tags in table[TAGS]]
        table[TAGS] = pd.Series(known, table.index, object)
    return replace(
        first,
        table=table.reset_index(),
        targets=parts["affect"].targets if "affect" in parts else (),
        tags=parts["tags"].tags if "tags" in parts else (),
        tasks=tuple(parts),
        notes=tuple(dict.fromkeys(note for part in parts.values() for note in part.notes)),
    )

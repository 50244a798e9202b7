"""One entry to every kind of data set of features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pipelines.datasets import course, folder
from pipelines.datasets.base import Examples, LoadOptions, Task
from pipelines.errors import ArgumentError
from pipelines.extraction.audio_files import audio_files


class DataSet(Protocol):
    """A kind of data set: a module here, or any object with its two functions."""

    def recognises(self, root: Path, labels: Path | None) -> bool:
        """Whether a folder, with the label table a user named, is of this kind."""

    def load(self, root: Path, task: Task, options: LoadOptions) -> Examples:
        """Its labelled examples; see `load_examples`."""


# A new kind is a file, and a line here. The first that recognises a folder loads it.
DATA_SETS: list[DataSet] = [course, folder]


def kind_of(root: Path, labels: Path | None = None) -> DataSet | None:
    """The kind of data set that a folder is of, or `None` if it has no features."""
    return next((kind for kind in DATA_SETS if kind.recognises(root, labels)), None)


def load_examples(
    data: Path,
    task: Task,
    *,
    labels: Path | None = None,
    prefer_synced: bool,
    synced: bool = False,
    targets: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> Examples:
    """Read the labelled examples of a data set, of whichever kind it is.

    Args:
        data: A folder in the course layout (`keras_mir.prepare` writes it), one of that
            layout's folders, or a folder of feature files with a table.
        task: Which labels to read.
        labels: The table of a folder of feature files; see `folder.load`.
        prefer_synced: In the course layout, whether to read the beat-synchronous twin where
            there is one.
        synced: Whether the files of a folder are beat-synchronous already; in the course
            layout, whether to read the twin in any case.
        targets: The affect columns of a folder's table; see `read_label_table`.
        tags: The tags of one; likewise.

    Raises:
        UserError: If `data` is of no kind, or is malformed.
    """
    if not data.is_dir():
        problem = "a file, not a folder; give that of the data set" if data.exists() else "no such folder"
        raise ArgumentError("data", data, problem)
    kind = kind_of(data, labels)
    if kind is not None:
        return kind.load(data, task, LoadOptions(labels, prefer_synced, synced, targets, tags))
    if audio_files(data).audio:
        shorter = "" if labels else "give its label table, or "
        command = f"python -m keras_mir.prepare {data} --labels {labels or 'LABELS.csv'} --out DATA"
        raise ArgumentError(
            "data", data, f"audio, but no features yet; {shorter}run `{command}` and give DATA"
        )
    raise ArgumentError("data", data, "neither features (.npy, .npy.gz) nor audio in it")

"""One entry to every kind of data set."""

from __future__ import annotations

from pathlib import Path

from pipelines.datasets.base import Examples
from pipelines.datasets.course import FOLDERS, Task, is_course_layout, load_course
from pipelines.datasets.folder import feature_files, load_folder
from pipelines.errors import UserError
from pipelines.extraction.audio_files import audio_files


def load_examples(
    data: Path, task: Task, *, labels: Path | None = None, prefer_synced: bool, synced: bool = False
) -> Examples:
    """Read the labelled examples of a data set, whichever of the known layouts it has.

    Args:
        data: A folder in the course layout (`keras_mir.prepare` writes it), one of that
            layout's folders, or a folder of feature files with a table.
        task: Which labels to read.
        labels: The table of a folder of feature files; see `load_folder`.
        prefer_synced: In the course layout, whether to read the beat-synchronous twin where
            there is one.
        synced: Whether the files of a folder are beat-synchronous already; in the course
            layout, whether to read the twin in any case.

    Raises:
        UserError: If `data` has none of these layouts, or is malformed.
    """
    if not data.exists():
        raise UserError(f"{data}: no such folder; check --data")
    if not data.is_dir():
        raise UserError(f"{data}: a file, not a folder; give the folder of the data set as --data")
    if is_course_layout(data):
        if labels is not None:
            raise UserError(f"--labels {labels}: {data} has its own label files; leave out --labels")
        twin = prefer_synced and (data / FOLDERS[task, True]).is_dir()
        return load_course(data, task, synced or twin)
    if feature_files(data):
        return load_folder(data, labels, task, synced)
    if audio_files(data):
        table = labels or "LABELS.csv"
        shorter = "" if labels else "give its label table as --labels, or "
        raise UserError(
            f"{data}: audio, but no features yet; {shorter}run "
            f"`python -m keras_mir.prepare {data} --labels {table} --out DATA` and give DATA as --data"
        )
    raise UserError(f"{data}: neither features (.npy, .npy.gz) nor audio in it; check --data")

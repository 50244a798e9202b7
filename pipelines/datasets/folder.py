"""A folder of feature files and a table of their labels."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipelines.datasets.base import BEATS, ID, PATH, SPLIT, TAGS, Examples, LoadOptions, Task
from pipelines.datasets.course import described
from pipelines.datasets.labels import FILE, LabelTable, read_label_table
from pipelines.datasets.names import Files, id_of, spellings
from pipelines.datasets.tables import name_ids
from pipelines.errors import ArgumentError, UserError

FEATURE_SUFFIXES = (".npy", ".npy.gz")
TABLE_SUFFIXES = (".csv", ".tsv")


def recognises(root: Path, labels: Path | None) -> bool:
    """As `pipelines.datasets.load.DataSet`."""
    return bool(feature_files(root))


def load(root: Path, task: Task, options: LoadOptions) -> Examples:
    """Read the labelled feature files of a folder.

    A row of the table belongs to the file that its `file` column names, relative to `root` or
    to the table, if that is a feature file; otherwise (the column names the audio, or there is
    none) to the feature file with its id, which its name is or begins with up to a dot, in any subfolder.

    Rows whose cells for the task are empty are left out. A column `beats` may name `.npy` files
    of beat frames, relative to the table. `dataset.json` in `root`, as `keras_mir.prepare`
    writes it, says what the features were made with.

    Args:
        root: Holds `.npy` and `.npy.gz` files, in subfolders if need be.
        task: Which labels to read.
        options: The `labels` are a table as `pipelines.datasets.labels` reads it, by default the only `.csv`
            or `.tsv` file in `root`; `synced` says that the features are beat-synchronous already.

    Raises:
        UserError: If the table is missing or malformed, lacks the task's labels or does not fit
            the files.
    """
    labelled = read_label_table(
        options.labels or _only_table(root), targets=options.targets, tags=options.tags
    )
    table = rows_of_task(labelled, task)
    beats = _beats(labelled)
    taken = set(beats.values())
    files = [path for path in feature_files(root) if str(path.resolve()) not in taken]
    paths = _match(root, labelled, files, frozenset(table[ID]))
    table = table.drop(columns=FILE)
    table[PATH] = [str(paths[identity]) for identity in table[ID]]
    table[BEATS] = table[ID].map(beats)
    if not labelled.has_split:
        table[SPLIT] = ""
    return described(root, table, labelled.names_of(task), task, options.synced, labelled.notes_for(task))


def feature_files(root: Path) -> list[Path]:
    """All `.npy` and `.npy.gz` files in and below `root`, sorted, without hidden ones."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.name.endswith(FEATURE_SUFFIXES)
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.is_file()
    ]


def _only_table(root: Path) -> Path:
    tables = sorted(path for path in root.iterdir() if path.suffix.lower() in TABLE_SUFFIXES)
    if not tables:
        raise ArgumentError("labels", None, f"no .csv or .tsv file of labels in {root}; name one")
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise ArgumentError("labels", None, f"{root} has {len(tables)} tables ({names}); name one")
    return tables[0]


def rows_of_task(labels: LabelTable, task: Task) -> pd.DataFrame:
    """The rows that have labels for a task.

    Raises:
        UserError: If there are none.
    """
    table = labels.table
    lacking = {
        "genre": "" if labels.has_genre else "no column 'genre', which the genre task reads; add it",
        "affect": "" if labels.targets else "no column of numbers, which the affect task reads; add one",
        "tags": ""
        if labels.tags
        else "no column 'tags', which the tags task reads; add it, or choose columns of 0 and 1 with tags",
    }[task]
    if lacking:
        raise UserError(f"{labels.path}: {'; '.join([lacking, *labels.left_out_of(task)])}")
    kept = table[labels.has_labels(task)]
    if kept.empty:
        raise UserError(f"{labels.path}: no row has labels for the {task} task; fill them in")
    # A column of tags is how a table of examples says that they are what is learnt.
    return kept.drop(columns=[] if task == "tags" else [TAGS], errors="ignore").reset_index(drop=True)


def _beats(labels: LabelTable) -> dict[str, str]:
    """Id to file of beats; `""` where there is none."""
    files = dict.fromkeys(labels.table[ID], "")
    for identity, name in zip(labels.table[ID], labels.table.get(BEATS, files.values()), strict=True):
        path = (labels.path.parent / name).resolve()
        if name and (path.suffix != ".npy" or not path.is_file()):
            raise UserError(
                f"{labels.path}: id {identity!r}: beats {name!r} is no .npy file beside the table; correct it"
            )
        files[identity] = str(path) if name else ""
    return files


def _match(root: Path, labels: LabelTable, files: list[Path], wanted: frozenset[str]) -> dict[str, Path]:
    """Id to feature file, each used once; an id that is not `wanted` may do without."""
    at_place, ids = Files(files), spellings(labels.table[ID])
    by_id: dict[str | None, list[Path]] = {}
    for path in files:
        by_id.setdefault(id_of(path.name, ids), []).append(path)
    matched: dict[str, Path] = {}
    for identity, name in zip(labels.table[ID], labels.table[FILE], strict=True):
        if name.endswith(FEATURE_SUFFIXES):
            found = at_place.at(name, (root, labels.path.parent))
        else:
            found = by_id.get(identity, [])
        if len(found) > 1:
            raise UserError(
                f"{found[1]}: id {identity!r} is also in {found[0]}; delete one of them, "
                f"or name the file in a column 'file' of {labels.path.name}"
            )
        if found:
            matched[identity] = found[0]
    missing = [identity for identity in labels.table[ID] if identity in wanted and identity not in matched]
    if missing:
        raise UserError(
            f"{labels.path}: {name_ids(missing)} has no feature file in {root}; "
            f"restore the file or delete the line"
        )
    owners: dict[Path, str] = {}
    for identity, path in matched.items():
        if path in owners:
            raise UserError(
                f"{labels.path}: ids {owners[path]!r} and {identity!r} both have the file {path}; correct one"
            )
        owners[path] = identity
    unlabelled = [str(path.relative_to(root)) for path in files if path not in owners]
    if unlabelled:
        raise UserError(
            f"{root}: {name_ids(unlabelled)} has no line in {labels.path.name}; "
            f"add the line or move the file away"
        )
    return matched

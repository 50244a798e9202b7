"""The course layout: `train` and `test` folders of `<id>.fused.full.npy[.gz]` beside label files.

Four such folders make a data set: genre and affect, each full and beat-synchronous.
`keras_mir.prepare` writes the same layout, with two more files: `dataset.json` (what the
features were made with) and `examples.csv` (all columns of the user's labels). Tags, which the
course has not, are in two more folders, whose label files are as those of affect, of 0 and 1.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipelines.datasets.base import BEATS, GENRE, ID, PATH, SPLIT, TAGS, Examples, LoadOptions, Task
from pipelines.datasets.names import id_of, one_spelling, spellings
from pipelines.datasets.splits import SPLITS
from pipelines.datasets.tables import name_ids, numbers, read_rows, read_table
from pipelines.datasets.tags import tags_of_flags
from pipelines.errors import ArgumentError, UserError
from pipelines.files import read_json
from pipelines.spec import FeatureSpec

FOLDERS: dict[tuple[Task, bool], str] = {
    ("genre", False): "fma_genre_spectrograms",
    ("genre", True): "fma_genre_spectrograms_beat",
    ("affect", False): "multitask_dataset",
    ("affect", True): "multitask_dataset_beat",
    ("tags", False): "tags_dataset",
    ("tags", True): "tags_dataset_beat",
}
SUFFIXES = (".fused.full.npy.gz", ".fused.full.npy")
_KEPT = ("Blues", "Classical", "Electronic", "Folk", "Hip-Hop", "Jazz", "Metal", "Pop", "Rock", "Trip-Hop")
# Twenty genres to ten classes; None drops the genre.
COURSE_CLASSES: dict[str, str | None] = {
    **{genre: genre for genre in _KEPT},
    "Chiptune": "Electronic",
    "Post-Rock": "Rock",
    "Psych-Folk": "Folk",
    "Psych-Rock": "Rock",
    "Punk": "Metal",
    **dict.fromkeys(("Indie-Rock", "International", "Old-Time", "Post-Punk", "Soundtrack")),
}


def is_course_layout(root: Path) -> bool:
    """Whether `root` is one of these folders, or holds any of them."""
    return _is_one_folder(root) or any((root / name).is_dir() for name in FOLDERS.values())


def recognises(root: Path, labels: Path | None) -> bool:
    """As `pipelines.datasets.load.DataSet`."""
    return is_course_layout(root)


def load(root: Path, task: Task, options: LoadOptions) -> Examples:
    """As `pipelines.datasets.load.DataSet`."""
    if options.labels is not None:
        raise ArgumentError("labels", options.labels, f"{root} has its own label files; leave out the table")
    twin = options.prefer_synced and (root / FOLDERS[task, True]).is_dir()
    return load_course(root, task, options.synced or twin)


def load_course(root: Path, task: Task, synced: bool) -> Examples:
    """Read the labelled examples of a data set in the course layout.

    Args:
        root: The folder that holds them, or one of them.
        task: Which labels to read.
        synced: Whether to read the beat-synchronous twin; ignored where `root` is one
            of the folders itself, which are synced if their name ends in `_beat`.

    Returns:
        Train and test examples, as far as they are labelled, with `split` set.

    Raises:
        UserError: If a folder, label file or feature file is missing or malformed.
    """
    if _is_one_folder(root):
        folder, base, synced = root, root.parent, root.name.endswith("_beat")
    else:
        folder, base = root / FOLDERS[task, synced], root
        if not folder.is_dir():
            there = (root / FOLDERS[task, not synced]).is_dir()
            other = "one column per beat" if not synced else "every frame"
            remedy = (
                f"there are spectrograms with {other}: choose a recipe that reads those"
                if there
                else "prepare clips with such labels, or choose another recipe"
            )
            raise UserError(f"{root}: no folder {folder.name}, which the {task} task reads; {remedy}")
    (train, names), (test, others) = (_read_split(folder, split, task) for split in SPLITS)
    if len(test) and names != others:
        raise UserError(
            f"{folder / 'test_labels.txt'}: its columns are not those of train_labels.txt; give both the same"
        )
    if both := sorted(set(train[ID]) & set(test[ID])):
        raise UserError(f"{folder}: {name_ids(both)} is in train and in test; delete it from one of them")
    table = pd.concat([part for part in (train, test) if len(part)], ignore_index=True)
    table = _with_extra_columns(table, base)
    notes: tuple[str, ...] = ()
    if task == "genre":
        table[GENRE], notes = one_spelling(table[GENRE])
    table[BEATS] = [_beats_path(base, identity) for identity in table[ID]]
    return described(base, table, names, task, synced, notes)


def unlabelled_test(root: Path, synced: bool) -> Examples:
    """The affect clips of the test folder, for which there may be no labels, in file order."""
    folder = root if _is_one_folder(root) else root / FOLDERS["affect", synced]
    files = _feature_files(folder / "test")
    table = pd.DataFrame({ID: list(files), PATH: [str(path) for path in files.values()]})
    table[SPLIT] = "test"
    base = folder.parent
    table[BEATS] = [_beats_path(base, identity) for identity in table[ID]]
    return described(base, table, (), "affect", synced)


@dataclass(frozen=True)
class Info:
    """What `dataset.json` says of a data set; see `Examples` for the meaning."""

    name: str = ""
    licence: str = ""
    synthetic: bool = False
    spec: FeatureSpec = field(default_factory=FeatureSpec)


def _is_one_folder(root: Path) -> bool:
    return (root / "train").is_dir() and (root / "train_labels.txt").is_file()


def read_info(base: Path) -> Info:
    """Read `dataset.json` in `base`; a data set without one has the defaults."""
    path = base / "dataset.json"
    if not path.exists():
        return Info()
    values = read_json(path, "prepare the data again")
    try:
        return Info(
            name=str(values.get("name", "")),
            licence=str(values.get("licence", "")),
            synthetic=bool(values.get("synthetic", False)),
            spec=FeatureSpec.from_dict(values["feature_spec"]),
        )
    except (ValueError, KeyError, AttributeError, TypeError, UserError) as error:
        raise UserError(f"{path}: not as prepare writes it ({error}); prepare the data again") from None


def described(
    base: Path,
    table: pd.DataFrame,
    names: tuple[str, ...],
    task: Task,
    synced: bool,
    notes: tuple[str, ...] = (),
) -> Examples:
    """Examples with what `dataset.json` in `base` says of them; named after the folder without one.

    Args:
        base: The data set's folder.
        table: Table of the examples.
        names: Names of the targets or tags; empty for genres.
        task: Which of them.
        synced: Whether the features are beat-synchronous.
        notes: On the labels.
    """
    info = read_info(base)
    name = info.name or base.resolve().name
    targets, tags = (names if task == each else () for each in ("affect", "tags"))
    return Examples(
        table, name, targets, synced, info.spec, info.licence, info.synthetic, notes, tags=tags, tasks=(task,)
    )


def _with_extra_columns(table: pd.DataFrame, base: Path) -> pd.DataFrame:
    """Add the user's other columns (an artist, say) that `prepare` kept."""
    path = base / "examples.csv"
    if not path.is_file():
        return table
    extra, _ = read_table(path, "prepare the data again")
    if ID in extra:
        extra[ID] = extra[ID].map(_composed)
    if ID not in extra or extra[ID].duplicated().any():
        raise UserError(f"{path}: needs a column {ID!r} with every id once; prepare the data again")
    new = [column for column in extra.columns if column not in (*table.columns, TAGS)]
    table = table.merge(extra[[ID, *new]], on=ID, how="left")
    table[new] = table[new].fillna("")
    return table


def _composed(identity: str) -> str:
    """An id in one Unicode form: in which a file's name is depends on where it has been."""
    return unicodedata.normalize("NFC", identity)


def _beats_path(base: Path, identity: str) -> str:
    path = base / "beats" / f"{identity}.beats.npy"
    return str(path) if path.is_file() else ""


def _read_split(folder: Path, split: str, task: Task) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The labelled examples of a split, and the names of their targets or tags."""
    labels = folder / f"{split}_labels.txt"
    if not labels.is_file():
        if split == "test":
            return pd.DataFrame({ID: [], PATH: [], SPLIT: []}, dtype=str), ()
        raise UserError(f"{labels}: no such file; the course layout needs it beside {folder / split}")
    files = _feature_files(folder / split)
    table, names = _read_labels(labels, task, files)
    missing = [identity for identity in table[ID] if identity not in files]
    if missing:
        raise UserError(
            f"{labels}: {name_ids(missing)} has no feature file in {folder / split}; "
            f"restore the file or delete the line"
        )
    unlabelled = sorted(set(files) - set(table[ID]))
    if unlabelled:
        raise UserError(
            f"{folder / split}: {name_ids(unlabelled)} has no line in {labels.name}; "
            f"add the line or move the file away"
        )
    table[PATH] = [str(files[identity]) for identity in table[ID]]
    table[SPLIT] = split
    return table, names


def _read_labels(path: Path, task: Task, ids: Iterable[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The ids, which may have another ending here than on the disk, and the labels of one label file.

    Besides, the names of the targets or tags.
    """
    genre = task == "genre"
    separator = "\t" if genre else ","
    rows = list(read_rows(path, "save the label file again", separator, quoted=not genre))
    if len(rows) < 2:
        raise UserError(f"{path}: no labels in it; it needs a header and one line per clip")
    header, width = rows[0][1], len(rows[0][1])
    if width < 2 or (task == "genre" and width != 2):
        wanted = "Id<TAB>Genre" if task == "genre" else "Id,<target>,..."
        raise UserError(f"{path}: line 1 is {separator.join(header)!r}, not a header such as {wanted}")
    if len(set(header)) < width:
        raise UserError(f"{path}: line 1 is {separator.join(header)!r}, with a name in it twice; rename one")
    seen: dict[str, int] = {}
    known = spellings(ids)
    for number, row in rows[1:]:
        if len(row) != width or not all(row):
            line = separator.join(row).strip()
            raise UserError(f"{path}: line {number} ({line!r}) has not {width} values; correct it")
        identity = id_of(row[0], known) or row[0].split(".fused", 1)[0].split(".full", 1)[0]
        if identity in seen:
            raise UserError(f"{path}: id {identity!r} is on lines {seen[identity]} and {number}; delete one")
        seen[identity] = number
    lines = list(seen.values())
    names = (GENRE,) if genre else tuple(header[1:])
    cells = pd.DataFrame([row[1:] for _, row in rows[1:]], index=lines, columns=list(names))
    table = pd.DataFrame({ID: list(seen)}, index=lines)
    if task == "tags":
        table[TAGS] = tags_of_flags(path, {name: cells[name] for name in names})
    for name in names if task != "tags" else ():
        table[name] = cells[name] if genre else numbers(path, cells[name], "not a number; correct it")
    return table.reset_index(drop=True), () if genre else names


def _feature_files(folder: Path) -> dict[str, Path]:
    """Id to file. A clip that is there both zipped and not is an error, not a choice."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.name.endswith(SUFFIXES):
            continue
        identity = _composed(path.name.removesuffix(SUFFIXES[0]).removesuffix(SUFFIXES[1]))
        if identity in files:
            raise UserError(f"{path}: id {identity!r} is also in {files[identity].name}; delete one of them")
        files[identity] = path
    return files

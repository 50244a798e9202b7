"""Labelled audio, and a user's label table for it: a CSV or TSV file with one line a clip."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipelines.datasets.base import GENRE, ID, SPLIT
from pipelines.datasets.splits import SPLITS, group_column
from pipelines.datasets.tables import number, numbers, read_table
from pipelines.errors import ArgumentError, UserError

FILE = "file"
FILE_COLUMNS = (FILE, "path", "filename")
# Numeric, yet no affect: never taken for a target unless asked for. Nor is any `*_id` column.
NOT_TARGETS = ("artist", "album", "year", "group")
REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "split_lists": "only GTZAN's split is in lists",
}
_IN_ANY_CASE = {ID, *FILE_COLUMNS, GENRE, SPLIT, *NOT_TARGETS}


@dataclass(frozen=True)
class LabelTable:
    """Labels of audio or feature files, checked.

    Attributes:
        table: One row a clip, with a default index: `id` (str, unique), `file` (str as the
            user wrote it, may be `""`), `genre` (str, `""` where a clip has none) if there
            are genres, `split` (`"train"` or `"test"`) if the user chose one, the target
            columns (float64, all NaN where a clip has none) and the user's other columns (str).
        targets: The affect columns, in the order of the file or as asked for.
        path: The file it was read from.
    """

    table: pd.DataFrame
    targets: tuple[str, ...]
    path: Path

    def __len__(self) -> int:
        return len(self.table)

    @property
    def has_genre(self) -> bool:
        return GENRE in self.table.columns

    @property
    def has_split(self) -> bool:
        return SPLIT in self.table.columns


@dataclass(frozen=True)
class AudioOptions:
    """What a user may say of labelled audio; see `pipelines.datasets.audio.load_labelled_audio`."""

    targets: Sequence[str] | None = None
    group_by: str | None = None
    subset: str | None = None
    split_lists: Sequence[Path] | None = None


@dataclass(frozen=True)
class LabelledAudio:
    """The labels of a folder of audio, and what is known of the data set.

    Attributes:
        folder: Of the audio files, at any depth.
        labels: One row for every clip to extract; its audio is there.
        lacking: What audio files without a row have not, to complete "3 audio files have ...".
        name: What reports call the data set; `""` for the name of its folder.
        terms: Licence and citation, as stated by its source; may be empty.
        notes: What the user should know before training on it: what was left out, and why.
        known_faults: Ids of clips that are damaged in common copies, and how. One that cannot be
            extracted is no surprise, and no failure.
    """

    folder: Path
    labels: LabelTable
    lacking: str
    name: str = ""
    terms: str = ""
    notes: tuple[str, ...] = ()
    known_faults: Mapping[str, str] = field(default_factory=dict)


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`; whatever is nothing else is this."""
    return True


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """As `pipelines.datasets.audio.AudioDataSet`."""
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are not known; name their table")
    labels = read_label_table(table, targets=options.targets, group_by=options.group_by)
    return LabelledAudio(audio_dir, labels, lacking=f"no line in {table}")


def read_label_table(
    path: Path, *, targets: Sequence[str] | None = None, group_by: str | None = None
) -> LabelTable:
    """Read and check a label table.

    The file is UTF-8 with a header line; values are separated by tabs in a `.tsv` file,
    otherwise by whichever of tab, comma and semicolon the header has most of. It needs a file
    column (`file`, `path` or `filename`) or an `id` column, and a `genre` column or
    numeric columns or both; a `split` column (train, test) is heeded. These names may be in
    any case. An id is text up to its first dot; without an `id` column it comes from the
    file's name.

    Args:
        path: The table.
        targets: The affect columns. By default every column of numbers that is none of the
            above, nor one of `NOT_TARGETS` or named `*_id`.
        group_by: A column that says what belongs together; it has to be there and is no target.

    Raises:
        UserError: If the table is missing, empty or malformed, has duplicate ids, an unknown
            split or no labels, lacks a column asked for, or has a target value that is not a
            finite number.
    """
    cells = read_table(path, "give a CSV or TSV file with a header and one line a clip", _IN_ANY_CASE)
    if group_by is not None:
        group_column(cells, group_by, path)
    _check_genres_and_splits(path, cells)
    others = {str(name): cells[name] for name in cells if name not in (ID, FILE, GENRE, SPLIT)}
    asked = _default_targets(others, group_by) if targets is None else targets
    chosen = _checked_targets(path, asked, others)
    table = _identified(path, cells)
    for name in (GENRE, SPLIT):
        if name in cells and cells[name].any():
            table[name] = cells[name] if name == GENRE else cells[name].str.lower()
    for name in chosen:
        complaint = f"not a finite number; correct it or leave {name} out of the targets"
        table[name] = numbers(path, others[name], complaint)
    for name in others:
        if name not in chosen:
            table[name] = others[name]
    _check_all_labelled(path, table, chosen)
    return LabelTable(table.reset_index(drop=True), tuple(chosen), path)


def _identified(path: Path, cells: pd.DataFrame) -> pd.DataFrame:
    """The columns `id` and `file`."""
    file_column = next((name for name in FILE_COLUMNS if name in cells), None)
    source = ID if ID in cells else file_column
    if source is None:
        raise UserError(f"{path}: no column 'id' or 'file' to tell the clips apart; name one of them so")
    remedy = "correct it" if source == ID else "add an id column"
    lines: dict[str, Hashable] = {}
    for line, name in cells[source].items():
        # An id may have a slash in it, which is a mistake; a file's name begins after its last.
        name = name if source == ID else name.replace("\\", "/").rpartition("/")[2]
        identity = name.partition(".")[0].strip()
        if not identity:
            raise UserError(f"{path}: line {line} has no {source}; fill it in")
        if not identity.isprintable() or set(identity) & set("/\\,"):
            raise UserError(
                f"{path}: line {line}: {name!r} is no id, it has a slash or comma in it; {remedy}"
            )
        if identity in lines:
            raise UserError(
                f"{path}: lines {lines[identity]} and {line} both have the id {identity!r} "
                f"(a name up to its first dot, without folders); {remedy}"
            )
        lines[identity] = line
    files = cells[file_column] if file_column else ""
    return pd.DataFrame({ID: list(lines), FILE: files}, index=cells.index)


def _check_genres_and_splits(path: Path, cells: pd.DataFrame) -> None:
    for line, genre in cells.get(GENRE, cells[[]]).items():
        if not genre.isprintable():
            raise UserError(f"{path}: line {line}: genre {genre!r} has a tab or line break in it; correct it")
    if SPLIT not in cells or not cells[SPLIT].any():
        return
    for line, value in cells[SPLIT].str.lower().items():
        if value in ("val", "valid", "validation"):
            raise UserError(
                f"{path}: line {line}: split {value!r}; write train, fit makes its own validation part"
            )
        if value not in SPLITS:
            raise UserError(f"{path}: line {line}: split {value!r} is not known; write train or test")


def _default_targets(others: Mapping[str, pd.Series[str]], group_by: str | None) -> list[str]:
    return [
        name
        for name in others
        if name not in (*FILE_COLUMNS, *NOT_TARGETS, group_by)
        and not name.lower().endswith("_id")
        and _mostly_numbers(others[name])
    ]


def _mostly_numbers(cells: pd.Series[str]) -> bool:
    """Whether a column is meant as numbers: one slip in a target must not silently make it text."""
    given = [cell for cell in cells if cell]
    return bool(given) and 2 * sum(number(cell) is not None for cell in given) > len(given)


def _checked_targets(path: Path, targets: Sequence[str], others: Mapping[str, pd.Series[str]]) -> list[str]:
    for name in targets:
        if name not in others:
            numeric = [column for column in others if _mostly_numbers(others[column])]
            there = f"numeric columns are {', '.join(numeric)}" if numeric else "no column is numeric"
            raise UserError(f"{path}: no target {name!r}; {there}")
        if not name.isprintable() or "," in name:
            raise UserError(f"{path}: target {name!r} has a comma in its name; rename the column")
    return list(dict.fromkeys(targets))


def _check_all_labelled(path: Path, table: pd.DataFrame, targets: Sequence[str]) -> None:
    """A clip has a genre, or all targets, or both."""
    if GENRE not in table and not targets:
        raise UserError(f"{path}: no labels; it needs a column 'genre' or a column of numbers")
    empty = table[list(targets)].isna()
    for line, missing in empty[empty.any(axis=1) & ~empty.all(axis=1)].iterrows():
        name = missing.idxmax()
        raise UserError(f"{path}: line {line}, {name}: no value; fill it in, or empty all its targets")
    unlabelled = empty.all(axis=1) & (table[GENRE] == "" if GENRE in table else True)
    for line in table.index[unlabelled]:
        raise UserError(f"{path}: line {line} has no label; fill it in or delete the line")

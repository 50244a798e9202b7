"""Labelled audio, and a user's label table for it: a CSV or TSV file with one line per clip."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pandas as pd

from pipelines.datasets.base import GENRE, ID, SPLIT, TAGS, Task
from pipelines.datasets.names import one_spelling, without_folders
from pipelines.datasets.splits import SPLITS, TEST, TRAIN, group_column
from pipelines.datasets.tables import number, numbers, read_table, without_gaps
from pipelines.datasets.tags import counts_of, of_use, tag_problem, tags_of_cells, tags_of_flags
from pipelines.datasets.targets import target_problem
from pipelines.errors import ArgumentError, UserError
from pipelines.wording import counted, has_control_characters

FILE = "file"
REFUSES: Mapping[str, str] = {
    "subset": "only FMA has subsets",
    "split_lists": "only GTZAN's split is in lists",
}

# Columns by what people call them, as letters and digits in lower case; the first that is there counts.
_COLUMNS: Mapping[str, Sequence[str]] = {
    ID: ("id",),
    FILE: ("file", "path", "filename", "filepath", "audio", "audiofile", "audiopath"),
    GENRE: ("genre", "label", "class"),
    TAGS: ("tags",),
    SPLIT: ("split",),
    **{name: (name,) for name in ("artist", "album", "year", "group")},
}
# Numeric, yet no affect: never taken for a target unless asked for. Nor is any column named `*_id`.
_NOT_AFFECT = {
    *chain.from_iterable(_COLUMNS.values()),
    *("index", "unnamed0", "number", "nr", "track", "tracknumber", "fold"),
    *("bpm", "duration", "length", "seconds", "frames", "samplerate", "bitrate", "channels", "filesize"),
}
_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "dev", "development"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), TRAIN),
    **dict.fromkeys(("test", "testing"), TEST),
}
# What stands behind the name of a file of sound, or of features.
_ENDING = re.compile(r"(\.(fused|full|beatsync))*(\.npy\.gz|\.(?=[0-9]*[a-z])[a-z0-9]{1,5})$", re.IGNORECASE)


@dataclass(frozen=True)
class LabelTable:
    """Labels of audio or feature files, checked.

    Attributes:
        table: One row per clip, with a default index: `id` (str, unique), `file` (str as the
            user wrote it, may be `""`), `genre` (str, `""` where a clip has none) if there
            are genres, `split` (`"train"` or `"test"`) if the user chose one, `tags` (a tuple of
            str, None where a clip's are not known) if there are tags, the target columns
            (float64, all NaN where a clip has none) and the user's other columns (str).
        targets: The affect columns, in the order of the file or as asked for.
        path: The file it was read from.
        ignored: Columns of numbers that are no targets though none were asked for, and why.
        notes: What was not taken as it is written.
        tags: The tags, in alphabetical order or as asked for.
    """

    table: pd.DataFrame
    targets: tuple[str, ...]
    path: Path
    ignored: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def has_genre(self) -> bool:
        return GENRE in self.table.columns

    @property
    def has_split(self) -> bool:
        return SPLIT in self.table.columns

    @property
    def left_out(self) -> tuple[str, ...]:
        """A sentence for each of the columns `ignored`."""
        return _left_out(self.ignored)

    def names_of(self, task: Task) -> tuple[str, ...]:
        """What a task learns: the targets, or the tags; empty for genres, which their column has."""
        return {"genre": (), "affect": self.targets, "tags": self.tags}[task]

    def has_labels(self, task: Task) -> pd.Series[bool]:
        """Which clips have labels for a task."""
        nothing = pd.Series(False, self.table.index)
        return {
            "genre": lambda: self.table[GENRE] != "" if self.has_genre else nothing,
            "affect": lambda: self.table[list(self.targets)].notna().all(axis=1) & bool(self.targets),
            "tags": lambda: self.table[TAGS].notna() if self.tags else nothing,
        }[task]()

    def left_out_of(self, task: Task) -> tuple[str, ...]:
        """What of `left_out` concerns a task."""
        return self.left_out if task == "affect" else ()

    def notes_for(self, task: Task) -> tuple[str, ...]:
        """The notes that who learns a task should know."""
        return (*self.notes, *self.left_out_of(task))


@dataclass(frozen=True)
class AudioOptions:
    """What a user may say of labelled audio; see `pipelines.datasets.audio.load_labelled_audio`."""

    targets: Sequence[str] | None = None
    tags: Sequence[str] | None = None
    group_by: str | None = None
    subset: str | None = None
    split_lists: Sequence[Path] | None = None


@dataclass(frozen=True)
class LabelledAudio:
    """The labels of a folder of audio, and what is known of the data set.

    Attributes:
        folder: Folder of the audio files, at any depth.
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


def tagged_audio(
    audio_dir: Path,
    table: Path,
    clips: pd.DataFrame,
    chosen: Sequence[str] | None,
    *,
    what: str,
    name: str,
    terms: str,
    notes: Sequence[str] = (),
    known_faults: Mapping[str, str] | None = None,
) -> LabelledAudio:
    """The clips of a data set of tags whose sound is in a folder.

    Args:
        audio_dir: The folder.
        table: The data set's own.
        clips: As in a `LabelTable`; a file that is not in the folder, or `""`, is left out, and noted.
        chosen: The tags to learn; None for all there are.
        what: The data set calls a clip.
        name: As in `LabelledAudio`, like those that follow.
        terms: Likewise.
        notes: Likewise; what is left out is added.
        known_faults: Likewise.

    Raises:
        UserError: If there is no clip, or the tags will not do.
    """
    there, gone = in_folder(audio_dir, table, clips, what)
    tags, left_out = of_use(table, there, list(chosen or ()))
    return LabelledAudio(
        audio_dir,
        LabelTable(there, (), table, tags=tuple(tags)),
        lacking=f"no line in {table}",
        name=name,
        terms=terms,
        notes=(*gone, *notes, *left_out),
        known_faults=known_faults or {},
    )


def recognises(audio_dir: Path, table: Path | None) -> bool:
    """As `pipelines.datasets.audio.AudioDataSet`; whatever is nothing else is this."""
    return True


def load(audio_dir: Path, table: Path | None, options: AudioOptions) -> LabelledAudio:
    """As `pipelines.datasets.audio.AudioDataSet`."""
    if table is None:
        raise ArgumentError("labels", None, f"those of {audio_dir} are not known; name their table")
    labels = read_label_table(table, targets=options.targets, tags=options.tags, group_by=options.group_by)
    return LabelledAudio(audio_dir, labels, lacking=f"no line in {table}", notes=labels.notes)


def in_folder(
    audio_dir: Path, table: Path, clips: pd.DataFrame, what: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The clips of a published table whose audio is there, and a note on how many are not.

    Args:
        audio_dir: The audio.
        table: What the clips are from.
        clips: With a column `file`.
        what: What the table has: clips, tracks or songs, in the singular.

    Raises:
        UserError: If none is there.
    """
    there = clips[[(audio_dir / file).is_file() for file in clips[FILE]]].reset_index(drop=True)
    if there.empty:
        example = f" as {clips[FILE].iloc[0]}" if len(clips) else ""
        raise UserError(f"{audio_dir}: no {what} of {table} is in it{example}; give the folder of its audio")
    missing = len(clips) - len(there)
    return there, (f"left out: {counted(missing, what)} not in {audio_dir}",) if missing else ()


def read_label_table(
    path: Path,
    *,
    targets: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
    group_by: str | None = None,
) -> LabelTable:
    """Read and check a label table.

    The file is as `read_table` takes it. It needs a file column (`file`, `path`, `filename` ...) or an
    `id` column, and a `genre` column (or `label`, or `class`), a `tags` column such as `rock;guitar;live`,
    numeric columns, or several of these; a `split` column (train, test) is heeded. These names may be in
    any case. Without an `id` column an id is the file's name without folders and suffix. Genres, and
    tags, that differ only in case or blanks are one.

    Args:
        path: The table.
        targets: The affect columns; empty for none. By default every column of numbers that is none of
            the above, nor one that is known to be no affect, such as `bpm` or `*_id`. Beside genres, one
            that cannot be a target, for its name or its gaps, is left out then, not refused.
        tags: The tags, each one of those in the column `tags` or a column of 0 and 1; empty for none. By
            default all in the column `tags`.
        group_by: A column that says what belongs together; it has to be there and is no target.

    Raises:
        UserError: If the table is missing, empty or malformed, has duplicate ids, an unknown
            split or no labels, lacks a column asked for, has a target value that is not a
            finite number, or tags that will not do.
    """
    whole, nameless = read_table(path, "give a CSV or TSV file in UTF-8, with a header and one line per clip")
    read, taken = _named(path, whole)
    notes = [*nameless, *taken]
    cells = read.apply(lambda column: column if column.name in (ID, FILE) else without_gaps(column))
    if group_by is not None:
        group_column(cells, group_by, path)
    table = _identified(path, cells)
    if GENRE in cells and cells[GENRE].any():
        table[GENRE], joined = _genres(path, cells[GENRE])
        notes += joined
    if SPLIT in cells and cells[SPLIT].any():
        table[SPLIT], replaced = _splits(path, cells[SPLIT])
        notes += replaced
    others = {str(name): cells[name] for name in cells if name not in (ID, FILE, GENRE, SPLIT, TAGS)}
    learnt, told = _tags(path, table, cells, others, tags)
    notes += told
    chosen, ignored = list(dict.fromkeys(targets or ())), dict[str, str]()
    if targets is None:
        free = {name: others[name] for name in others if name not in (tags or ())}
        labelled = GENRE in table or TAGS in table
        chosen, ignored = _default_targets(path, free, group_by, beside_others=labelled)
    values: dict[str, pd.Series] = {name: _target(path, name, others) for name in chosen}
    values |= {name: column for name, column in others.items() if name not in values}
    # All at once: to put thousands of columns in one by one takes pandas minutes, and it complains.
    table = pd.concat([table, pd.DataFrame(values, table.index)], axis=1)
    _check_all_labelled(path, table, chosen, ignored)
    return LabelTable(table.reset_index(drop=True), tuple(chosen), path, ignored, tuple(notes), learnt)


def _named(path: Path, cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with our names for the columns that are known, and what was taken for what."""
    plain = {str(name): re.sub(r"[\W_]+", "", str(name).casefold()) for name in cells}
    names, notes = {}, []
    for ours, theirs in _COLUMNS.items():
        word = next((word for word in theirs if word in plain.values()), None)
        there = [name for name in plain if plain[name] == word]
        if len(there) > 1:
            raise UserError(f"{path}: columns {there[0]!r} and {there[1]!r} are both the {ours}; rename one")
        if there:
            names[there[0]] = ours
            if word != ours:
                notes.append(f"column {there[0]!r} is taken for the {ours}")
    return cells.rename(columns=names), notes


def _identified(path: Path, cells: pd.DataFrame) -> pd.DataFrame:
    """The columns `id` and `file`."""
    source = ID if ID in cells else FILE
    if source not in cells:
        raise UserError(
            f"{path}: no column 'id' or 'file' to tell the clips apart; name one of them so "
            f"({', '.join(cells.columns)})"
        )
    remedy = "correct it" if source == ID else "add an id column"
    lines: dict[str, Hashable] = {}
    for line, name in cells[source].items():
        # An id may have a slash in it, which is a mistake; a file's name begins after its last.
        identity = name if source == ID else _ENDING.sub("", without_folders(name)).strip()
        if not identity:
            raise UserError(f"{path}: line {line} has no {source}; fill it in")
        if problem := _id_problem(identity):
            raise UserError(f"{path}: line {line}: {name!r} is no id, {problem}; {remedy}")
        if identity in lines:
            raise UserError(
                f"{path}: lines {lines[identity]} and {line} both have the id {identity!r} "
                f"(of a file, its name without folders and suffix); {remedy}"
            )
        lines[identity] = line
    return pd.DataFrame({ID: list(lines), FILE: cells.get(FILE, "")}, index=cells.index)


def _id_problem(identity: str) -> str:
    """Why files cannot be named after an id; `""` if they can."""
    if set(identity) & set("/\\") or has_control_characters(identity):
        return "it has a slash, tab or line break in it"
    if identity.startswith("."):
        return "it begins with a dot, by which files are hidden"
    return ""


def _genres(path: Path, cells: pd.Series[str]) -> tuple[pd.Series[str], tuple[str, ...]]:
    """The genres, each in one spelling, and which were joined."""
    genres = cells.map(lambda cell: unicodedata.normalize("NFC", " ".join(cell.split())))
    for line, genre in genres.items():
        if has_control_characters(genre):
            raise UserError(f"{path}: line {line}: genre {genre!r} has control characters in it; correct it")
    return one_spelling(genres)


def _splits(path: Path, cells: pd.Series[str]) -> tuple[pd.Series[str], list[str]]:
    """Train or test for each line, and what was taken for them."""
    words = cells.str.casefold()
    for line, word in words.items():
        if word not in _SPLIT_WORDS:
            raise UserError(f"{path}: line {line}: split {word!r} is not known; write train or test")
    notes = [
        f"split {word!r} is taken for {_SPLIT_WORDS[word]}"
        + (", since fit makes a validation part of its own" if word.startswith("val") else "")
        for word in sorted(set(words) - set(SPLITS))
    ]
    return words.map(_SPLIT_WORDS), notes


def _tags(
    path: Path,
    table: pd.DataFrame,
    cells: pd.DataFrame,
    others: Mapping[str, pd.Series[str]],
    chosen: Sequence[str] | None,
) -> tuple[tuple[str, ...], list[str]]:
    """Put the column of tags into the table, if there are any; gives the tags, and what to know of them."""
    listed = TAGS in cells and cells[TAGS].any()
    if not (listed if chosen is None else chosen):
        return (), []
    columns, notes = [], list[str]()
    if listed:
        column, joined = tags_of_cells(path, cells[TAGS])
        columns.append(column)
        notes += joined
    in_column = counts_of(columns[0]).index if columns else ()
    flags = [name for name in dict.fromkeys(chosen or ()) if name not in in_column]
    for name in flags:
        if name not in others:
            there = f"column tags has {', '.join(in_column)}" if columns else "there is no column tags"
            raise ArgumentError("tags", name, f"{path} has no such tag or column; {there}")
        if problem := tag_problem(name):
            raise ArgumentError("tags", name, f"{problem}; rename the column of {path}")
    if flags:
        columns.append(tags_of_flags(path, {name: others[name] for name in flags}))
    every = [[each for each in row if each is not None] for row in zip(*columns, strict=True)]
    together = [tuple(chain.from_iterable(row)) if row else None for row in every]
    table[TAGS] = pd.Series(together, table.index, object)
    try:
        learnt, left_out = of_use(path, table, list(dict.fromkeys(chosen or ())))
    except UserError as error:
        if chosen or GENRE not in table:
            raise
        # A table of genres is none the worse for it.
        del table[TAGS]
        return (), [*notes, f"column 'tags' is left out: {str(error).removeprefix(f'{path}: ')}"]
    return tuple(learnt), notes + left_out


def _default_targets(
    path: Path, others: Mapping[str, pd.Series[str]], group_by: str | None, *, beside_others: bool
) -> tuple[list[str], dict[str, str]]:
    """The columns that are targets though nobody asked for them, and why other numbers are none."""
    ignored, values = {}, {}
    for name in (name for name in others if _mostly_numbers(others[name])):
        if name == group_by:
            ignored[name] = "it says which clips belong together"
        elif re.sub(r"[\W_]+", "", name.casefold()) in _NOT_AFFECT or name.casefold().endswith("_id"):
            ignored[name] = "it is rarely of affect; ask for it if it is"
        elif not beside_others:
            values[name] = pd.Series(0.0, others[name].index)
        elif problem := target_problem(name):  # a table of other labels is none the worse for it
            ignored[name] = problem
        else:
            try:
                values[name] = _target(path, name, others)
            except UserError as error:
                ignored[name] = str(error).removeprefix(f"{path}: ")
    empty = pd.DataFrame(values).isna()
    for line, missing in empty[empty.any(axis=1) & ~empty.all(axis=1)].iterrows():
        for name in missing.index[missing]:
            ignored.setdefault(str(name), f"line {line} has other targets, and none here")
    return [name for name in values if name not in ignored], ignored


def _left_out(ignored: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"column {name!r} is no target: {reason}" for name, reason in ignored.items())


def _mostly_numbers(cells: pd.Series[str]) -> bool:
    """Whether a column is meant as numbers: one slip in a target must not silently make it text."""
    given = [cell for cell in cells if cell]
    return bool(given) and 2 * sum(number(cell) is not None for cell in given) > len(given)


def _target(path: Path, name: str, others: Mapping[str, pd.Series[str]]) -> pd.Series[float]:
    """The values of a target."""
    if name not in others:
        numeric = [column for column in others if _mostly_numbers(others[column])]
        there = f"numeric columns are {', '.join(numeric)}" if numeric else "no column is numeric"
        raise UserError(f"{path}: no target {name!r}; {there}")
    if problem := target_problem(name):
        raise UserError(f"{path}: target {name!r}: {problem}, or choose the targets without it")
    return numbers(path, others[name], f"not a finite number; correct it or leave {name} out of the targets")


def _check_all_labelled(
    path: Path, table: pd.DataFrame, targets: Sequence[str], ignored: Mapping[str, str]
) -> None:
    """A clip has a genre, or tags, or all targets."""
    if GENRE not in table and TAGS not in table and not targets:
        needed = "it needs a column 'genre', a column 'tags' or a column of numbers"
        raise UserError(f"{path}: no labels; {'; '.join([needed, *_left_out(ignored)])}")
    empty = table[list(targets)].isna()
    for line, missing in empty[empty.any(axis=1) & ~empty.all(axis=1)].iterrows():
        name = missing.idxmax()
        raise UserError(f"{path}: line {line}, {name}: no value; fill it in, or empty all its targets")
    unlabelled = empty.all(axis=1) & (table[GENRE] == "" if GENRE in table else True)
    unlabelled &= table[TAGS].isna() if TAGS in table else True
    for line in table.index[unlabelled]:
        raise UserError(f"{path}: line {line} has no label; fill it in or delete the line")

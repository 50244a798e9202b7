"""From a folder of audio and a label table to a data set in the course layout.

Extraction can be stopped at any time and goes on where it stopped: features appear whole or not at
all, those that are there and sound are not made again, and label files are written last. A clip that is
in the genre and in the affect folders is one file with two names. Checksums of all features, and of the
sound they were made of, are kept in `features.sha256` and `sources.sha256`, the levels of clips in
`levels.jsonl`.
"""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import compress
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from pipelines.checksums import FEATURES, SOURCES, Checksums, sha256
from pipelines.datasets.base import GENRE, ID, SPLIT, TAGS, Task
from pipelines.datasets.course import FOLDERS, SUFFIXES
from pipelines.datasets.labels import FILE, LabelledAudio, LabelTable
from pipelines.datasets.names import Files
from pipelines.datasets.splits import SPLITS, TEST, TRAIN, group_column, hold_out
from pipelines.datasets.tags import SEPARATORS, tag_matrix
from pipelines.errors import ArgumentError, UserError
from pipelines.extraction.audio_files import audio_files
from pipelines.extraction.features import check_spec, compile_functions, extract
from pipelines.extraction.workers import map_in_processes
from pipelines.files import (
    gzip_npy_bytes,
    link_or_copy,
    locked,
    npy_bytes,
    read_json,
    remove_temporary,
    write_atomically,
    write_json,
)
from pipelines.levels import LEVELS, Levels
from pipelines.limits import TOO_LONG
from pipelines.processes import Died
from pipelines.settings import check_seed
from pipelines.spec import FeatureSpec

DATASET = "dataset.json"
EXAMPLES = "examples.csv"
UNFINISHED = "unfinished.json"  # there while a folder has features and no label files yet

_MOST_BYTES = 255  # that systems allow a file's name
_TOO_LONG = "its id is too long for a file's name; give a shorter one in an id column"
_STANDARD = FeatureSpec()
_SUFFIX = SUFFIXES[0]
_TASKS: tuple[Task, ...] = ("genre", "affect", "tags")


@dataclass(frozen=True)
class ExtractionResult:
    """What became of the clips of a label table.

    Attributes:
        done: Number of clips extracted now.
        skipped: Number of clips whose features were there already.
        failed: For every other clip, unless in `known`, its file and the reason, one line each.
        unlabelled: Number of audio files in the folder that the table does not name.
        known: The clips that failed and were known to be damaged: file and reason.
        clips: The audio of those that are in the data set now, by id.
    """

    done: int
    skipped: int
    failed: tuple[tuple[str, str], ...]
    unlabelled: int
    known: tuple[tuple[str, str], ...] = ()
    clips: Mapping[str, Path] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class CheckResult:
    """What has become of the files that a data set consists of and was made of.

    Attributes:
        unchanged: How many are as `extract_dataset` left or found them.
        changed: The others: file, and what is the matter with it.
    """

    unchanged: int
    changed: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Clip:
    """One row of the table: its audio, and the names its features go by.

    Attributes:
        id: Id of the row.
        audio: Its sound.
        full: The fused spectrogram, a name for each kind of label that the clip has.
        synced: Its beat-synchronous twin; likewise.
        beats: The tracked beats.
    """

    id: str
    audio: Path
    full: tuple[Path, ...]
    synced: tuple[Path, ...]
    beats: Path

    @property
    def features(self) -> tuple[Path, ...]:
        """All that is made of it."""
        return (*self.full, *self.synced, self.beats)


@dataclass(frozen=True)
class Made:
    """What was made of a clip.

    Attributes:
        level: As of `Extraction`.
        seconds: Length of its sound.
        source: SHA-256 of its sound.
        full: SHA-256 of the fused spectrogram.
        synced: SHA-256 of its beat-synchronous twin.
        beats: SHA-256 of the beats.
        before: Whether it was there already, made by a run that did not come to its end.
    """

    level: float
    seconds: float
    source: str
    full: str
    synced: str
    beats: str
    before: bool = False


# What extracts clips: gives each, in any order, with what was made of it, or the reason why nothing could
# be, or the error of a folder that cannot be written.
Outcomes = Callable[[Sequence[Clip], FeatureSpec], Generator[tuple[Clip, Made | str | OSError | Died]]]


class _Record:
    """The checksums of a data set's files, and of the sound they were made of; the levels of its clips.

    Data sets of an earlier version have no list of levels, and get none.
    """

    def __init__(self, out: Path, audio: Path, spec: FeatureSpec) -> None:
        self._out, self._audio, self._spec = out, audio, spec
        self._levels = Levels(out / LEVELS)
        self._has_levels = self._levels.path.exists()
        self._features, self._sources = Checksums(out / FEATURES), Checksums(out / SOURCES)

    def add(self, clip: Clip, made: Made) -> None:
        """Put down a clip's level, and its files as they were made."""
        if self._has_levels:
            self._levels.append(clip.id, made.level)
        digests = [made.full] * len(clip.full) + [made.synced] * len(clip.synced) + [made.beats]
        names = [self._features.name_of(path) for path in clip.features]
        self._features.append(dict(zip(names, digests, strict=True)))
        self._sources.append({self._source(clip.audio): made.source})

    def is_sound(self, path: Path) -> bool:
        """Whether a feature file is as it was made; by what is in it where no checksum is known."""
        if (held := self._features.holds(path)) is not None:
            return held
        # Imports TensorFlow, which processes that extract have no use for.
        from pipelines.input.diagnosis import diagnose, diagnose_beats
        from pipelines.limits import MAX_FRAMES

        if path.name.endswith(_SUFFIX):
            return not diagnose(path, (self._spec.n_bands,), MAX_FRAMES)
        return not diagnose_beats(path, MAX_FRAMES)

    def lacks_level(self, clip: Clip) -> bool:
        """Whether the list of levels should have a clip's, and has not."""
        return self._has_levels and clip.id not in self._levels

    def is_of_other_sound(self, clip: Clip) -> bool:
        """Whether a clip's sound has changed since its features were made."""
        known, status = self._sources.get(self._source(clip.audio)), clip.audio.stat()
        if not known or max(status.st_mtime_ns, status.st_ctime_ns) < clip.beats.stat().st_mtime_ns:
            return False
        return sha256(clip.audio) != known

    def write(self, clips: Sequence[Clip]) -> None:
        """Write the lists anew: of all features that are there, and of these clips' sound and levels."""
        if self._has_levels:
            for identity in self._levels.keys() - {clip.id for clip in clips}:
                del self._levels[identity]
            self._levels.write()
        for clip in clips:
            for path in clip.features:
                if (name := self._features.name_of(path)) not in self._features:
                    self._features[name] = sha256(path)
        sources = {self._source(clip.audio): clip.audio for clip in clips}
        for checksums, there in (
            (self._features, {name for name in self._features if (self._out / name).is_file()}),
            (self._sources, set(sources)),
        ):
            for name in checksums.keys() - there:
                del checksums[name]
        for name in sources.keys() - self._sources.keys():
            self._sources[name] = sha256(sources[name])
        self._features.write()
        self._sources.write()

    def _source(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._audio)).as_posix()


def extract_dataset(
    audio: LabelledAudio,
    out: Path,
    *,
    spec: FeatureSpec = _STANDARD,
    jobs: int = 1,
    test_fraction: float = 0.2,
    seed: int = 0,
    group_by: str | None = None,
    licence: str | None = None,
    name: str | None = None,
    synthetic: bool = False,
    progress: Callable[[int, int], None] | None = None,
    waiting: Callable[[str], None] | None = None,
    outcomes: Outcomes | None = None,
) -> ExtractionResult:
    """Extract the features of all labelled clips and write them with their labels.

    Clips with a genre go to `fma_genre_spectrograms`, clips with targets to
    `multitask_dataset`, clips with tags to `tags_dataset`, each with its `_beat` twin; tracked beats
    (maybe none) go to `beats/<id>.beats.npy`, int64 frames. `examples.csv` has all columns of the table,
    `levels.jsonl` has the power of each clip's loudest mel bin in dB, `dataset.json` says how the features
    were made. Only clips that could be extracted are listed.

    The split is the table's own if it has one; otherwise a seeded one, stratified by genre, that
    keeps groups together. It depends on the table, the seed and the fraction alone, not on which
    clips failed or were there before.

    Args:
        audio: Audio files and their labels, as `load_labelled_audio` gives them. A file is looked for
            relative to the audio's folder, then to the table's, then as `<id>.<extension>` anywhere
            in the audio's.
        out: The data set's folder: new, empty or from an earlier run with the same `spec`.
            Features of clips that the table no longer has are removed from it.
        spec: What to extract.
        jobs: Number of processes; with 1, the work is done in this one.
        test_fraction: Share of clips in `test`.
        seed: Seed of the split.
        group_by: Column whose values must not be on both sides; by default `artist`, if there.
        licence: Terms the data may be used under; by default those its source states.
        name: What reports call the data set; by default the source's name, or its folder's.
        synthetic: Whether the music was generated rather than recorded.
        progress: Called with (clips finished, clips in all).
        waiting: As of `pipelines.files.locked`, where another process works in `out`.
        outcomes: What extracts clips, with `extract_clip`, in place of those processes.

    Raises:
        UserError: If a folder or the audio of a clip is missing, the split is impossible, `out`
            holds something else, another process works there, or the disk is full. Nothing half-written
            is left.
    """
    if jobs < 1:
        raise ArgumentError("jobs", jobs, "give 1 or more")
    check_seed(seed)
    check_spec(spec)
    labels, own_name = audio.labels, audio.folder.resolve().name
    files, unlabelled = _find_audio(audio.folder, labels)
    splits = _choose_splits(labels, test_fraction, seed, group_by)
    clips = _plan(labels, files, splits, out)
    _check_ours(out, spec)
    try:
        groups = None if labels.has_split else group_column(labels.table, group_by, labels.path)
        with locked(out, waiting), ExitStack() as stack:
            stack.callback(remove_temporary, _folders(out))  # of processes that were stopped, too
            remove_temporary(_folders(out))
            if not any((out / name).exists() for name in (DATASET, UNFINISHED)):
                Levels(out / LEVELS).write()
            write_json(out / UNFINISHED, {"feature_spec": spec.to_dict()})
            record = _Record(out, audio.folder, spec)
            nameless = {
                clip.id: _TOO_LONG for clip in clips if len(os.fsencode(clip.full[0].name)) > _MOST_BYTES
            }
            possible = [clip for clip in clips if clip.id not in nameless]
            to_do = [clip for clip in possible if not _complete_from_copies(clip, out, record)]
            work = (outcomes or partial(_in_processes, jobs=jobs))(to_do, spec)
            failed, before = _put_down(work, len(to_do), len(possible), record, progress)
            failed |= nameless
            good = labels.table.assign(**{SPLIT: splits})[[clip.id not in failed for clip in clips]]
            if len(good):
                info = {
                    "name": name or audio.name or own_name,
                    "feature_spec": spec.to_dict(),
                    "targets": list(labels.targets),
                    "tags": list(labels.tags),
                    "licence": audio.terms if licence is None else licence,
                    "synthetic": synthetic,
                    "audio": own_name,
                    "versions": _versions(),
                    "test_fraction": None if labels.has_split else test_fraction,
                    "seed": None if labels.has_split else seed,
                    "group_by": groups,
                }
                _write_tables(out, good, labels, info)
                _remove_strays(out, {path for clip in clips for path in (*clip.full, *clip.synced)})
                record.write([clip for clip in clips if clip.id not in failed])
                (out / UNFINISHED).unlink()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"{out}: the disk is full; free some space and run the same again, finished clips are kept"
        ) from None
    faults = audio.known_faults  # tried all the same, since copies differ
    lost = [clip for clip in clips if clip.id in failed]
    return ExtractionResult(
        done=len(to_do) - before - len(failed.keys() - nameless),
        skipped=len(possible) - len(to_do) + before,
        failed=tuple((str(clip.audio), failed[clip.id]) for clip in lost if clip.id not in faults),
        unlabelled=unlabelled,
        known=tuple(
            (str(clip.audio), f"{faults[clip.id]} ({failed[clip.id]})") for clip in lost if clip.id in faults
        ),
        clips={clip.id: clip.audio for clip in clips if clip.id not in failed},
    )


def check_dataset(audio_dir: Path, out: Path) -> CheckResult:
    """Find out which files have changed since `extract_dataset` made a data set.

    Args:
        audio_dir: The folder of audio it was made of.
        out: The data set's folder.

    Raises:
        UserError: If no checksums are kept there.
    """
    lists = [(Checksums(out / FEATURES), out, "feature"), (Checksums(out / SOURCES), audio_dir, "sound")]
    unchanged, changed = 0, []
    for checksums, folder, what in lists:
        if not checksums:
            raise UserError(
                f"{checksums.path}: no checksums there; prepare the data once more, which writes them"
            )
        for name, digest in checksums.items():
            path = folder / name
            if path.is_file() and sha256(path) == digest:
                unchanged += 1
            else:
                changed.append((str(path), f"{what} {'changed' if path.is_file() else 'missing'}"))
    return CheckResult(unchanged, tuple(changed))


def _find_audio(audio_dir: Path, labels: LabelTable) -> tuple[list[Path], int]:
    """The audio of every row, and the number of audio files that no row names."""
    present = audio_files(audio_dir).audio
    files, folders = Files(present), (audio_dir, labels.path.parent)
    found: list[Path] = []
    missing: list[str] = []
    owners: dict[str, str] = {}
    for identity, file in zip(labels.table[ID], labels.table[FILE], strict=True):
        # Of a name that is too long, Path.is_file raises.
        named = [folder / file for folder in folders if os.path.isfile(folder / file)][:1]  # noqa: PTH113
        candidates = named or files.at(file, folders) or files.called(file) or files.called(identity)
        if len(candidates) > 1:
            raise UserError(
                f"{labels.path}: id {identity!r} is both {candidates[0]} and {candidates[1]}; "
                f"say which in a file column"
            )
        for path in candidates:
            if (owner := owners.setdefault(os.path.realpath(path), identity)) != identity:
                both = f"ids {owner!r} and {identity!r} both have the file {path}"
                raise UserError(f"{labels.path}: {both}; correct one, or delete it")
        found += candidates
        missing += [] if candidates else [file or identity]
    if missing:
        more = f" (and of {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UserError(
            f"{labels.path}: the audio of {missing[0]!r}{more} is not in {audio_dir}; "
            f"correct the table or the folder, or delete the lines"
        )
    return found, sum(os.path.realpath(path) not in owners for path in present)


def _choose_splits(labels: LabelTable, fraction: float, seed: int, group_by: str | None) -> list[str]:
    if labels.has_split:
        splits = [str(split) for split in labels.table[SPLIT]]
        if group_by is not None:
            raise UserError(
                f"{labels.path}: has a split column, which decides; leave out grouping by {group_by!r}"
            )
        if TRAIN not in splits:
            raise UserError(
                f"{labels.path}: no line has the split train; there would be nothing to learn from"
            )
        return splits
    group = group_column(labels.table, group_by, labels.path)
    _, held_out = hold_out(labels.table, fraction, seed, group, "test_fraction")
    is_test = np.isin(np.arange(len(labels)), held_out)
    return np.where(is_test, TEST, TRAIN).tolist()


def _plan(labels: LabelTable, audio: Sequence[Path], splits: Sequence[str], out: Path) -> list[Clip]:
    labelled = list(zip(*(labels.has_labels(task) for task in _TASKS), strict=True))
    clips = []
    for identity, path, split, wanted in zip(labels.table[ID], audio, splits, labelled, strict=True):
        tasks = list(compress(_TASKS, wanted))
        full, synced = (
            tuple(_feature_path(out, task, twin, split, identity) for task in tasks) for twin in (False, True)
        )
        clips.append(Clip(identity, path, full, synced, out / "beats" / f"{identity}.beats.npy"))
    return clips


def _feature_path(out: Path, task: Task, synced: bool, split: str, identity: str) -> Path:
    return out / FOLDERS[task, synced] / split / f"{identity}{_SUFFIX}"


def _check_ours(out: Path, spec: FeatureSpec) -> None:
    """Refuse a folder with a data set of somebody else, or with other features."""
    if any(path.is_file() for path in (out, *out.parents)):
        raise UserError(f"{out}: is a file, or in one; give a folder to write to")
    records = [out / name for name in (DATASET, UNFINISHED) if (out / name).exists()]
    if not records and any((out / folder).exists() for folder in FOLDERS.values()):
        raise UserError(f"{out}: holds a data set that was not made here; choose another folder to write to")
    for record in records:
        remedy = "delete the folder, or choose another to write to"
        values = read_json(record, remedy)
        try:
            before = FeatureSpec.from_dict(values["feature_spec"]).to_dict()
        except (ValueError, KeyError, AttributeError, TypeError, UserError):
            raise UserError(f"{record}: damaged; {remedy}") from None
        for key, value in spec.to_dict().items():
            if before[key] != value:
                raise UserError(
                    f"{out}: its features have {key} {before[key]}, not {value}; "
                    f"choose another folder to write to"
                )


def _complete_from_copies(clip: Clip, out: Path, record: _Record) -> bool:
    """Whether all files of a clip are sound, once those missing are linked from where it was before.

    A clip moves between train and test when the table or the seed changes, and gets into another
    folder when it gets another kind of label; that needs no extraction.
    """
    if record.lacks_level(clip) or not record.is_sound(clip.beats) or record.is_of_other_sound(clip):
        return False
    for synced, wanted in ((False, clip.full), (True, clip.synced)):
        names = [_feature_path(out, task, synced, split, clip.id) for task in _TASKS for split in SPLITS]
        sound = [path for path in names if record.is_sound(path)]
        if not sound:
            return False
        for path in wanted:
            if path not in sound:
                link_or_copy(sound[0], path)
    return True


def _put_down(
    outcomes: Generator[tuple[Clip, Made | str | OSError | Died]],
    waiting: int,
    total: int,
    record: _Record,
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, str], int]:
    """Put down clips as they are made: the reasons of those that failed, by id, and how many were there."""
    failed, before = {}, 0
    there = total - waiting
    if progress is not None:
        progress(there, total)
    with closing(outcomes):
        for finished, (clip, outcome) in enumerate(outcomes, there + 1):
            if isinstance(outcome, OSError):
                raise outcome
            if isinstance(outcome, Made):
                record.add(clip, outcome)
                before += outcome.before
            else:
                failed[clip.id] = outcome.reason if isinstance(outcome, Died) else outcome
            if progress is not None:
                progress(finished, total)
    return failed, before


def _in_processes(
    clips: Sequence[Clip], spec: FeatureSpec, jobs: int
) -> Generator[tuple[Clip, Made | str | OSError | Died]]:
    """As `Outcomes`, in so many processes of this machine."""
    work = partial(extract_clip, spec=spec)
    if min(jobs, len(clips)) <= 1:
        for clip in clips:
            # As in a worker: how many threads share a sum decides how it is rounded.
            with threadpool_limits(limits=1):
                outcome = work(clip)
            yield clip, outcome
        return
    # One process compiles before several need it.
    for _, trial in map_in_processes(compile_functions, [spec], jobs=1):
        if isinstance(trial, Died):
            raise UserError(
                f"librosa fails on plain noise: {trial.reason}. The compiled code it keeps may be damaged: "
                f"delete the .nbi and .nbc files under {Path(librosa.__file__).parent}, then try again"
            )
    yield from map_in_processes(work, clips, jobs)


def extract_clip(clip: Clip, spec: FeatureSpec) -> Made | str | OSError:
    """Write a clip's files.

    Returns:
        Their checksums, or the reason why the clip cannot be used, or the error of a folder that cannot be
        written, which concerns all clips.
    """
    try:
        made, source = extract(clip.audio, spec), sha256(clip.audio)
        full, synced = gzip_npy_bytes(made.fused), gzip_npy_bytes(made.beat_fused)
        beats = npy_bytes(made.beats)
    except UserError as error:
        return str(error).removeprefix(f"{clip.audio}: ")
    except MemoryError:
        return TOO_LONG
    try:
        for content, (first, *others) in ((full, clip.full), (synced, clip.synced)):
            write_atomically(first, content)
            for path in others:
                link_or_copy(first, path)
        write_atomically(clip.beats, beats)
    except OSError as error:
        return error
    seconds = made.fused.shape[1] / spec.frame_rate
    return Made(made.level, seconds, source, sha256(full), sha256(synced), sha256(beats))


def _write_tables(out: Path, good: pd.DataFrame, labels: LabelTable, info: dict[str, Any]) -> None:
    for split in SPLITS:
        part = good[good[SPLIT] == split]
        if labels.has_genre:
            named = part[part[GENRE] != ""]
            genres = zip(named[ID] + _SUFFIX, named[GENRE], strict=True)
            form = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None}
            _write_labels(out, "genre", split, [("Id", "Genre"), *genres], **form)
        if labels.targets:
            rated = part.dropna(subset=list(labels.targets))
            values = rated[[ID, *labels.targets]].itertuples(index=False)
            _write_labels(out, "affect", split, [("Id", *labels.targets), *values])
        if labels.tags:
            tagged = part[part[TAGS].notna()]
            flags = tag_matrix(tagged[TAGS], labels.tags).astype(int).tolist()
            rows = [(identity, *row) for identity, row in zip(tagged[ID], flags, strict=True)]
            _write_labels(out, "tags", split, [("Id", *labels.tags), *rows])
    if labels.tags:
        good = good.assign(**{TAGS: [SEPARATORS[0].join(tags or ()) for tags in good[TAGS]]})
    # Quoted, for there are line ends that the writer does not know and the reader does.
    written = good.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_ALL)
    write_atomically(out / EXAMPLES, written.encode())
    write_json(out / DATASET, info)


def _write_labels(out: Path, task: Task, split: str, table: Sequence[tuple[Any, ...]], **form: Any) -> None:
    """Write a header and its rows, or nothing without rows; `form` is for `csv.writer`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", **form).writerows(table)
    for synced in (False, True):
        path = out / FOLDERS[task, synced] / f"{split}_labels.txt"
        if len(table) > 1:
            write_atomically(path, text.getvalue().encode())
        else:
            path.unlink(missing_ok=True)


def _remove_strays(out: Path, wanted: set[Path]) -> None:
    """Remove features that the label files do not list; loaders take those for a mistake."""
    for folder in FOLDERS.values():
        for path in (out / folder).glob(f"*/*{_SUFFIX}"):
            if path not in wanted:
                path.unlink()


def _folders(out: Path) -> list[Path]:
    """Every folder that files are written to."""
    features = [out / folder / split for folder in FOLDERS.values() for split in SPLITS]
    return [out, out / "beats", *(out / folder for folder in FOLDERS.values()), *features]


def _versions() -> dict[str, str]:
    try:
        own = version("keras-mir")
    except PackageNotFoundError:
        own = "not installed"
    return {"keras_mir": own, **{name: version(name) for name in ("librosa", "numpy", "scipy", "soundfile")}}

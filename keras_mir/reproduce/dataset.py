"""What the experiments run on: found, counted, and made fit for every one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from rich.console import Console

from keras_mir.data.find import SYNTHETIC, find_features
from keras_mir.data.load import TEST
from keras_mir.reproduce.request import ReproduceRequest
from keras_mir.reproduce.results import Run
from pipelines.datasets.base import GENRE, PATH, SPLIT, Examples
from pipelines.datasets.classes import ClassMap, load_class_map
from pipelines.datasets.course import COURSE_CLASSES, is_course_layout, read_info
from pipelines.datasets.load import load_examples
from pipelines.errors import UserError
from pipelines.files import write_atomically
from pipelines.input.diagnosis import stated_frames

REPORT_TARGETS = ("valence", "energy", "danceability")
_MOST_TARGETS = 3  # where the data has others, and none are asked for

# The report's own data, by which it is recognised: labelled clips of (train, test).
_COURSE_GENRE, _COURSE_AFFECT = (3069, 765), (1122, 0)


@dataclass(frozen=True)
class DataSet:
    """A data set as the experiments see it.

    Attributes:
        root: Folder of the features.
        labels: Its label table; None where the folder has its own.
        name: What the page calls it.
        genre: Full spectrograms with genre labels, before the class mapping; None if there are none.
        affect: Full spectrograms with affect labels; None if there are none.
        why_no_genre: Why there are none, in one sentence.
        why_no_affect: Likewise.
        class_map: Genres to classes.
        classes: What recipes are given for it: `auto`, or a file.
        split: The split all experiments use: `course` or `stratified`.
        targets: Affect targets.
        frames: Of the longest full spectrogram.
        why_not_course: Why the report's numbers may not stand beside ours; empty if they may.
        left_out: What had to be left out of the genres, in one sentence; empty if nothing.
    """

    root: Path
    labels: Path | None
    name: str
    genre: Examples | None
    affect: Examples | None
    why_no_genre: str
    why_no_affect: str
    class_map: ClassMap
    classes: str
    split: str
    targets: tuple[str, ...]
    frames: int
    why_not_course: str
    left_out: str

    @property
    def transfer_target(self) -> str:
        """Energy, as in the report; else the first target."""
        return "energy" if "energy" in self.targets else self.targets[0] if self.targets else ""

    @property
    def either(self) -> Examples:
        """Genre or, without any, affect examples."""
        examples = self.genre or self.affect
        assert examples is not None  # open_dataset refuses a data set without both
        return examples

    def describe(self, runs: Sequence[Run]) -> dict[str, Any]:
        """What the page says of it; see `results.Results`."""
        affect = _of_first(runs, "affect")
        return {
            "name": self.name,
            "licence": self.either.licence,
            "synthetic": self.either.synthetic,
            "is_course": not self.why_not_course,
            "why_not": self.why_not_course,
            "left_out": self.left_out,
            "genre": _of_first(runs, "genre"),
            "affect": {**affect, "targets": list(self.targets)} if affect else {},
        }


def _of_first(runs: Sequence[Run], task: str) -> dict[str, Any]:
    """How the clips of a task were split, and its classes, by the first finished run's report."""
    for run in runs:
        if run.report and run.report["task"] == task:
            return {**run.report["split"], "class_names": run.report.get("class_names", [])}
    return {}


def open_dataset(request: ReproduceRequest, console: Console) -> DataSet:
    """Find the data set and look it over.

    Raises:
        UserError: If it is missing, or has neither genre nor affect labels.
    """
    root, labels = find_features(request.data, request.labels, request.cache, request.jobs, console)
    genre, why_no_genre = _load(root, "genre", labels)
    affect, why_no_affect = _load(root, "affect", labels)
    known = genre or affect
    if known is None:
        raise UserError(why_no_genre)
    name = known.name if request.data else f"built-in {SYNTHETIC} corpus"
    split = "course" if is_course_layout(root) and not read_info(_base(root)).name else "stratified"
    class_map, classes, left_out = _class_map(genre, request, split)
    frames = max(
        (stated_frames(Path(path)) for part in (genre, affect) if part for path in part.table[PATH]),
        default=0,
    )
    return DataSet(
        root=root,
        labels=labels,
        name=name,
        genre=genre,
        affect=affect,
        why_no_genre=why_no_genre,
        why_no_affect=why_no_affect,
        class_map=class_map,
        classes=classes,
        split=split,
        targets=_targets(affect, request) if affect else (),
        frames=frames,
        why_not_course=_why_not_course(genre, affect, name),
        left_out=left_out,
    )


def class_counts(
    examples: Examples, classes: Mapping[str, str | None] | None = None
) -> dict[str, Counter[str]]:
    """Clips by class, of the training and the test folder; `classes` maps the genres first."""
    counts: dict[str, Counter[str]] = {"train": Counter(), "test": Counter()}
    for genre, split in zip(examples.table[GENRE], examples.table[SPLIT], strict=True):
        name = classes[genre] if classes else genre
        if name is not None:
            counts["test" if split == TEST else "train"][name] += 1
    return counts


def _base(root: Path) -> Path:
    return root.parent if (root / "train_labels.txt").is_file() else root


def _load(root: Path, task: str, labels: Path | None) -> tuple[Examples | None, str]:
    try:
        examples = load_examples(root, task, labels=labels, prefer_synced=False)  # type: ignore[arg-type]
    except UserError as error:
        return None, str(error)
    if task == "genre" and not examples.has_genre:
        return None, f"{examples.name}: no genre labels"
    if task == "affect" and not examples.targets:
        return None, f"{examples.name}: no affect labels"
    return examples, ""


def _class_map(genre: Examples | None, request: ReproduceRequest, split: str) -> tuple[ClassMap, str, str]:
    """The mapping, what recipes are given for it, and a note on what it leaves out.

    In a small data set a class may have test examples but none to train on, which no model can
    answer. Such a class is dropped from the mapping, by a file that the commands name.
    """
    if genre is None:
        return ClassMap("none", {}), request.classes, ""
    genres = sorted(set(genre.table[GENRE]))
    chosen = load_class_map(request.classes, genres)
    mapping = {
        name: chosen.classes[name] if chosen.classes else name for name in genres if _known(chosen, name)
    }
    if len(mapping) < len(genres):
        return chosen, request.classes, ""  # the first experiment says which genre is missing
    counts = class_counts(genre, mapping)
    untaught = sorted(set(counts["test"]) - set(counts["train"]))
    if not untaught or split != "course":
        return chosen, request.classes, ""
    kept = {name: "" if into in untaught or into is None else into for name, into in mapping.items()}
    path = request.folder / "classes.toml"
    write_atomically(path, tomli_w.dumps(kept).encode())
    clips = sum(counts["test"][name] for name in untaught)
    note = (
        f"{clips} test {'clip' if clips == 1 else 'clips'} of {', '.join(untaught)}, "
        f"which no training clip is of"
    )
    return ClassMap(path.name, {name: into or None for name, into in kept.items()}), str(path), note


def _known(class_map: ClassMap, genre: str) -> bool:
    return not class_map.classes or genre in class_map.classes


def _targets(affect: Examples, request: ReproduceRequest) -> tuple[str, ...]:
    for name in request.targets:
        if name not in affect.targets:
            raise UserError(
                f"--targets {name}: {affect.name} has no such target; it has {', '.join(affect.targets)}"
            )
    if request.targets:
        return request.targets
    if set(REPORT_TARGETS) <= set(affect.targets):
        return REPORT_TARGETS
    return affect.targets[:_MOST_TARGETS]


def _why_not_course(genre: Examples | None, affect: Examples | None, name: str) -> str:
    """Why this is not the data set of the report; empty if it is."""
    found = _sizes(genre), _sizes(affect)
    wanted = _COURSE_GENRE, _COURSE_AFFECT
    same_genres = genre is not None and set(genre.table[GENRE]) == set(COURSE_CLASSES)
    if found == wanted and same_genres and affect is not None and affect.targets == REPORT_TARGETS:
        return ""
    (train, test), _ = found
    return (
        f"The report's numbers are not shown beside ours: they were measured on its own data set "
        f"({_COURSE_GENRE[0]:,} training and {_COURSE_GENRE[1]} test clips of genre), and this is {name} "
        f"({train:,} and {test:,})."
    )


def _sizes(examples: Examples | None) -> tuple[int, int]:
    if examples is None:
        return 0, 0
    test = int((examples.table[SPLIT] == TEST).sum())
    return len(examples) - test, test

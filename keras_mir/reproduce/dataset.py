"""What the experiments run on: found, counted, and made fit for every one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w
from rich.console import Console

from keras_mir.command_line.progress import Shown
from keras_mir.data.find import SYNTHETIC, find_features
from keras_mir.data.load import TEST
from keras_mir.reproduce import paper, scores
from keras_mir.reproduce.request import Request
from keras_mir.reproduce.results import Run
from pipelines.datasets.base import GENRE, PATH, SPLIT, Examples, Task
from pipelines.datasets.classes import ClassMap, load_class_map
from pipelines.datasets.course import COURSE_CLASSES, is_course_layout, read_info
from pipelines.datasets.load import load_examples
from pipelines.errors import ArgumentError, UserError
from pipelines.files import write_atomically
from pipelines.input.diagnosis import stated_frames
from pipelines.wording import counted

_MOST_TARGETS = 3  # where the data has others, and none are named

# The paper's own data, by which it is recognised: labelled clips of (train, test).
_COURSE_GENRE, _COURSE_AFFECT = (3069, 765), (1122, 0)


@dataclass(frozen=True)
class DataSet:
    """A data set as the experiments see it.

    Attributes:
        root: Folder of the features.
        labels: Its label table where the folder has none of its own.
        name: What the page calls it.
        genre: Full spectrograms with genre labels, before the class mapping, if there are any.
        affect: Full spectrograms with affect labels, if there are any.
        why_no: Why there are no labels of a task, in one sentence; empty if there are.
        class_map: Genres to classes.
        classes: What recipes are given for it: `auto`, or a file.
        split: The split all experiments use: `course` or `stratified`.
        targets: Affect targets.
        frames: Length of the longest full spectrogram.
        why_not_course: Why the paper's numbers may not stand beside ours; empty if they may.
        left_out: What had to be left out of the genres, in one sentence; empty if nothing.
    """

    root: Path
    labels: Path | None
    name: str
    genre: Examples | None
    affect: Examples | None
    why_no: Mapping[Task, str]
    class_map: ClassMap
    classes: str
    split: str
    targets: tuple[str, ...]
    frames: int
    why_not_course: str
    left_out: str

    @property
    def transfer_target(self) -> str:
        """Energy, as in the paper; else the first target."""
        return "energy" if "energy" in self.targets else self.targets[0] if self.targets else ""

    @property
    def either(self) -> Examples:
        """Genre or, without any, affect examples."""
        examples = self.genre or self.affect
        assert examples is not None  # open_dataset refuses a data set without both
        return examples

    def describe(self, runs: Sequence[Run]) -> dict[str, Any]:
        """What the page says of it; see `results.Results`."""
        affect = scores.split_of(runs, "affect")
        return {
            "name": self.name,
            "licence": self.either.licence,
            "synthetic": self.either.synthetic,
            "is_course": not self.why_not_course,
            "why_not": self.why_not_course,
            "left_out": self.left_out,
            "genre": scores.split_of(runs, "genre"),
            "affect": affect and {**affect, "targets": list(self.targets)},
        }


def open_dataset(request: Request, console: Console) -> DataSet:
    """Find the data set and look it over; refuse one that has neither genre nor affect labels."""
    root, labels = find_features(request.data, request.labels, request.cache, request.jobs, Shown(console))
    genre, why_no_genre = _load(root, "genre", labels)
    affect, why_no_affect = _load(root, "affect", labels)
    known = [examples for examples in (genre, affect) if examples]
    if not known:
        raise UserError(why_no_genre)
    name = known[0].name if request.data else f"built-in {SYNTHETIC} corpus"
    base = root.parent if (root / "train_labels.txt").is_file() else root
    split = "course" if is_course_layout(root) and not read_info(base).name else "stratified"
    class_map, classes, left_out = _class_map(genre, request, split)
    paths = [path for examples in known for path in examples.table[PATH]]
    return DataSet(
        root=root,
        labels=labels,
        name=name,
        genre=genre,
        affect=affect,
        why_no={"genre": why_no_genre, "affect": why_no_affect},
        class_map=class_map,
        classes=classes,
        split=split,
        targets=_targets(affect, request) if affect else (),
        frames=max(stated_frames(Path(path)) for path in paths),
        why_not_course=_why_not_course(genre, affect, name),
        left_out=left_out,
    )


def class_counts(examples: Examples, classes: Mapping[str, str | None] | None = None) -> pd.DataFrame:
    """Clips by class, of the training and the test folder; `classes` maps the genres first."""
    names = examples.table[GENRE].map(classes) if classes else examples.table[GENRE]
    tested = examples.table[SPLIT] == TEST
    parts = {"train": names[~tested].value_counts(), "test": names[tested].value_counts()}
    return pd.DataFrame(parts).fillna(0).astype(int).sort_index()


def _load(root: Path, task: Task, labels: Path | None) -> tuple[Examples | None, str]:
    try:
        examples = load_examples(root, task, labels=labels, prefer_synced=False)
    except UserError as error:
        return None, str(error)
    labelled = examples.has_genre if task == "genre" else examples.targets
    return (examples, "") if labelled else (None, f"{examples.name}: no {task} labels")


def _class_map(genre: Examples | None, request: Request, split: str) -> tuple[ClassMap, str, str]:
    """The mapping, what recipes are given for it, and a note on what it leaves out.

    In a small data set a class may have test examples but none to train on, which no model can
    answer. Such a class is dropped from the mapping, by a file that the commands name.
    """
    if genre is None:
        return ClassMap("none", {}), request.classes, ""
    genres = sorted(set(genre.table[GENRE]))
    chosen = load_class_map(request.classes, genres)
    mapping = chosen.classes or {name: name for name in genres}
    if split != "course" or not mapping.keys() >= set(genres):
        return chosen, request.classes, ""  # the first experiment says which genre is missing
    counts = class_counts(genre, mapping)
    untaught = list(counts.index[counts["train"] == 0])
    if not untaught:
        return chosen, request.classes, ""
    kept = {name: "" if mapping[name] in untaught else mapping[name] or "" for name in genres}
    path = request.folder / "classes.toml"
    write_atomically(path, tomli_w.dumps(kept).encode())
    clips = counted(int(counts["test"][untaught].sum()), "test clip")
    note = f"{clips} of {', '.join(untaught)}, which no training clip is of"
    return ClassMap(path.name, {name: into or None for name, into in kept.items()}), str(path), note


def _targets(affect: Examples, request: Request) -> tuple[str, ...]:
    for name in request.targets:
        if name not in affect.targets:
            has = ", ".join(affect.targets)
            raise ArgumentError("targets", name, f"{affect.name} has no such target; it has {has}")
    of_paper = paper.TARGETS if set(paper.TARGETS) <= set(affect.targets) else ()
    return request.targets or of_paper or affect.targets[:_MOST_TARGETS]


def _why_not_course(genre: Examples | None, affect: Examples | None, name: str) -> str:
    """Why this is not the data set of the paper; empty if it is."""
    tested = [Counter(one.table[SPLIT] == TEST) if one else Counter[bool]() for one in (genre, affect)]
    sizes = [(found[False], found[True]) for found in tested]
    same_genres = genre is not None and set(genre.table[GENRE]) == set(COURSE_CLASSES)
    same_targets = affect is not None and affect.targets == paper.TARGETS
    if sizes == [_COURSE_GENRE, _COURSE_AFFECT] and same_genres and same_targets:
        return ""
    (train, test), (its_train, its_test) = sizes[0], _COURSE_GENRE
    return (
        f"The paper's numbers are not shown beside ours: they were measured on its own data set "
        f"({its_train:,} training and {its_test} test clips of genre), and this is {name} "
        f"({train:,} and {test:,})."
    )

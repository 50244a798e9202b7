"""From the genres in a label file to the classes of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.datasets.base import GENRE, Examples
from pipelines.datasets.course import COURSE_CLASSES
from pipelines.errors import ArgumentError, UserError
from pipelines.files import read_toml


@dataclass(frozen=True)
class ClassMap:
    """Which class each genre belongs to.

    Attributes:
        name: How reports call the mapping.
        classes: Genre to class; `None` drops the genre's examples. Empty: every genre is
            its own class.
    """

    name: str
    classes: Mapping[str, str | None]

    def apply(self, examples: Examples) -> Examples:
        """Replace genres by classes, and drop the examples that have none, and no other label to learn.

        Raises:
            UserError: If a genre is not in the mapping.
        """
        if not self.classes:
            return examples
        genres = examples.table[GENRE]
        unknown = sorted(set(genres) - {"", *self.classes})
        if unknown:
            raise UserError(
                f"{examples.name}: genre {unknown[0]!r} is not in the class mapping {self.name!r}; "
                f"correct the label file, or choose classes as-is or a mapping file of your own"
            )
        classes = [self.classes[genre] or "" if genre else "" for genre in genres]
        return replace(examples, table=examples.table.assign(**{GENRE: classes})).labelled()


def mapping_in_words(name: str) -> str:
    """What a mapping of that name does, for people."""
    known = {"as-is": "the data's genres", "course": "the data's genres, joined by the course's table"}
    return known.get(name, f"the data's genres, joined by {name}")


def load_class_map(choice: str, genres: Sequence[str]) -> ClassMap:
    """The mapping a user asked for.

    Args:
        choice: `"course"` (20 genres to 10), `"as-is"`, `"auto"` (the course's where all
            genres are its and it joins or drops one, else as they are) or a TOML file of lines such as
            `"Psych-Rock" = "Rock"`, in which `""` drops a genre.
        genres: The genres of the data, for `"auto"`.

    Raises:
        UserError: If the file is missing, is not TOML or has values that are not strings.
    """
    if choice == "auto":
        changed = any(COURSE_CLASSES.get(genre, genre) != genre for genre in genres)
        choice = "course" if changed and set(genres) <= set(COURSE_CLASSES) else "as-is"
    if choice == "course":
        return ClassMap("course", COURSE_CLASSES)
    if choice == "as-is":
        return ClassMap("as-is", {})
    path = Path(choice)
    if path.is_dir() or not path.exists():
        problem = "a folder" if path.is_dir() else "no such file"
        raise ArgumentError("classes", path, f"{problem}; give auto, course, as-is or a TOML file")
    values = read_toml(path, 'write lines such as "Psych-Rock" = "Rock"')
    for genre, name in values.items():
        if not isinstance(name, str):
            raise UserError(f'{path}: {genre!r} maps to {name!r}; write a class name, or "" to drop it')
    if not values:
        raise UserError(f'{path}: no mappings; write lines such as "Psych-Rock" = "Rock"')
    return ClassMap(path.name, {genre: name or None for genre, name in values.items()})


def class_names(training: Examples) -> tuple[str, ...]:
    """The classes of the training examples in alphabetical order, which is their index.

    Raises:
        UserError: If there are fewer than two.
    """
    names = tuple(sorted(set(training.table[GENRE]) - {""}))
    if len(names) < 2:
        found = f"only the one ({names[0]})" if names else "no"
        raise UserError(f"{training.name}: found {found} class, and a classifier needs two; add examples")
    return names


def class_indices(examples: Examples, names: Sequence[str]) -> np.ndarray:
    """int32 `(n,)` class indices; 0 also for an example without a class.

    Raises:
        UserError: If an example has a class that `names` lacks.
    """
    index = {"": 0} | {name: position for position, name in enumerate(names)}
    unknown = sorted(set(examples.table[GENRE]) - {"", *names})
    if unknown:
        raise UserError(
            f"{examples.name}: class {unknown[0]!r} is not among those trained on ({', '.join(names)}); "
            f"add training examples, or map or drop it by other classes"
        )
    return np.array([index[name] for name in examples.table[GENRE]], np.int32)


def balanced_weights(indices: np.ndarray, n_classes: int) -> np.ndarray:
    """Sample weights float32 `(n,)` that give every class the same sum; their mean is 1.

    The formula is scikit-learn's `class_weight="balanced"`: n / (n_classes * count).
    """
    counts = np.bincount(indices, minlength=n_classes)
    return (len(indices) / (n_classes * counts[indices])).astype(np.float32)

"""What a model may have as outputs: genres, tags and affect targets, of one of these kinds or of several."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.datasets.base import GENRE as GENRE
from pipelines.datasets.base import TAGS as TAGS
from pipelines.datasets.base import Task
from pipelines.datasets.targets import check_targets
from pipelines.errors import UserError

EMBEDDING = "embedding"  # what a model makes of a clip before it decides: its vector
# By output of a model whose values are probabilities: what an exported model calls them, and their names.
PROBABILITIES = {GENRE: ("probabilities", "classes"), TAGS: ("tag_probabilities", "tags")}
THRESHOLDS = "tag_thresholds"  # of an exported model: from which probability on a clip is given each tag


def served_name(output: str) -> str:
    """What an exported model calls an output: for a target its own name."""
    return PROBABILITIES[output][0] if output in PROBABILITIES else output


@dataclass(frozen=True)
class Outputs:
    """The outputs of a model: `genre`, `tags`, and one by the name of each target, as far as there are such.

    Attributes:
        classes: Genre names in index order; empty for a model of no genres.
        targets: Affect targets; empty for a model of no affect.
        tags: In index order; empty for a model of no tags.

    Raises:
        UserError: If there are none of them, one class or tag alone, a repeated name, or a target whose
            name cannot be an output's.
    """

    classes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.classes and not self.targets and not self.tags:
            raise UserError("model outputs: give genre classes, affect targets or tags")
        for kind, names in (("class", self.classes), ("target", self.targets), ("tag", self.tags)):
            for name in names:
                if names.count(name) > 1:
                    raise UserError(f"{kind} {name!r} is given twice; name each {kind} once")
        if len(self.classes) == 1:
            raise UserError("1 genre class is too few to tell apart; give examples of two or more")
        if len(self.tags) == 1:
            raise UserError("1 tag is too few; give examples of two or more")
        check_targets(self.targets)

    @property
    def by_task(self) -> dict[Task, tuple[str, ...]]:
        """By what they are of, their names; a kind that the model has not is left out."""
        every: dict[Task, tuple[str, ...]] = {
            "genre": (GENRE,) if self.classes else (),
            "tags": (TAGS,) if self.tags else (),
            "affect": self.targets,
        }
        return {task: outputs for task, outputs in every.items() if outputs}

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """By output that is probabilities, what these are of, in index order."""
        return {output: names for output, names in ((GENRE, self.classes), (TAGS, self.tags)) if names}

    @property
    def sizes(self) -> dict[str, int]:
        """By output, how many values it has of a clip."""
        sizes = {output: len(names) for output, names in self.names.items()}
        return sizes | dict.fromkeys(self.targets, 1)

"""What a model may have as outputs: genres, tags, or affect targets."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.datasets.base import GENRE as GENRE
from pipelines.datasets.base import TAGS as TAGS
from pipelines.datasets.targets import check_targets
from pipelines.errors import UserError

EMBEDDING = "embedding"  # what a model makes of a clip before it decides: its vector
# By output of a model whose values are probabilities: what an exported model calls them, and their names.
PROBABILITIES = {GENRE: ("probabilities", "classes"), TAGS: ("tag_probabilities", "tags")}
THRESHOLDS = "tag_thresholds"  # of an exported model: from which probability on a clip is given each tag


def check_outputs(classes: Sequence[str] | None, targets: Sequence[str], tags: Sequence[str] = ()) -> None:
    """Refuse outputs that no model can have.

    Args:
        classes: Genre names in index order, or None for a model of others.
        targets: Affect targets, or empty for a model of others.
        tags: In index order, or empty for a model of others.

    Raises:
        UserError: If there are several of them or none, fewer than two classes or tags, a repeated
            name, or a target whose name cannot be an output's.
    """
    if (classes is not None) + bool(targets) + bool(tags) != 1:
        raise UserError("model outputs: give either genre classes, affect targets or tags")
    for kind, names in (("class", classes or ()), ("target", targets), ("tag", tags)):
        for name in names:
            if list(names).count(name) > 1:
                raise UserError(f"{kind} {name!r} is given twice; name each {kind} once")
    if classes is not None and len(classes) < 2:
        raise UserError(f"{len(classes)} genre class is too few to tell apart; give examples of two or more")
    if len(tags) == 1:
        raise UserError("1 tag is too few; give examples of two or more")
    check_targets(targets)

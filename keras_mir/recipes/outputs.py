"""What a model may have as outputs: genres, or affect targets."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.datasets.targets import check_targets
from pipelines.errors import UserError

GENRE = "genre"
TAGS = "tags"
EMBEDDING = "embedding"  # what a model makes of a clip before it decides: its vector
# By output of a model whose values are probabilities: what an exported model calls them, and their names.
PROBABILITIES = {GENRE: ("probabilities", "classes"), TAGS: ("tag_probabilities", "tags")}


def check_outputs(classes: Sequence[str] | None, targets: Sequence[str]) -> None:
    """Refuse outputs that no model can have.

    Args:
        classes: Genre names in index order, or None for an affect model.
        targets: Affect targets, or empty for a genre model.

    Raises:
        UserError: If there are both or neither, fewer than two classes, a repeated name,
            or a target whose name cannot be an output's.
    """
    if (classes is None) == (not targets):
        raise UserError("model outputs: give either genre classes or affect targets")
    for kind, names in (("class", classes or ()), ("target", targets)):
        for name in names:
            if list(names).count(name) > 1:
                raise UserError(f"{kind} {name!r} is given twice; name each {kind} once")
    if classes is not None and len(classes) < 2:
        raise UserError(f"{len(classes)} genre class is too few to tell apart; give examples of two or more")
    check_targets(targets)

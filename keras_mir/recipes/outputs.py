"""What a model may have as outputs: the one rule for the names of affect targets and of genres."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipelines.errors import UserError

GENRE = "genre"
TAGS = "tags"
# By output of a model whose values are probabilities: what an exported model calls them, and their names.
PROBABILITIES = {GENRE: ("probabilities", "classes"), TAGS: ("tag_probabilities", "tags")}
# Outputs that an exported model has besides its targets; the windows of a target called starts would be
# window_starts.
RESERVED = (
    *(GENRE, "classes", "probabilities", "embedding", TAGS, "tag_probabilities"),
    *("error", "note", "windows", "starts", "tempo", "beat_times", "beat_counts"),
)


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


def check_targets(targets: Iterable[str]) -> None:
    """Refuse names that an affect target cannot have.

    Keras names a loss and a TensorFlow scope after each output, which limits a target's
    name to letters a-z, digits, `_`, `.` and `-`.

    Raises:
        UserError: Naming the first.
    """
    for target in targets:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", target):
            raise UserError(
                f"target {target!r}: an output's name may hold letters a-z, digits, '_', '.' and '-' only; "
                f"rename the column"
            )
        if target in RESERVED or target.startswith("window_"):
            raise UserError(f"target {target!r}: a model has another output of that name; rename the column")

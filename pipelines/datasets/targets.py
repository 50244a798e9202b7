"""What an affect target may be called: the one rule, for tables, recipes and models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipelines.datasets.base import BEATS, GENRE, ID, PATH, SPLIT, TAGS
from pipelines.errors import ArgumentError, UserError

# Outputs that an exported model has besides its targets, and columns of every data set; the windows of a
# target called starts would be window_starts.
_RESERVED = (
    *(
        ID,
        PATH,
        BEATS,
        SPLIT,
        GENRE,
        "classes",
        "probabilities",
        "embedding",
        TAGS,
        "tag_probabilities",
        "tag_thresholds",
    ),
    *("error", "note", "windows", "starts", "tempo", "beat_times", "beat_counts", "description"),
)
# Of the windows of a target, and of what Keras logs of one on validation data.
_RESERVED_BEGINNINGS = ("window_", "val_")


def target_problem(name: str) -> str:
    """Why no affect target can have a name; `""` if one can.

    Keras names a loss and a TensorFlow scope after each output, which limits a target's
    name to letters a-z, digits, `_`, `.` and `-`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        return "an output's name may hold letters a-z, digits, '_', '.' and '-' only; rename the column"
    if name in _RESERVED or name.startswith(_RESERVED_BEGINNINGS):
        return "that name has a meaning of its own; rename the column"
    return ""


def check_targets(targets: Iterable[str]) -> None:
    """Refuse names that an affect target cannot have.

    Raises:
        UserError: Naming the first.
    """
    for target in targets:
        if problem := target_problem(target):
            raise UserError(f"target {target!r}: {problem}")


def chosen_targets(chosen: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """The targets of a published data set that a user chose, or all there are.

    Args:
        chosen: None for all.
        known: Those that it has.

    Raises:
        ArgumentError: If it has no such target.
    """
    for name in chosen or ():
        if name not in known:
            raise ArgumentError(
                "targets", name, f"the data set has no such target; it has {', '.join(known)}"
            )
    return tuple(known if chosen is None else dict.fromkeys(chosen))

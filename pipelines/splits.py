"""Seeded splits: stratified by class, kept apart by group, or the course's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.errors import UserError

COURSE_SEED = 420  # the course shuffles with numpy's global generator, seeded so


def course_split(n: int, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The course's split: shuffle all indices, hold out the first ``floor(fraction * n)``.

    Args:
        n: Number of examples, in the order of the label file.
        fraction: Share to hold out, in (0, 1).

    Returns:
        Row positions ``(rest, held_out)``, each in shuffled order as the course used them.
    """
    rows = np.arange(n)
    np.random.RandomState(COURSE_SEED).shuffle(rows)
    cut = int(np.floor(fraction * n))
    return rows[cut:], rows[:cut]


def stratified_split(
    n: int,
    fraction: float,
    seed: int,
    *,
    classes: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a seeded share of the rows.

    Args:
        n: Number of examples.
        fraction: Share to hold out, in (0, 1); with ``groups`` it is met as nearly as
            whole groups allow.
        seed: Same seed, same split.
        classes: A class for each row; each keeps its share on both sides.
        groups: A group for each row (an artist, an album); no group is on both sides.

    Returns:
        Sorted row positions ``(rest, held_out)``.

    Raises:
        UserError: If a class has too few rows (or groups) to be on both sides.
    """
    from sklearn.model_selection import (
        GroupShuffleSplit,
        ShuffleSplit,
        StratifiedGroupKFold,
        StratifiedShuffleSplit,
    )

    if not 0.0 < fraction < 1.0:
        raise UserError(f"held-out fraction {fraction:g}: give a value between 0 and 1")
    rows = np.zeros(n)
    if classes is not None:
        _check_each_class_can_be_split(classes, groups, fraction)
    if classes is not None and groups is not None:
        folds = StratifiedGroupKFold(max(2, round(1 / fraction)), shuffle=True, random_state=seed)
        rest, held_out = next(folds.split(rows, classes, groups))
    elif groups is not None:
        if len(set(groups)) < 2:
            raise UserError("split: all examples are in one group; split by another column, or by none")
        by_group = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
        rest, held_out = next(by_group.split(rows, groups=groups))
    elif classes is not None:
        splitter = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
        rest, held_out = next(splitter.split(rows, classes))
    else:
        if int(np.ceil(fraction * n)) in (0, n):
            raise UserError(f"split: {n} examples are too few to hold out {fraction:.0%}; add examples")
        rest, held_out = next(ShuffleSplit(1, test_size=fraction, random_state=seed).split(rows))
    return np.sort(rest), np.sort(held_out)


def _check_each_class_can_be_split(
    classes: Sequence[str], groups: Sequence[str] | None, fraction: float
) -> None:
    units: dict[str, set[object]] = {}
    for row, name in enumerate(classes):
        units.setdefault(name, set()).add(row if groups is None else groups[row])
    kind = "example" if groups is None else "group"
    for name, members in sorted(units.items()):
        if len(members) < 2:
            raise UserError(
                f"class {name!r} has {len(members)} {kind}, too few to be both trained on and held out: "
                f"add examples, or map or drop the class with --classes"
            )
    n = len(classes)
    held_out = int(np.ceil(fraction * n))
    if groups is None and (held_out < len(units) or n - held_out < len(units)):
        raise UserError(
            f"split: holding out {fraction:.0%} of {n} examples leaves fewer than one for each of "
            f"{len(units)} classes; change the fraction or add examples"
        )

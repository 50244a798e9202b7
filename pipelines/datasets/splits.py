"""Who is tested on: the only home of the split rules.

A data set's own split decides. Otherwise a seeded share is held out, stratified by class, or by tags where
a clip has several; clips of one group, as a rule an artist, stay together, and a clip whose group is not
known is one of its own.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pipelines.datasets.base import GENRE, TAGS
from pipelines.datasets.tags import counts_of, tag_matrix
from pipelines.errors import ArgumentError, UserError
from pipelines.wording import counted

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = TRAIN, TEST  # what a data set itself may say
COURSE_SEED = 420  # the course shuffles with numpy's global generator, seeded so
_NO_GENRE = "(no genre)"
ARTIST = "artist"  # the column that keeps groups together where no other is asked for


def group_column(table: pd.DataFrame, chosen: str | None, name: object) -> str | None:
    """The column that keeps groups together.

    Args:
        table: Examples or labels.
        chosen: The column to group by, or `none`; `None` for `artist`, if any clip has one.
        name: What messages call the table.

    Raises:
        ArgumentError: If there is no such column.
    """
    if chosen is None:
        return ARTIST if ARTIST in table and any(group_names(table, ARTIST)) else None
    if chosen == "none":
        return None
    if chosen not in table:
        problem = f"{name} has no such column; it has {', '.join(table.columns)}"
        raise ArgumentError("group_by", chosen, problem)
    return chosen


def group_names(table: pd.DataFrame, column: str) -> list[str]:
    """The group of every row; `""` where it is not known."""
    return ["" if pd.isna(value) else str(value).strip() for value in table[column]]


def hold_out(
    table: pd.DataFrame, fraction: float, seed: int, group_by: str | None, argument: str
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a seeded share of a table, stratified by its genres, or its tags, if it has any.

    Args, returns, raises: As `stratified_split`, of a table of examples or labels; `group_by` is what
        `group_column` gives, or `None` to split without groups.
    """
    classes, groups = _classes(table), _groups(table, group_by)
    if TAGS in table:
        _check_share(fraction, len(table), argument)
        held = _divided(table, groups, np.array([1.0 - fraction, fraction]), seed) == 1
        return np.flatnonzero(~held), np.flatnonzero(held)
    return stratified_split(len(table), fraction, seed, classes=classes, groups=groups, argument=argument)


def check_classes(
    whole: pd.DataFrame,
    rest: pd.DataFrame,
    group_by: str | None,
    parts: Sequence[str],
    *,
    of_genres: bool = False,
) -> None:
    """Refuse a class, or a tag, that has not a clip, or a group, for each of several parts.

    Args:
        whole: A data set.
        rest: What of it will be divided.
        group_by: As for `hold_out`.
        parts: What it will be divided into.
        of_genres: Whether the genres of a data set that has tags are learnt, too.

    Raises:
        UserError: If there is one.
    """
    for kind, units_of in _kinds(whole, of_genres).items():
        total, left = (units_of(table, _groups(table, group_by)) for table in (whole, rest))
        for name in left.index[left < len(parts)]:
            there = counted(total[name], group_by or "clip")
            gone = total[name] - left[name]
            taken = f", {gone} of them held out already" if gone else ""
            raise UserError(
                f"{kind} {name!r} has {there}{taken}, and needs one for each of {', '.join(parts)}: "
                f"add clips, or leave the {kind} out"
            )


def fold_numbers(
    table: pd.DataFrame, folds: int, seed: int, group_by: str | None, *, by_genre: bool = True
) -> np.ndarray:
    """Divide a table into folds for cross-validation: each holds out its own rows, and all rows are held out.

    Args:
        table: Examples or labels.
        folds: How many, at least 2.
        seed: Same seed, same folds.
        group_by: What `group_column` gives, or `None` to divide without groups.
        by_genre: Whether each fold has its share of every genre, and none is too rare for that; it has that
            of every tag in any case.

    Returns:
        int64 `(n,)`, the fold of every row, from 1.

    Raises:
        ArgumentError: If there are more folds than rows of a genre, or than groups, or the groups of a
            genre cannot be divided.
    """
    if TAGS in table:
        return _tag_folds(table, folds, seed, group_by, by_genre)
    from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

    classes, groups = (_classes(table) if by_genre else None), _groups(table, group_by)
    # scikit-learn's GroupKFold shuffles in its newest versions only; with a single class this is the same.
    labels = np.zeros(len(table)) if classes is None else np.array(classes, str)
    _check_folds(folds, classes, groups, len(table), group_by)
    kinds = (KFold if classes is None else StratifiedKFold) if groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class with fewer groups than there are folds
        parts = list(kinds(folds, shuffle=True, random_state=seed).split(labels, labels, groups))
    numbers = np.zeros(len(table), np.int64)
    for number, (_, held_out) in enumerate(parts, start=1):
        numbers[held_out] = number
    for number, (rest, held_out) in enumerate(parts, start=1):
        lost = sorted(set(labels) - set(labels[rest]))
        if lost or not len(held_out):
            what = f"fold {number} would have " + (f"all of class {str(lost[0])!r}" if lost else "no clip")
            problem = f"{what}, by the groups of {group_by}; give fewer, or group_by none"
            raise ArgumentError("folds", folds, problem)
    return numbers


def _tag_folds(
    table: pd.DataFrame, folds: int, seed: int, group_by: str | None, of_genres: bool
) -> np.ndarray:
    """As `fold_numbers`, of a table with tags."""
    groups = _groups(table, group_by)
    _check_folds(folds, None, groups, len(table), group_by)
    for kind, units_of in _kinds(table, of_genres).items():
        units = units_of(table, groups)
        for name in units.index[units < folds]:
            there = counted(units[name], group_by or "clip")
            raise ArgumentError(
                "folds", folds, f"{kind} {name!r} has {there}; give fewer, or leave the {kind} out"
            )
    return _divided(table, groups, np.full(folds, 1.0 / folds), seed) + 1


def _check_folds(
    folds: int, classes: list[str] | None, groups: list[str] | None, n: int, group_by: str | None
) -> None:
    for name, count in sorted(Counter(classes or ()).items()):
        if count < folds:
            there = counted(count, "clip")
            problem = f"class {name!r} has {there}; give fewer, or leave the class out"
            raise ArgumentError("folds", folds, problem)
    if groups is not None and len(set(groups)) < folds:
        problem = f"there are {len(set(groups))} groups by {group_by}; give fewer, or group_by none"
        raise ArgumentError("folds", folds, problem)
    if n < folds:
        raise ArgumentError("folds", folds, f"there are {n} clips; give fewer")


def _classes(table: pd.DataFrame) -> list[str] | None:
    """The genre of every row; None for a table without genres."""
    return [genre or _NO_GENRE for genre in table[GENRE]] if GENRE in table else None


def _units(classes: Sequence[str], groups: Sequence[str] | None) -> pd.Series[int]:
    """How many rows, or groups, each class has."""
    return pd.Series(range(len(classes)) if groups is None else groups).groupby(list(classes)).nunique()


_Units = Callable[[pd.DataFrame, Sequence[str] | None], "pd.Series[int]"]


def _kinds(table: pd.DataFrame, of_genres: bool) -> dict[str, _Units]:
    """What must be in every part: by what it is called, how to count the rows, or groups, that have each."""
    if TAGS not in table:
        return {"class": _units_of_classes}
    kinds: dict[str, _Units] = {"tag": _units_of_tags}
    return kinds | {"class": _units_of_known_classes} if of_genres else kinds


def _units_of_classes(table: pd.DataFrame, groups: Sequence[str] | None) -> pd.Series[int]:
    classes = _classes(table)
    return pd.Series(dtype=int) if classes is None else _units(classes, groups)


def _units_of_known_classes(table: pd.DataFrame, groups: Sequence[str] | None) -> pd.Series[int]:
    return _units_of_classes(table, groups).drop(_NO_GENRE, errors="ignore")


def _units_of_tags(table: pd.DataFrame, groups: Sequence[str] | None) -> pd.Series[int]:
    if groups is None:
        return counts_of(table[TAGS])
    by_group: dict[str, set[str]] = {}
    for group, tags in zip(groups, table[TAGS], strict=True):
        by_group.setdefault(group, set()).update(tags or ())
    return counts_of(by_group.values())


def _groups(table: pd.DataFrame, group_by: str | None) -> list[str] | None:
    """The group of every row, one of its own where it is not known; None to split without groups."""
    if group_by is None:
        return None
    return [name or f"\0{row}" for row, name in enumerate(group_names(table, group_by))]


def course_split(n: int, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The course's split: shuffle all indices, hold out the first `floor(fraction * n)`.

    Args:
        n: Number of examples, in the order of the label file.
        fraction: Share to hold out, in (0, 1).

    Returns:
        Row positions `(rest, held_out)`, each in shuffled order as the course used them.
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
    argument: str = "fraction",
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a seeded share of the rows.

    Args:
        n: Number of examples.
        fraction: Share to hold out, in (0, 1); with `groups` it is met as nearly as
            whole groups allow.
        seed: Same seed, same split.
        classes: A class for each row; each keeps its share on both sides.
        groups: A group for each row (an artist, an album); no group is on both sides.
        argument: What a user knows `fraction` by.

    Returns:
        Sorted row positions `(rest, held_out)`.

    Raises:
        UserError: If a class has too few rows (or groups) to be on both sides, or the share or the groups
            will not do.
    """
    _check_share(fraction, n, argument)
    if groups is not None and len(set(groups)) < 2:
        problem = "all examples are in one group; split by another column, or by none"
        raise ArgumentError("group_by", None, problem)
    if classes is not None:
        kind = "example" if groups is None else "group"
        units = _units(classes, groups)
        for name in units.index[units < 2]:
            raise UserError(
                f"class {name!r} has {units[name]} {kind}, too few to be both trained on and held out: "
                f"add examples, or leave the class out"
            )
        held_out = int(np.ceil(fraction * n))
        if groups is None and (held_out < len(units) or n - held_out < len(units)):
            problem = f"of {n} examples that leaves fewer than one for each of {len(units)} classes"
            raise ArgumentError(argument, f"{fraction:g}", f"{problem}; change it or add examples")
    held = _hold_out_groups(
        [""] * n if classes is None else classes, range(n) if groups is None else groups, fraction, seed
    )
    return np.flatnonzero(~held), np.flatnonzero(held)


def _check_share(fraction: float, n: int, argument: str) -> None:
    given = f"{fraction:g}"
    if not 0.0 < fraction < 1.0:
        raise ArgumentError(argument, given, "give a share between 0 and 1")
    if n < 2:
        raise ArgumentError(argument, given, f"of {counted(n, 'example')} none can be held out; add examples")


def _divided(table: pd.DataFrame, groups: Sequence[str] | None, shares: np.ndarray, seed: int) -> np.ndarray:
    """Which part each row of a table with tags goes to, int64 `(n,)`: iterative stratification, by groups.

    After K. Sechidis, G. Tsoumakas and I. Vlahavas, "On the stratification of multi-label data", ECML PKDD
    2011: the rarest tag comes first, and each of its clips goes where most of them are still wanted. The
    libraries that have it know no groups, and may leave a rare tag on one side; here a group goes as a
    whole, the largest first, and every tag that can be is in every part. Genres count as tags.

    Args:
        table: With a column of tags.
        groups: Group of every row; None to divide without groups.
        shares: Shares of the parts.
        seed: Same seed, same parts.
    """
    flags = [tag_matrix(table[TAGS], list(counts_of(table[TAGS]).index))]
    if GENRE in table:
        flags.append(pd.get_dummies(table[GENRE]).to_numpy(np.float64))
    flags.append(np.ones((len(table), 1)))  # what all have in common: the sizes of the parts
    has = np.concatenate(flags, axis=1)
    _, unit_of = np.unique(range(len(table)) if groups is None else groups, return_inverse=True)
    counts = np.zeros((unit_of.max() + 1, has.shape[1]))
    np.add.at(counts, unit_of, has)
    # At least one of each in each part, where there are so many.
    wanted = np.maximum(np.outer(shares, counts.sum(axis=0)), (counts > 0).sum(axis=0) >= len(shares))
    part = np.full(len(counts), -1)
    random = np.random.default_rng(seed)
    order = random.permutation(len(counts))
    order = order[np.argsort(-counts[order, -1], kind="stable")]
    while (free := order[part[order] < 0]).size:
        left = counts[free].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.inf)))
        for unit in free[counts[free, rarest] > 0]:
            ties = random.permutation(len(shares))
            part[unit] = np.lexsort((ties, -wanted[:, -1], -wanted[:, rarest]))[0]
            wanted[part[unit]] -= counts[unit]
    _mend(part, counts, len(shares))
    return part[unit_of]


def _mend(part: np.ndarray, counts: np.ndarray, parts: int) -> None:
    """Give a part that lacks a tag the smallest group with it from where most of them are."""
    for has in (counts > 0).T:
        for lacking in range(parts):
            found = np.bincount(part[has], minlength=parts)
            if not found[lacking] and found.max() > 1:
                there = np.flatnonzero(has & (part == found.argmax()))
                part[there[np.argmin(counts[there, -1])]] = lacking


def _hold_out_groups(
    classes: Sequence[str], groups: Sequence[str] | range, fraction: float, seed: int
) -> np.ndarray:
    """Which rows to hold out, bool `(n,)`.

    Groups come up in random order, and each is held out if that brings the held-out shares of the
    classes nearer to `fraction`.
    """
    names, class_of = np.unique(np.asarray(classes, str), return_inverse=True)
    units, unit_of = np.unique(np.asarray(groups, str), return_inverse=True)
    counts = np.zeros((len(units), len(names)))
    np.add.at(counts, (unit_of, class_of), 1)
    shares = counts / counts.sum(axis=0)  # of each class, what each group has
    held = np.zeros(len(units), bool)
    lacking = np.full(len(names), fraction)
    for unit in np.random.default_rng(seed).permutation(len(units)):
        after = lacking - shares[unit]
        if (after**2).sum() < (lacking**2).sum():
            held[unit], lacking = True, after
    sizes = counts.sum(axis=1)
    for side in (True, False):
        for members in (counts > 0).T:
            if not (members & (held == side)).any():  # its groups are all too large for the share
                held[np.argmin(np.where(members, sizes, np.inf))] = side
    for name, members in zip(names, (counts > 0).T, strict=True):
        if held[members].all() or not held[members].any():
            problem = (
                f"the groups of class {str(name)!r} cannot be divided together with those of the other "
                f"classes; add examples, or split by another column, or by none"
            )
            raise ArgumentError("group_by", None, problem)
    return held[unit_of]

"""Seeded splits: shares, groups, and the course's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.datasets.splits import (
    check_classes,
    course_split,
    fold_numbers,
    group_column,
    hold_out,
    stratified_split,
)
from pipelines.errors import ArgumentError, UserError


def counts(classes: list[str], rows: np.ndarray) -> dict[str, int]:
    chosen = [classes[row] for row in rows]
    return {name: chosen.count(name) for name in sorted(set(classes))}


@pytest.mark.parametrize(("n", "fraction"), [(2305, 1 / 3), (1122, 1 / 3), (10, 0.25)])
def test_the_course_split_is_that_of_numpys_global_generator(n, fraction):
    state = np.random.get_state()
    try:
        np.random.seed(420)
        indices = list(range(n))
        np.random.shuffle(indices)
    finally:
        np.random.set_state(state)
    cut = int(np.floor(fraction * n))
    rest, held_out = course_split(n, fraction)
    assert held_out.tolist() == indices[:cut]
    assert rest.tolist() == indices[cut:]


def test_the_course_split_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].tolist()
    course_split(100, 0.3)
    assert np.random.get_state()[1].tolist() == before


def test_every_class_keeps_its_share():
    classes = ["a"] * 60 + ["b"] * 30 + ["c"] * 9
    rest, held_out = stratified_split(99, 1 / 3, 0, classes=classes)
    assert counts(classes, held_out) == {"a": 20, "b": 10, "c": 3}
    assert sorted([*rest, *held_out]) == list(range(99))
    assert held_out.tolist() == sorted(held_out)


def test_the_seed_decides():
    classes = ["a", "b"] * 30
    first, again, other = (stratified_split(60, 0.3, seed, classes=classes)[1] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_on_both_sides(seed):
    random = np.random.default_rng(seed)
    artists = [f"artist {number}" for number in random.integers(0, 30, 200)]
    genre_of = {artist: "ab"[int(artist.split()[1]) % 2] for artist in artists}
    classes = [genre_of[artist] for artist in artists]
    for kwargs in ({"groups": artists}, {"groups": artists, "classes": classes}):
        rest, held_out = stratified_split(200, 0.25, seed, **kwargs)
        assert not {artists[row] for row in rest} & {artists[row] for row in held_out}
        assert sorted([*rest, *held_out]) == list(range(200))
        assert 0.1 < len(held_out) / 200 < 0.4
    share = counts(classes, held_out)["a"] / len(held_out)
    assert share == pytest.approx(classes.count("a") / 200, abs=0.2)


@pytest.mark.parametrize("fraction", [0.6, 0.75])
def test_groups_with_classes_meet_a_large_fraction_too(fraction):
    artists = [str(row // 4) for row in range(200)]
    classes = ["ab"[row // 4 % 2] for row in range(200)]
    _, held_out = stratified_split(200, fraction, 0, classes=classes, groups=artists)
    assert len(held_out) / 200 == pytest.approx(fraction, abs=0.05)


def test_without_classes_only_the_share_counts():
    rest, held_out = stratified_split(30, 1 / 3, 0)
    assert (len(rest), len(held_out)) == (20, 10)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 5])
def test_a_fraction_is_between_0_and_1(fraction):
    with pytest.raises(ArgumentError, match=r"^test_fraction \S+: give a share between 0 and 1$"):
        stratified_split(10, fraction, 0, argument="test_fraction")


def test_too_little_to_split_is_said_so():
    with pytest.raises(UserError) as refusal:
        stratified_split(11, 0.3, 0, classes=["a"] * 10 + ["b"])
    assert str(refusal.value) == (
        "class 'b' has 1 example, too few to be both trained on and held out: add examples, or leave the "
        "class out"
    )
    with pytest.raises(UserError, match=r"class 'b' has 1 group, too few"):
        stratified_split(8, 0.3, 0, classes=["a"] * 4 + ["b"] * 4, groups=list("uvwxzzzz"))
    with pytest.raises(ArgumentError, match=r"^fraction 0.2: of 10 .* fewer than one for each of 5 classes"):
        stratified_split(10, 0.2, 0, classes=list("aabbccddee"))
    with pytest.raises(ArgumentError, match=r"^group_by: all examples are in one group"):
        stratified_split(10, 0.3, 0, groups=["x"] * 10)
    with pytest.raises(ArgumentError, match=r"^fraction 0.3: of 1 example none can be held out"):
        stratified_split(1, 0.3, 0)


@pytest.mark.parametrize("seed", range(10))
def test_every_class_is_on_both_sides_even_of_a_small_split(seed):
    classes = [name for name in "abc" for _ in range(4)]
    groups = [f"{name}{row // 2}" for name in "abc" for row in range(4)]
    for rows in stratified_split(12, 0.3, seed, classes=classes, groups=groups):
        assert min(counts(classes, rows).values()) > 0
    rare = ["a"] * 60 + ["b"] * 38 + ["c"] * 2
    for rows in stratified_split(100, 0.2, seed, classes=rare):
        assert counts(rare, rows)["c"] == 1


def test_groups_that_tie_classes_together_are_an_error():
    """Three groups of two classes each: the side with one group lacks the third class."""
    with pytest.raises(ArgumentError, match=r"^group_by: the groups of class .* cannot be divided"):
        stratified_split(6, 0.5, 0, classes=list("abbcca"), groups=list("xxyyzz"))


def test_groups_are_artists_unless_another_column_or_none_is_asked_for():
    table = pd.DataFrame({"artist": ["Ann", ""], "album": ["x", "y"]})
    assert [group_column(table, asked, "t") for asked in (None, "album", "none")] == ["artist", "album", None]
    with pytest.raises(ArgumentError, match=r"^group_by band: t has no such column; it has artist, album$"):
        group_column(table, "band", "t")


def table_of(classes: str = "", groups: str = "") -> pd.DataFrame:
    columns = {"genre": list(classes), "artist": list(groups)}
    return pd.DataFrame({name: values for name, values in columns.items() if values})


def test_folds_hold_out_every_row_once_and_every_class_by_its_share():
    numbers = fold_numbers(table_of("a" * 10 + "b" * 5), 5, 0, None)
    assert np.bincount(numbers).tolist() == [0, 3, 3, 3, 3, 3]
    assert np.bincount(numbers[10:]).tolist() == [0, 1, 1, 1, 1, 1]
    assert fold_numbers(table_of("a" * 10 + "b" * 5), 5, 0, None).tolist() == numbers.tolist()
    assert fold_numbers(table_of("a" * 10 + "b" * 5), 5, 1, None).tolist() != numbers.tolist()


@pytest.mark.parametrize("by_genre", [True, False])
def test_no_group_is_in_two_folds(by_genre):
    table = table_of("ab" * 30, "".join(chr(ord("A") + row // 5) for row in range(60)))
    for seed in range(3):
        numbers = fold_numbers(table, 4, seed, "artist", by_genre=by_genre)
        assert set(numbers) == {1, 2, 3, 4}
        assert table.assign(fold=numbers).groupby("artist")["fold"].nunique().max() == 1


def test_without_genres_folds_are_equal_in_size():
    numbers = fold_numbers(table_of("aaab" * 3), 4, 0, None, by_genre=False)
    assert np.bincount(numbers).tolist() == [0, 3, 3, 3, 3]


@pytest.mark.parametrize(
    ("classes", "groups", "problem"),
    [
        ("aaaaabb", "", "class 'b' has 2 clips; give fewer, or leave the class out"),
        ("aaaabbbb", "xxyyxxyy", "there are 2 groups by artist; give fewer, or group_by none"),
        ("aaaabbbb", "uvwwxxxx", "would have all of class 'b', by the groups of artist; give fewer"),
    ],
)
def test_more_folds_than_there_can_be_are_refused(classes, groups, problem):
    with pytest.raises(ArgumentError, match=rf"^folds 3: .*{problem}"):
        fold_numbers(table_of(classes, groups), 3, 0, "artist" if groups else None)
    with pytest.raises(ArgumentError, match=r"^folds 3: there are 2 clips; give fewer"):
        fold_numbers(table_of("ab"), 3, 0, None, by_genre=False)


def tagged(n: int, shares: dict[str, float], groups: int = 0, seed: int = 0) -> pd.DataFrame:
    """A table of tags, some of which clips often have together, and maybe of artists."""
    random = np.random.default_rng(seed)
    flags = random.uniform(size=(n, 1)) * 0.5 + random.uniform(size=(n, len(shares))) * 0.5
    limits = [np.quantile(column, share) for column, share in zip(flags.T, shares.values(), strict=True)]
    rows = [tuple(np.array(list(shares))[row].tolist()) for row in flags < limits]
    table = pd.DataFrame({"tags": pd.Series(rows, dtype=object)})
    return table.assign(artist=random.integers(0, groups, n).astype(str)) if groups else table


def shares_of(table: pd.DataFrame, rows: np.ndarray) -> dict[str, float]:
    total, there = (
        pd.Series([tag for tags in part for tag in tags]).value_counts()
        for part in (table["tags"], table["tags"].iloc[rows])
    )
    return (there.reindex(total.index, fill_value=0) / total).to_dict()


RARE = {"rock": 0.4, "guitar": 0.3, "live": 0.1, "kazoo": 0.01}


@pytest.mark.parametrize("groups", [0, 120])
def test_every_tag_is_on_both_sides_in_its_share(groups):
    table = tagged(300, RARE, groups)
    rest, held_out = hold_out(table, 0.2, 0, "artist" if groups else None, "test")
    assert sorted([*rest, *held_out]) == list(range(300))
    shares = shares_of(table, held_out)
    assert all(abs(shares[name] - 0.2) < 0.04 for name in ("rock", "guitar", "live"))
    assert shares["kazoo"] == pytest.approx(1 / 3)
    assert len(held_out) == pytest.approx(60, abs=3)
    if groups:
        assert not set(table["artist"][rest]) & set(table["artist"][held_out])
    assert (
        hold_out(table, 0.2, 0, None, "test")[1].tolist() != hold_out(table, 0.2, 1, None, "test")[1].tolist()
    )


def test_folds_have_every_tag():
    table = tagged(300, RARE, 150)
    for group in (None, "artist"):
        folds = fold_numbers(table, 3, 0, group)
        assert np.bincount(folds)[1:].tolist() == pytest.approx([100] * 3, abs=3)
        for fold in (1, 2, 3):
            shares = shares_of(table, np.flatnonzero(folds == fold))
            assert shares == pytest.approx(dict.fromkeys(RARE, 1 / 3), abs=0.05)
        if group:
            assert table.assign(fold=folds).groupby("artist")["fold"].nunique().max() == 1
    with pytest.raises(
        ArgumentError, match=r"^folds 4: tag 'kazoo' has 3 clips; give fewer, or leave the tag out$"
    ):
        fold_numbers(table, 4, 0, None)


def test_genres_are_kept_in_their_share_beside_tags():
    table = tagged(300, RARE).assign(genre=["Pop", "Folk", "Folk"] * 100)
    _, held_out = hold_out(table, 0.2, 0, None, "test")
    assert counts(list(table["genre"]), held_out) == {"Folk": 40, "Pop": 20}


def test_a_tag_that_parts_have_not_enough_of_is_refused():
    table = pd.DataFrame({"tags": [("a",), ("a", "b"), ("b",)], "artist": ["x", "x", "y"]})
    check_classes(table, table, "artist", ("train",))
    with pytest.raises(UserError) as refusal:
        check_classes(table, table, "artist", ("train", "test"))
    assert str(refusal.value) == (
        "tag 'a' has 1 artist, and needs one for each of train, test: add clips, or leave the tag out"
    )

"""Label tables, label files, class mappings and recipes: understood, or refused in one line."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w
from hypothesis import strategies as st

from keras_mir.recipes.named import RECIPES
from keras_mir.recipes.recipe import all_settings, read_recipe
from pipelines.datasets.classes import load_class_map
from pipelines.datasets.labels import LabelTable, read_label_table
from pipelines.datasets.load import load_examples
from pipelines.datasets.tags import tag_problem
from pipelines.errors import UserError

GENRES = (
    *("Rock", "Hip-Hop", "Drum & Bass", "R&B; Soul", 'so-called "Jazz"', "Ρεμπέτικο", "日本", "[rock]"),
    *("Rock, Pop", "👨\u200d👩\u200d👧", "AC/DC", "1984", "x = y", "Metal | Core", "don't"),
)
NAMES = ("one", "01. One", "Ünïcode", "a.b.c", "x-1_2", "日本", "with space", "[live]", "100%", "it's")


TAGS = ("rock", "live", "no vocals", "Ρεμπέτικο", 'so-called "jazz"', "mood/theme---calm", "90s", "[x]")


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, str, dict[str, Any]]:
    """A table, its file's suffix, and how pandas is to write it."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True))
    table = pd.DataFrame({"file": [f"songs/{name}.mp3" for name in names]})
    if draw(st.booleans()):
        table["id"] = [f"{number:02d}" for number in range(len(names))]
    table["genre"] = draw(st.lists(st.sampled_from(GENRES), min_size=len(names), max_size=len(names)))
    values = st.lists(st.floats(-1e6, 1e6, width=32), min_size=len(names), max_size=len(names))
    for target in draw(st.sampled_from([(), ("valence",), ("valence", "energy")])):
        table[target] = np.array(draw(values), np.float32)
    if draw(st.booleans()):
        of_a_clip = st.lists(st.sampled_from(TAGS), max_size=4, unique=True)
        tags = draw(st.lists(of_a_clip, min_size=len(names), max_size=len(names)))
        between = draw(st.sampled_from([*";,|"]))
        table["tags"] = [between.join(each) for each in tags]
    suffix, separator = draw(st.sampled_from([(".csv", ","), (".csv", ";"), (".csv", "\t"), (".tsv", "\t")]))
    form = {
        "sep": separator,
        "index": False,
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig"])),
        "lineterminator": draw(st.sampled_from(["\n", "\r\n"])),
        "quoting": draw(st.sampled_from([0, 1])),
    }
    return table.sample(frac=1, axis=1, random_state=draw(st.integers(0, 9))), suffix, form


def in_one_line(error: UserError) -> str:
    assert "\n" not in str(error)
    assert "\r" not in str(error)
    return "refused"


def check_promises(labels: LabelTable) -> str:
    """Fail unless it is as `LabelTable` says."""
    table = labels.table
    assert len(table) == table["id"].nunique() > 0
    assert all(table["id"])
    targets = table[list(labels.targets)]
    assert (targets.dtypes == np.float64).all()
    assert not np.isinf(targets).any(axis=None)
    assert labels.has_genre or labels.targets or labels.tags
    labelled = targets.notna().all(axis=1) & bool(labels.targets)
    if labels.has_genre:
        assert all(genre.isprintable() or not genre.isascii() for genre in table["genre"])
        labelled |= table["genre"] != ""
    if labels.tags:
        assert not any(map(tag_problem, labels.tags))
        known = table["tags"].dropna()
        assert all(0 < sum(tag in tags for tags in known) < len(known) for tag in labels.tags)
        labelled |= table["tags"].notna()
    assert labelled.all()
    if labels.has_split:
        assert set(table["split"]) <= {"train", "test"}
    return "understood"


def understood(read: Callable[[], str]) -> str:
    try:
        return read()
    except UserError as error:
        return in_one_line(error)


def test_tables_as_pandas_writes_them(cases, tmp_path):
    def check(case: tuple[pd.DataFrame, str, dict[str, Any]]) -> str:
        table, suffix, form = case
        path = tmp_path / f"labels{suffix}"
        table.to_csv(path, **form)
        labels = read_label_table(path)
        check_promises(labels)
        ids = table["id"] if "id" in table else table["file"].str.removeprefix("songs/").str[:-4]
        assert labels.table["genre"].tolist() == table["genre"].tolist()
        assert set(labels.targets) == {name for name in table if name in ("valence", "energy")}
        for target in labels.targets:
            np.testing.assert_array_equal(labels.table[target].to_numpy(np.float32), table[target])
        if labels.tags:
            written = [tuple(filter(None, re.split("[;,|]", cell))) or None for cell in table["tags"]]
            assert labels.table["tags"].tolist() == written
        assert labels.table["id"].tolist() == ids.tolist()
        return "understood"

    cases.try_all("label tables by pandas", 20, tables(), check)


def test_damaged_tables(cases, tmp_path, damaged):
    def content(case: tuple[pd.DataFrame, str, dict[str, Any]]) -> bytes:
        table, _, form = case
        return table.to_csv(**{**form, "encoding": None}).encode(form["encoding"])

    path = tmp_path / "labels.csv"

    def check(content: bytes) -> str:
        path.write_bytes(content)
        return understood(lambda: check_promises(read_label_table(path)))

    cases.try_all("damaged label tables", 50, damaged(tables().map(content)), check)


@pytest.fixture
def data(tmp_path, course_data) -> Path:
    """A data set in the course layout, to be damaged."""
    root = Path(shutil.copytree(course_data, tmp_path / "data"))
    shutil.copytree(root / "multitask_dataset_beat", root / "tags_dataset_beat")
    for split in ("train", "test"):
        path = root / "tags_dataset_beat" / f"{split}_labels.txt"
        _, *rows = path.read_text().splitlines()
        flags = [f"{row.split(',')[0]},{number % 2},{number % 3 // 2}" for number, row in enumerate(rows)]
        path.write_text("\n".join(['Id,"so-called ""jazz""",live', *flags]))
    return root


@pytest.mark.parametrize(
    ("file", "task"),
    [
        ("fma_genre_spectrograms_beat/train_labels.txt", "genre"),
        ("multitask_dataset_beat/train_labels.txt", "affect"),
        ("tags_dataset_beat/train_labels.txt", "tags"),
    ],
)
def test_damaged_label_files(cases, data, damaged, file, task):
    whole = (data / file).read_bytes()

    def read() -> str:
        examples = load_examples(data, task, prefer_synced=True)
        assert len(examples)
        assert examples.table["id"].is_unique
        return "understood"

    def check(content: bytes) -> str:
        (data / file).write_bytes(content)
        return understood(read)

    cases.try_all("damaged label files of a data set", 10, damaged(st.just(whole)), check)


def test_damaged_class_mappings(cases, tmp_path, damaged):
    path = tmp_path / "classes.toml"
    whole = "\n".join(
        f'"{genre}" = "{into}"' for genre, into in itertools.pairwise(("Röck", "Jazz", "", "Folk"))
    )

    def read() -> str:
        load_class_map(str(path), GENRES)
        return "understood"

    def check(content: bytes) -> str:
        path.write_bytes(content)
        return understood(read)

    cases.try_all("damaged class mappings", 10, damaged(st.just(whole.encode())), check)


def test_damaged_recipes(cases, tmp_path, damaged):
    path = tmp_path / "mine.toml"
    wholes = [tomli_w.dumps(recipe.to_dict()).encode() for recipe in RECIPES.values()]
    wholes.append(b'base = "lstm-beat-mel"\n[input]\nfeature = "fused"\n[train]\nlearning_rate = 0.0003\n')

    def read() -> str:
        recipe = read_recipe(path, RECIPES)
        path.write_text(tomli_w.dumps(recipe.to_dict()))
        assert read_recipe(path, {}) == recipe
        return "understood"

    def check(content: bytes) -> str:
        path.write_bytes(content)
        return understood(read)

    cases.try_all("damaged recipes", 30, damaged(st.sampled_from(wholes)), check)


def test_recipes_with_any_values(cases, tmp_path):
    path = tmp_path / "mine.toml"
    numbers = st.sampled_from([0, 1, -1, 2**31, 2**63, 10**30, 0.5, -0.5, 1e300, 1e-300])
    scalars = (
        numbers | st.floats() | st.booleans() | st.sampled_from(["", "mel", "1", "nan", "x\ny", "ü" * 300])
    )
    values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.just("x"), scalars, max_size=1)
    known = all_settings()

    def read() -> str:
        read_recipe(path, RECIPES)
        return "understood"

    def check(settings: dict[str, Any]) -> str:
        parts: dict[str, Any] = {}
        for name, value in settings.items():
            parts.setdefault(known[name].part, {})[name] = value
        path.write_text(tomli_w.dumps(parts), "utf-8")
        return understood(read)

    settings = st.dictionaries(st.sampled_from(sorted(known)), values, min_size=1, max_size=3)
    cases.try_all("recipes with impossible values", 30, settings, check)

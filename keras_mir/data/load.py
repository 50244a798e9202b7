"""From a data set and a recipe to what is trained on, chosen by and evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from keras_mir.models.outputs import Outputs
from keras_mir.recipes.recipe import Recipe, SplitSettings, TaskSettings
from pipelines.datasets.base import GENRE, ID, SPLIT, TAGS, Examples, Task
from pipelines.datasets.classes import (
    ClassMap,
    balanced_weights,
    class_indices,
    class_names,
    load_class_map,
)
from pipelines.datasets.splits import (
    ARTIST,
    check_classes,
    course_split,
    fold_numbers,
    group_column,
    group_names,
    hold_out,
)
from pipelines.datasets.splits import TEST as TEST
from pipelines.datasets.splits import TRAIN as TRAIN
from pipelines.datasets.splits import VALIDATION as VALIDATION
from pipelines.datasets.tags import of_use, tag_matrix
from pipelines.errors import ArgumentError, UserError
from pipelines.input.cache import BadFile, Cached, Progress, cache_examples
from pipelines.input.service import DataService
from pipelines.source import Source


@dataclass(frozen=True)
class SplitInfo:
    """How a data set was split, for reports.

    Attributes:
        method: `"stratified"` or `"course"`.
        test_from: `"the data set"`, `"held out"`, `"a fold"`, `"all folds"` or `"none"`.
        group_by: The column whose values are on one side of every split, or `"none"`.
        seed: Seed by which clips were held out.
        limit: Most examples of each part; 0 for all.
        sizes: Examples of each part.
    """

    method: str
    test_from: str
    group_by: str
    seed: int
    limit: int
    sizes: dict[str, int]


@dataclass(frozen=True)
class Data:
    """Everything a run needs of its data set.

    Attributes:
        examples: Table, sources and labels of each split, by name.
        sources: The same as what batches are made from.
        classes: Class names in the order of their index; empty if no genres are learnt.
        targets: Affect targets; empty if none are learnt.
        class_map: From the data's genres to the classes; without name and classes if none are learnt.
        split: How the splits were made and how large they are.
        bad: Files that were left out because they cannot be read.
        notes: What the user should know of the labels and the split: that artists are not kept together, say.
        auxiliary_classes: Classes of the genre that is learnt besides affect; empty if none is.
        tags: In the order of their index; empty if none are learnt.
    """

    examples: dict[str, Examples]
    sources: dict[str, Source]
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    class_map: ClassMap
    split: SplitInfo
    bad: tuple[BadFile, ...]
    notes: tuple[str, ...] = ()
    auxiliary_classes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def outputs(self) -> Outputs:
        """What is learnt."""
        return Outputs(self.classes, self.targets, self.tags)

    @property
    def evaluated_on(self) -> str:
        """The split a report is made on: test, or validation where the course keeps no test."""
        return TEST if TEST in self.sources else VALIDATION


def load_data(
    examples: Examples,
    recipe: Recipe,
    cache_folder: Path,
    *,
    skip_bad: bool = False,
    progress: Progress | None = None,
    service: DataService | None = None,
) -> Data:
    """Map classes, split, and run the deterministic steps.

    Args:
        examples: The data set.
        recipe: What to do with it.
        cache_folder: Where processed features are kept.
        skip_bad: Leave out files that cannot be read, instead of refusing.
        progress: Called with the number of files done and of all.
        service: Whose workers run the deterministic steps; `None` for this process.

    Raises:
        UserError: If labels do not fit the task, a class is too small to split, or a file
            cannot be read.
    """
    examples, class_map = mapped(examples, recipe.task)
    targets = chosen_targets(examples, recipe.task)
    examples = with_chosen_tags(examples, recipe)
    parts = split_examples(examples, recipe.split)
    known = examples.where((examples.table[SPLIT] != TEST).to_numpy())
    own_test = len(known) < len(examples)
    classes = class_names(known) if "genre" in recipe.task.tasks else ()
    Outputs(classes, targets, examples.tags)
    joined = replace(examples, table=pd.concat([part.table for part in parts.values()], ignore_index=True))
    cached = cache_examples(joined, recipe.input, cache_folder, progress, service)
    if cached.bad and not skip_bad:
        raise UserError(describe_bad(cached.bad))
    good = cached.lengths > 0
    sources, kept = {}, {}
    ends = np.cumsum([len(part) for part in parts.values()])
    for name, rows in zip(parts, np.split(np.arange(len(joined)), ends[:-1]), strict=True):
        rows = rows[good[rows]]
        kept[name] = joined.take(rows)
        if not len(rows):
            raise UserError(f"{examples.name}: no readable example is left to be {name} data; add examples")
        sources[name] = make_source(kept[name], cached.take(rows), recipe, classes, targets, examples.tags)
        _check_all_heads(sources[name], examples.name, name)
    if recipe.input.frames == "longest":
        longest = int(sources[TRAIN].cached.lengths.max())
        sources = {name: replace(source, frames=longest) for name, source in sources.items()}
    auxiliary = _auxiliary_classes(known, recipe.task)
    for name in sources.keys() & {TRAIN, VALIDATION} if auxiliary else ():
        labels = {**sources[name].labels, GENRE: class_indices(kept[name], auxiliary)}
        sources[name] = replace(sources[name], labels=labels)
    if recipe.task.class_weights == "balanced" and classes:
        train = sources[TRAIN]
        rows, weights = train.labelled(GENRE), np.ones(len(train), np.float32)
        weights[rows] = balanced_weights(train.labels[GENRE][rows], len(classes))
        sources[TRAIN] = replace(train, weights={GENRE: weights})
    return Data(
        examples=kept,
        sources=sources,
        classes=classes,
        targets=targets,
        class_map=class_map,
        split=SplitInfo(
            method=recipe.split.split,
            test_from=_test_from(own_test, recipe.split, TEST in kept),
            group_by=_grouping(examples, recipe.split) or "none",
            seed=recipe.split.split_seed,
            limit=recipe.split.limit,
            sizes={name: len(part) for name, part in kept.items()},
        ),
        bad=cached.bad,
        notes=(*examples.notes, *_notes(examples, recipe.split)),
        auxiliary_classes=auxiliary,
        tags=examples.tags,
    )


def mapped(
    examples: Examples, task: TaskSettings, known: ClassMap | None = None
) -> tuple[Examples, ClassMap]:
    """The examples with classes for genres, and the mapping; unchanged if none are learnt.

    Args:
        examples: With the data's genres.
        task: Which says what mapping to take.
        known: The mapping to take instead: a trained model's own.
    """
    if "genre" not in task.tasks:
        return examples, ClassMap("", {})
    if not examples.has_genre:
        raise UserError(f"{examples.name}: no genre labels; add a genre column, or choose an affect recipe")
    class_map = known or load_class_map(task.classes, sorted(set(examples.table[GENRE]) - {""}))
    examples = class_map.apply(examples)
    if not len(examples):
        raise UserError(f"{examples.name}: the class mapping {class_map.name!r} drops every example")
    return examples, class_map


def chosen_targets(examples: Examples, task: TaskSettings) -> tuple[str, ...]:
    """The affect targets to learn.

    Raises:
        UserError: If the data set has none, or not those that were asked for.
    """
    if "affect" not in task.tasks:
        return ()
    if not examples.targets:
        raise UserError(f"{examples.name}: no affect labels; add a numeric column, or choose a genre recipe")
    missing = [name for name in task.targets if name not in examples.targets]
    if missing:
        problem = f"{examples.name} has no such target; it has {', '.join(examples.targets)}"
        raise ArgumentError("targets", missing[0], problem)
    if len(set(task.targets)) < len(task.targets):
        raise ArgumentError("targets", ",".join(task.targets), "a target is named twice")
    return task.targets or examples.targets


def with_chosen_tags(examples: Examples, recipe: Recipe) -> Examples:
    """The examples with the tags to learn, and no others; unchanged if none are learnt.

    A tag is of use if enough clips have it, and have it not, for every part that they will be divided into.

    Raises:
        UserError: If a tag that was asked for is not, or fewer than two are.
    """
    if "tags" not in recipe.task.tasks:
        return examples
    known = examples.table[SPLIT] != TEST
    settings = recipe.split
    own_test = not known.all() or settings.split == "course"
    parts = settings.folds or 1 + bool(settings.validation) + (not own_test)
    tags, notes = of_use(examples.name, examples.table[known], recipe.task.tags, parts)
    return replace(with_tags(examples, tags), notes=(*examples.notes, *notes))


def with_tags(examples: Examples, tags: Sequence[str]) -> Examples:
    """The examples with the tags that a model has learnt, and no others.

    Raises:
        UserError: If none of the clips has one of them: it may be called otherwise there.
    """
    missing = [name for name in tags if name not in examples.tags]
    if missing:
        there = f"it has {', '.join(examples.tags)}" if examples.tags else "it has none"
        raise ArgumentError("tags", missing[0], f"{examples.name} has no such tag; {there}")
    wanted = set(tags)
    kept = [
        None if each is None else tuple(name for name in each if name in wanted)
        for each in examples.table[TAGS]
    ]
    table = examples.table.assign(**{TAGS: pd.Series(kept, examples.table.index, object)})
    return replace(examples, table=table, tags=tuple(tags))


def split_examples(examples: Examples, settings: SplitSettings) -> dict[str, Examples]:
    """Train and, as a rule, validation and test examples.

    The data set's own test examples are kept. Where it has none, a share is held out first; the
    course's split does not do that, and its validation examples choose the epoch and are evaluated on.
    A fold's test examples are those it holds out, while the data set's own are left out; where there
    are folds and none is chosen, all examples are trained on by one or another.
    """
    group = _grouping(examples, settings)

    def divided(part: Examples, fraction: float, which: str, *into: str) -> tuple[Examples, Examples]:
        if settings.split == "course":
            rest, held_out = course_split(len(part), fraction)
            if not len(rest) or not len(held_out):
                raise UserError(f"{part.name}: {len(part)} examples are too few to split; add examples")
        else:
            check_classes(examples.table, part.table, group, into, of_genres="genre" in examples.tasks)
            seed = settings.split_seed + (TEST, VALIDATION).index(which)
            rest, held_out = hold_out(part.table, fraction, seed, group, which)  # settings are called so
        return part.take(rest), part.take(held_out)

    is_test = (examples.table[SPLIT] == TEST).to_numpy()
    rest, parts = examples.where(~is_test), {}
    in_all_folds = settings.folds and not settings.fold
    if settings.fold:
        held_out = _fold_numbers(rest, settings) == settings.fold
        rest, parts[TEST] = rest.where(~held_out), rest.where(held_out)
    elif is_test.any():
        parts[TEST] = examples.where(is_test)
    elif settings.split != "course" and not in_all_folds:
        others = (TRAIN, VALIDATION) if settings.validation else (TRAIN,)
        rest, parts[TEST] = divided(rest, settings.test, TEST, *others, TEST)
    if in_all_folds or not settings.validation:
        parts[TRAIN] = rest
    else:
        # Of a few clips, the share that is asked for may be less than one of each genre.
        share = settings.validation
        if settings.split != "course" and rest.has_genre and len(rest):
            share = max(share, min(rest.table[GENRE].nunique() / len(rest), 0.5))
        parts[TRAIN], parts[VALIDATION] = divided(rest, share, VALIDATION, TRAIN, VALIDATION)
    return {name: _limited(parts[name], settings) for name in (TRAIN, VALIDATION, TEST) if name in parts}


def fold_table(examples: Examples, settings: SplitSettings) -> pd.DataFrame:
    """Which fold holds out each example: `id` and `fold`, from 1, but for the data set's own test examples.

    Raises:
        UserError: If a fold cannot be had, or what it leaves cannot be trained on.
    """
    known = examples.where((examples.table[SPLIT] != TEST).to_numpy())
    for fold in range(1, settings.folds + 1):
        split_examples(examples, replace(settings, fold=fold))
    return known.table[[ID]].assign(fold=_fold_numbers(known, settings))


def _fold_numbers(examples: Examples, settings: SplitSettings) -> np.ndarray:
    group = _grouping(examples, settings)
    by_genre = "genre" in examples.tasks or not (examples.targets or examples.tags)
    return fold_numbers(examples.table, settings.folds, settings.split_seed, group, by_genre=by_genre)


def _test_from(own_test: bool, settings: SplitSettings, has_test: bool) -> str:
    if settings.fold:
        return "a fold"
    if own_test:
        return "the data set"
    return "all folds" if settings.folds else "held out" if has_test else "none"


def _auxiliary_classes(known: Examples, task: TaskSettings) -> tuple[str, ...]:
    """The genres that are learnt besides affect: those of the data, if every clip has one."""
    if not task.auxiliary_genre or not known.has_genre or not known.table[GENRE].all():
        return ()
    return class_names(known) if known.table[GENRE].nunique() > 1 else ()


def make_source(
    examples: Examples,
    cached: Cached,
    recipe: Recipe,
    classes: Sequence[str],
    targets: Sequence[str],
    tags: Sequence[str] = (),
) -> Source:
    """Cached examples with their labels, by the names of the model's outputs.

    Where a clip has none of a kind that others have, there is a 0 in their place, and it counts for
    nothing; the others then count for so much more that their mean is what it would be without it.
    """
    labels = {name: examples.table[name].fillna(0.0).to_numpy(np.float32) for name in targets}
    outputs: dict[Task, Sequence[str]] = {"affect": targets}
    if classes:
        labels[GENRE], outputs["genre"] = class_indices(examples, classes), [GENRE]
    if tags:
        labels[TAGS], outputs["tags"] = tag_matrix(examples.table[TAGS], tags), [TAGS]
    known: dict[str, np.ndarray] = {}
    for task, names in outputs.items():
        has = examples.has_labels(task)
        if not has.all():
            known |= dict.fromkeys(names, (has / max(has.mean(), 1 / len(has))).astype(np.float32))
    frames = recipe.input.frames if isinstance(recipe.input.frames, int) else None
    return Source(cached, labels, None, recipe.input, frames, examples.spec, known)


def _check_all_heads(source: Source, name: str, part: str) -> None:
    """Refuse data of which no clip of a part has labels of a kind that is learnt."""
    for output in source.known:
        if not len(source.labelled(output)):
            what = {GENRE: "a genre", TAGS: "tags"}.get(output, f"a value of {output}")
            raise UserError(f"{name}: no {part} clip has {what}; add labels, or choose a recipe without them")


def _grouping(examples: Examples, settings: SplitSettings) -> str | None:
    """The column that keeps groups together.

    Raises:
        UserError: If a column was asked for that there is not, or that the split does not heed.
    """
    asked = None if settings.group_by == "auto" else settings.group_by
    if settings.split == "course":
        if asked not in (None, "none"):
            raise ArgumentError("group_by", asked, "the course's split has no groups; choose stratified")
        return None
    return group_column(examples.table, asked, examples.name)


def _notes(examples: Examples, settings: SplitSettings) -> tuple[str, ...]:
    column = _grouping(examples, settings)
    if column is not None:
        unknown = group_names(examples.table, column).count("")
        clips = "1 clip has" if unknown == 1 else f"{unknown} clips have"
        return (f"{clips} no {column}; each is a group of its own in the split",) if unknown else ()
    if settings.group_by == "auto" and ARTIST in examples.table:
        why = "the course's split has no groups" if settings.split == "course" else "no clip has one"
        return (f"clips of one artist may be on both sides of the split: {why}",)
    return ()


def describe_bad(bad: Sequence[BadFile]) -> str:
    """One line on files that cannot be read."""
    more = f" (and {len(bad) - 1} more files)" if len(bad) > 1 else ""
    return f"{bad[0].path}: {bad[0].reason}{more}; give skip_bad to go on without them"


def _limited(examples: Examples, settings: SplitSettings) -> Examples:
    """At most `settings.limit` examples, all classes as equal in number as may be, in their order."""
    if not 0 < settings.limit < len(examples):
        return examples
    order = np.random.default_rng(settings.split_seed).permutation(len(examples))
    if examples.has_genre:
        shuffled = examples.table.iloc[order]
        order = order[np.argsort(shuffled.groupby(GENRE).cumcount().to_numpy(), kind="stable")]
    return examples.take(np.sort(order[: settings.limit]))


def split_csv(parts: dict[str, Examples]) -> bytes:
    """Which example is in which split, as CSV."""
    table = pd.concat([part.table[[ID]].assign(split=name) for name, part in parts.items()])
    return table.to_csv(index=False).encode()

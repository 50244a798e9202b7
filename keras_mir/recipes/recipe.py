"""A recipe: everything that decides what is trained, in frozen parts, readable from TOML and flags."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from keras_mir.recipes.model_settings import ModelSettings
from pipelines.datasets.base import Task
from pipelines.errors import ArgumentError, UserError
from pipelines.files import read_toml
from pipelines.settings import AugmentSettings, InputSettings, check_seed, numbers_by_name

# Of one kind of labels, or of several at once, which then have a head each.
Tasks = Literal["genre", "affect", "tags", "genre+tags", "genre+affect", "tags+affect", "genre+tags+affect"]


@dataclass(frozen=True)
class TaskSettings:
    """What is learned.

    Attributes:
        task: `"genre"` (one class per clip), `"affect"` (one value per target and clip), `"tags"`
            (several per clip), or several of these at once, as in `"genre+tags+affect"`: a head each, on
            the same layers, whose losses are summed.
        classes: Genres to classes: `auto` (the course's mapping where all genres are the
            course's and it joins or drops one), `course`, `as-is` or a TOML file.
        targets: Affect targets, names of columns; where none are given, all of the data set.
        tags: Tags, of the column `tags` or names of columns of 0 and 1; where none are given, all
            that some clips have and others have not.
        class_weights: `"balanced"` weighs examples so that every class counts the same, and of each tag
            the clips that have it as much as the others.
        loss_weights: Weight of the loss of each output (a target, `genre` or `tags`), as `name=weight`;
            others weigh 1.
        auxiliary_genre: Learn the genre besides affect, where every clip has one, and leave it out of the
            finished model: it teaches the layers that both share.
        kernel_ridge: Answer with the mean of the network's affect values and those of a kernel ridge
            regression on mean and deviation of each band, fitted after the training.
        transfer: Learn only new heads, on the frozen layers of `backbone`.
        backbone: The run, or the exported model, whose layers `transfer` takes.
    """

    task: Tasks = "genre"
    classes: str = "auto"
    targets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    class_weights: Literal["none", "balanced"] = "none"
    loss_weights: tuple[str, ...] = ()
    auxiliary_genre: bool = False
    kernel_ridge: bool = False
    transfer: bool = False
    backbone: str = ""

    def __post_init__(self) -> None:
        for name, has, recipe in (
            ("targets", "affect" in self.tasks, "an affect recipe, such as small-cnn-affect"),
            ("tags", "tags" in self.tasks, "a tags recipe, such as small-cnn-tags"),
            ("auxiliary_genre", self.task == "affect", "an affect recipe, such as small-cnn-affect"),
            ("kernel_ridge", "affect" in self.tasks, "an affect recipe, such as small-cnn-affect"),
        ):
            if getattr(self, name) and not has:
                raise ArgumentError(name, None, f"the {self.task} task has none; choose {recipe}")
        self.loss_weights_by_output()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What labels are learned of, in the order of the heads."""
        return typing.cast(tuple[Task, ...], tuple(self.task.split("+")))

    def loss_weights_by_output(self) -> dict[str, float]:
        """The weights as numbers.

        Raises:
            ArgumentError: If one is not written `name=weight`.
        """
        return numbers_by_name("loss_weights", self.loss_weights, "weight")


@dataclass(frozen=True)
class TrainSettings:
    """How it is learned.

    Attributes:
        epochs: Passes over the training examples, at most.
        batch_size: Examples per batch.
        learning_rate: Learning rate of Adam.
        weight_decay: Decoupled weight decay (AdamW); 0 for none.
        schedule: Course of the learning rate: `constant`, or `cosine`, up in the first tenth of all
            steps and down to a hundredth along a cosine.
        early_stopping: Epochs without a better validation loss before training stops and the
            best weights are restored; 0 trains to the end.
        reduce_lr: Epochs without a better validation loss before the learning rate is
            halved; 0 for never.
        clip_norm: Largest norm of a gradient, above which it is scaled down; 0 for none. Recurrent
            layers over long sequences have rare steps that undo an epoch.
        mixed_precision: Compute in float16 where that is safe.
        overfit_batches: Only check that this many batches can be memorised; 0 for a real training.
    """

    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    early_stopping: int = 15
    reduce_lr: int = 0
    clip_norm: float = 1.0
    mixed_precision: bool = False
    overfit_batches: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ArgumentError(name, getattr(self, name), "give a number above 0")
        for name in ("weight_decay", "early_stopping", "reduce_lr", "clip_norm", "overfit_batches"):
            if getattr(self, name) < 0:
                raise ArgumentError(name, getattr(self, name), "give 0 for none, or a positive number")
        if self.schedule == "cosine" and self.reduce_lr:
            raise ArgumentError(
                "reduce_lr", None, "the learning rate follows a cosine; choose schedule constant"
            )


@dataclass(frozen=True)
class SplitSettings:
    """Which examples are trained on, which choose the epoch, and which are evaluated on.

    Attributes:
        split: `"stratified"` by class, or the `"course"`'s own shuffle.
        validation: Share of the training examples held out, to choose the epoch and the temperature by;
            0 trains on all of them, to the last epoch.
        test: Share held out to evaluate on, where the data set has no labelled test examples.
        group_by: Column whose values stay on one side of every split; `auto` is `artist`
            where there is such a column, `none` splits without groups.
        split_seed: Seed of the split; that of the training does not change it.
        folds: Cross-validation: divide the examples into so many parts, train once for each on all the
            others, and evaluate on it; 0 for one training. Test examples of the data set's own are in
            no fold.
        fold: Train on this fold alone, from 1; 0 for all.
        limit: For a trial, the most examples that training, validation and test have: every class in
            turn, drawn with the split's seed; 0 for all.
    """

    split: Literal["stratified", "course"] = "stratified"
    validation: float = 0.2
    test: float = 0.2
    group_by: str = "auto"
    split_seed: int = 0
    folds: int = 0
    fold: int = 0
    limit: int = 0

    def __post_init__(self) -> None:
        check_seed(self.split_seed, "split_seed")
        if self.folds < 0 or self.folds == 1:
            raise ArgumentError("folds", self.folds, "give 2 or more, or 0 for one training")
        if self.folds and self.split == "course":
            raise ArgumentError("folds", self.folds, "the course's split has no folds; choose stratified")
        if not 0 <= self.fold <= self.folds:
            problem = f"give a number from 1 to {self.folds}" if self.folds else "goes with folds"
            raise ArgumentError("fold", self.fold, problem)
        if self.limit < 0:
            raise ArgumentError("limit", self.limit, "give 0 for all, or a positive number")
        if not 0.0 < self.test < 1.0:
            raise ArgumentError("test", self.test, "give a share between 0 and 1")
        if not 0.0 <= self.validation < 1.0:
            raise ArgumentError("validation", self.validation, "give a share of at least 0 and less than 1")
        if not self.validation and self.split == "course":
            problem = "the course's split evaluates on validation clips; give a share such as 0.33"
            raise ArgumentError("validation", self.validation, problem)


_TEXTS = ("name", "description")  # keys of a recipe that are no table
_MOST = 2**32 - 1  # of whole numbers; seeds need as many


@dataclass(frozen=True)
class Recipe:
    """A named set of settings; see the classes of its parts."""

    name: str
    description: str = ""
    task: TaskSettings = field(default_factory=TaskSettings)
    input: InputSettings = field(default_factory=InputSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    split: SplitSettings = field(default_factory=SplitSettings)

    def __post_init__(self) -> None:
        if not self.split.validation and (self.train.early_stopping or self.train.reduce_lr):
            problem = "early_stopping and reduce_lr watch validation clips; give a share such as 0.2"
            raise ArgumentError("validation", self.split.validation, problem)
        if not self.task.transfer:  # what is transferred is of the backbone's architecture
            self.model.architecture.check(self.model, self.input.frames, None)

    def with_settings(self, settings: Mapping[str, Any]) -> Recipe:
        """A copy with some settings changed.

        Args:
            settings: Setting to value; names are unique over all parts, and values may be
                text, as a command line gives it.

        Raises:
            UserError: If a setting is unknown, or its value has the wrong type or is not allowed.
        """
        changes: dict[str, dict[str, Any]] = {}
        known = all_settings()
        for name, value in settings.items():
            if name not in known:
                raise UserError(f"recipe {self.name}: unknown setting {name!r}{_suggestion(name, known)}")
            changes.setdefault(known[name].part, {})[name] = convert(name, value, known[name].type)
        parts = {part: dataclasses.replace(getattr(self, part), **values) for part, values in changes.items()}
        return dataclasses.replace(self, **parts)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as TOML and JSON can hold it: one table per part."""
        return dataclasses.asdict(
            self,
            dict_factory=lambda items: {
                name: list(value) if isinstance(value, tuple) else value for name, value in items
            },
        )

    def changes_from(self, base: Recipe) -> dict[str, Any]:
        """The settings in which it differs from another recipe, as `to_dict` has them."""
        other, changes = base.to_dict(), {}
        for part, settings in self.to_dict().items():
            if part not in _TEXTS and settings != other[part]:
                changes[part] = {name: v for name, v in settings.items() if v != other[part][name]}
        return changes

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], base: Recipe | None = None, source: str = "recipe"
    ) -> Recipe:
        """Build a recipe from tables.

        Args:
            values: As `to_dict` gives them; settings that are missing keep `base`'s value.
            base: Where to start; the defaults if `None`.
            source: What messages call the origin, such as a file name.

        Raises:
            UserError: If a key is unknown, or a value has the wrong type or is not allowed.
        """
        recipe = base or cls(name="custom")
        parts = part_types()
        settings: dict[str, Any] = {}
        texts: dict[str, Any] = {}
        for key, value in values.items():
            if key in _TEXTS:
                texts[key] = str(value)
                continue
            if key not in parts:
                raise UserError(f"{source}: unknown key {key!r}{_suggestion(key, [*_TEXTS, *parts])}")
            if not isinstance(value, Mapping):
                raise UserError(f"{source}: {key!r} is not a table; write its settings under [{key}]")
            names = [f.name for f in dataclasses.fields(parts[key])]
            for name in value:
                if name not in names:
                    raise UserError(f"{source}: unknown key {name!r} in [{key}]{_suggestion(name, names)}")
            settings |= value
        try:
            return dataclasses.replace(recipe, **texts).with_settings(settings)
        except UserError as error:
            raise UserError(f"{source}: {error}") from None


@dataclass(frozen=True)
class Setting:
    """Where a setting belongs and what it may be; some texts are one of `choices`."""

    part: str
    type: Any
    default: Any
    choices: tuple[str, ...] = ()


def part_types() -> dict[str, type]:
    """The parts of a recipe and their classes."""
    hints = typing.get_type_hints(Recipe)
    return {
        f.name: hints[f.name] for f in dataclasses.fields(Recipe) if dataclasses.is_dataclass(hints[f.name])
    }


def all_settings() -> dict[str, Setting]:
    """Every setting of a recipe by its name, which is unique over all parts."""
    settings = {}
    for part, kind in part_types().items():
        hints = typing.get_type_hints(kind)
        for f in dataclasses.fields(kind):
            settings[f.name] = Setting(part, hints[f.name], f.default, tuple(f.metadata.get("choices", ())))
    return settings


def read_recipe(path: Path, named: Mapping[str, Recipe], *, whole: bool = False) -> Recipe:
    """Read a recipe that someone wrote, in TOML.

    The file holds the tables `[task]`, `[input]`, `[augment]`, `[model]`, `[train]` and
    `[split]`, any of which may be left out, and may start from a named recipe with
    `base = "lstm-beat-mel"`.

    Args:
        path: The file.
        named: Recipes to start from, by name.
        whole: Whether nothing may be left out, as in a file that a run wrote.

    Raises:
        UserError: If the file cannot be read, or has an unknown key or a wrong value.
    """
    try:
        values = read_toml(path, "correct it")
    except FileNotFoundError:
        raise ArgumentError("recipe", path, "no such file") from None
    if whole:
        there = {name for part in values.values() if isinstance(part, dict) for name in part}
        if missing := sorted(all_settings().keys() - there):
            raise UserError(f"{path}: lacks {missing[0]}; it is damaged, or of another version")
    base = values.pop("base", None)
    if base is not None and (not isinstance(base, str) or base not in named):
        raise UserError(f"{path}: base {base!r} is no named recipe{_suggestion(str(base), named)}")
    start = named[base] if base is not None else None
    return Recipe.from_dict({"name": path.stem, **values}, start, str(path))


def convert(name: str, value: Any, kind: Any) -> Any:
    """`value`, perhaps text from a command line, as the type of a setting.

    Raises:
        ArgumentError: If that is not possible.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise ArgumentError(name, value, "give a list")
        return tuple(
            convert(name, item.strip() if isinstance(item, str) else item, arguments[0]) for item in items
        )
    kinds = arguments if origin in (typing.Union, types.UnionType) else (kind,)
    for each in kinds:
        with suppress(ValueError, OverflowError):
            return _as(each, value)
    verb = "choose" if origin is Literal else "give"
    raise ArgumentError(name, value, f"{verb} {' or '.join(map(_describe, kinds))}")


def _as(kind: Any, value: Any) -> Any:
    if kind is bool and value in ("true", "false"):
        return value == "true"
    if kind in (int, float) and isinstance(value, str | int | float) and not isinstance(value, bool):
        number = kind(value)
        if math.isfinite(number) and number == float(value) and (kind is float or abs(number) <= _MOST):
            return number
    elif value in typing.get_args(kind) if typing.get_origin(kind) is Literal else type(value) is kind:
        return value
    raise ValueError(value)


def _describe(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return ", ".join(map(str, typing.get_args(kind)))
    return {int: f"a whole number of at most {_MOST}", float: "a number", str: "text", bool: "true or false"}[
        kind
    ]


def _suggestion(name: str, known: typing.Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}"

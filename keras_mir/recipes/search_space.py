"""What `fit --tune` varies, and between which values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keras_mir.recipes.model_settings import ARCHITECTURES
from keras_mir.recipes.recipe import Recipe
from pipelines.settings import numbers_by_name
from pipelines.spec import SPECTROGRAMS, FeatureSpec

_AUGMENT = "augment."  # before the name of an augmentation that is registered, in a search space


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`, whole ones if both are; `log` for those whose ratio counts.

    What is not has steps, if `step` is given.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Choice:
    """One of some values, as a command line gives them."""

    values: tuple[str, ...]


Range = Span | Choice


def _filters(recipe: Recipe) -> Choice:
    """A quarter, half, all or double of the recipe's own, which fit its pools."""
    scaled = ([max(1, int(n * scale)) for n in recipe.model.filters] for scale in (0.25, 0.5, 1, 2))
    return Choice(tuple(dict.fromkeys(",".join(map(str, filters)) for filters in scaled)))


def _freq_mask(recipe: Recipe) -> Span | None:
    feature = recipe.input.feature
    return Span(0, FeatureSpec().width(feature) // 4) if feature in SPECTROGRAMS else None


def _time_mask(recipe: Recipe) -> Span | None:
    """Up to some seconds: at 120 beats a minute, or about 43 frames a second."""
    if recipe.input.feature not in SPECTROGRAMS:
        return None
    return Span(0, 16 if recipe.input.sync == "beat" else 128)


def _level(recipe: Recipe) -> Span | None:
    return Span(0.0, 12.0, step=0.5) if recipe.input.feature in ("mel", "fused") else None  # those in dB


def _label_smoothing(recipe: Recipe) -> Span | None:
    return None if recipe.task.task == "affect" else Span(0.0, 0.3, step=0.02)  # numbers have no classes


def _discriminant(recipe: Recipe) -> Choice | None:
    """With 0 the trained head, for which alone the training's settings count."""
    return Choice(("0", "0.05", "0.1", "0.2", "0.4")) if "genre" in recipe.task.tasks else None


# By setting; None where a recipe has nothing that it would change. Those of the model are varied where its
# architecture has them.
RANGES: dict[str, Callable[[Recipe], Range | None]] = {
    "learning_rate": lambda _: Span(1e-4, 1e-2, log=True),
    "weight_decay": lambda _: Span(1e-6, 1e-2, log=True),
    "dropout": lambda _: Span(0.0, 0.6, step=0.02),
    "freq_mask": _freq_mask,
    "time_mask": _time_mask,
    "mixup": lambda _: Span(0.0, 0.4, step=0.02),
    "level": _level,
    "label_smoothing": _label_smoothing,
    "units": lambda _: Span(32, 256, log=True),
    "layers": lambda _: Span(1, 3),
    "filters": _filters,
    "discriminant": _discriminant,
}
_OF_ARCHITECTURES = {name for architecture in ARCHITECTURES.values() for name in architecture.searched}


def search_space(recipe: Recipe, fixed: Mapping[str, Any] | tuple[str, ...] = ()) -> dict[str, Range]:
    """What to vary of a recipe, by setting, and by `augment.<name>` the augmentations that it names.

    Args:
        recipe: Where to start.
        fixed: Settings to leave as they are.
    """
    # What is transferred is of the backbone's architecture.
    own = () if recipe.task.transfer else recipe.model.architecture.searched
    names = [name for name in RANGES if name not in fixed and (name in own or name not in _OF_ARCHITECTURES)]
    space = {name: values for name in names if (values := RANGES[name](recipe)) is not None}
    if "augment" not in fixed:
        strengths = numbers_by_name("augment", recipe.augment.augment)
        space |= {f"{_AUGMENT}{name}": Span(0.0, 2 * strength) for name, strength in strengths.items()}
    return space


def chosen_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a search space as settings of a recipe, numbers to three digits."""
    rounded = {
        name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in values.items()
    }
    settings = {name: value for name, value in rounded.items() if not name.startswith(_AUGMENT)}
    augment = [name.removeprefix(_AUGMENT) for name in rounded if name.startswith(_AUGMENT)]
    if augment:
        settings["augment"] = tuple(f"{name}={rounded[_AUGMENT + name]:g}" for name in augment)
    return settings

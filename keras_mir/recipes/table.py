"""The tables of named recipes, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from rich.console import Console
from rich.table import Table

from keras_mir.recipes.named import DIGITS
from keras_mir.recipes.recipe import Recipe
from pipelines.datasets.base import Task


def print_recipes(ours: Iterable[Recipe], paper: Iterable[Recipe], console: Console) -> None:
    """Show recipes: name, model, input, task and the main settings.

    Args:
        ours: The recipes to use.
        paper: Those with the published paper's settings.
        console: Where to.
    """
    for whose, recipes in (("", list(ours)), (", with the published paper's own settings", list(paper))):
        for task in (*get_args(Task), _MULTITASK):
            chosen = [recipe for recipe in recipes if _kind(recipe) == task]
            if not chosen:
                continue
            console.print(_table(f"{task.capitalize()} recipes{whose}", chosen))
            console.print()
    for line in _NOTES:
        console.print(line, highlight=False, soft_wrap=True)


_MULTITASK = "multitask"


def _kind(recipe: Recipe) -> str:
    return recipe.task.task if len(recipe.task.tasks) == 1 else _MULTITASK


_NOTES = (
    "input: mel bands, chroma or both (fused), one column per beat, or a number of",
    "frames; stop: epochs without progress before early stopping; rate: Adam's",
    "learning rate; batch: clips per batch; drop: dropout.",
    "A pooled CNN reads clips of any length.",
    "Multitask recipes have a head for genre, tags and affect each;",
    "--task genre+affect, say, for two.",
    "Recipes named transfer need --backbone RUN, a trained CNN on the same input.",
    f"The paper's digits CNN, {DIGITS}, is trained by",
    "python -m keras_mir.reproduce --only 7a, and all of the paper's experiments by",
    "the same without --only.",
    "Every setting has a flag (--help); --recipe FILE takes a recipe of your own.",
)


def _table(title: str, recipes: Iterable[Recipe]) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), header_style="bold")
    for column in ("recipe", "model", "input"):
        table.add_column(column, no_wrap=True)
    for column in ("epochs", "stop", "rate", "batch", "drop"):
        table.add_column(column, no_wrap=True, justify="right")
    for recipe in recipes:
        train, model = recipe.train, recipe.model
        numbers = (
            train.epochs,
            train.early_stopping or "-",
            train.learning_rate,
            train.batch_size,
            model.dropout,
        )
        table.add_row(
            recipe.name,
            model.architecture.summary(model),
            _input(recipe),
            *map(_short, numbers),
        )
    return table


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _input(recipe: Recipe) -> str:
    length = "beats" if recipe.input.sync == "beat" else recipe.input.frames
    return recipe.input.feature if length == "batch" else f"{recipe.input.feature}, {length}"

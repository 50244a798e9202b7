"""The table of named recipes, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from keras_mir.recipe import Recipe


def print_recipes(recipes: Iterable[Recipe], console: Console) -> None:
    """Show recipes: name, model, input, task and the main settings."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("recipe", "model", "input", "task"):
        table.add_column(column, no_wrap=True)
    for column in ("epochs", "rate"):
        table.add_column(column, no_wrap=True, justify="right")
    for recipe in recipes:
        train = recipe.train
        numbers = str(train.epochs), f"{train.learning_rate:g}"
        table.add_row(recipe.name, _model(recipe), _input(recipe), recipe.task.task, *numbers)
    console.print(table)
    console.print("\nThe input is mel or chroma bands, and one column a beat or so many frames.")
    console.print("Every setting has a flag (--help); --recipe FILE takes a recipe of your own.")


def _model(recipe: Recipe) -> str:
    model = recipe.model
    if model.kind == "lstm":
        return f"BiLSTM {model.layers}x{model.units}"
    return "CNN any length" if model.kind == "cnn-any-length" else "CNN"


def _input(recipe: Recipe) -> str:
    length = "beats" if recipe.input.sync == "beat" else recipe.input.frames
    return recipe.input.feature if length == "batch" else f"{recipe.input.feature}, {length}"

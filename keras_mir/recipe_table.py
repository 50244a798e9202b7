"""The table of named recipes, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from keras_mir.recipe import Recipe


def print_recipes(recipes: Iterable[Recipe], console: Console) -> None:
    """Show recipes: name, model, input, task and the main settings."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("recipe", no_wrap=True)
    for column in ("model", "input", "task", "settings"):
        table.add_column(column)
    for recipe in recipes:
        table.add_row(recipe.name, _model(recipe), _input(recipe), _task(recipe), _settings(recipe))
    console.print(table)
    console.print(
        "Every setting can be changed by a flag (see --help), or in a file of your own (--recipe FILE)."
    )


def _model(recipe: Recipe) -> str:
    model = recipe.model
    if model.kind == "lstm":
        return f"BiLSTM {model.layers} x {model.units}"
    return "CNN, any length" if model.kind == "cnn-any-length" else "CNN"


def _input(recipe: Recipe) -> str:
    sync = ", beats" if recipe.input.sync == "beat" else ""
    frames = f", {recipe.input.frames} frames" if isinstance(recipe.input.frames, int) else ""
    return f"{recipe.input.feature}{sync}{frames}"


def _task(recipe: Recipe) -> str:
    return "transfer" if recipe.name.startswith("transfer") else recipe.task.task


def _settings(recipe: Recipe) -> str:
    train = recipe.train
    decay = f", decay {train.weight_decay:g}" if train.weight_decay else ""
    return f"{train.epochs} epochs, lr {train.learning_rate:g}{decay}"

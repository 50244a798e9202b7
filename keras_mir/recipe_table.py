"""The table of named recipes, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from keras_mir.recipe import Recipe


def print_recipes(recipes: Iterable[Recipe], console: Console) -> None:
    """Show recipes: name, model, input, task and the main settings."""
    table = Table("recipe", "model", "input", "task", "settings", title="Named recipes", title_justify="left")
    for recipe in recipes:
        table.add_row(recipe.name, _model(recipe), _input(recipe), _task(recipe), _settings(recipe))
    console.print(table)
    console.print(
        "Every setting can be changed by a flag (see --help), or in a file of your own (--recipe FILE)."
    )


def _model(recipe: Recipe) -> str:
    model = recipe.model
    if model.kind == "lstm":
        return f"bidirectional LSTM {model.layers} x {model.units}"
    length = ", any length" if model.kind == "cnn-any-length" else ""
    return f"CNN {'-'.join(map(str, model.filters))}{length}"


def _input(recipe: Recipe) -> str:
    sync = "beat-synced " if recipe.input.sync == "beat" else ""
    frames = f", {recipe.input.frames} frames" if isinstance(recipe.input.frames, int) else ""
    return f"{sync}{recipe.input.feature}{frames}"


def _task(recipe: Recipe) -> str:
    if recipe.task.task == "genre":
        return "genre"
    return "affect, frozen layers" if recipe.name.startswith("transfer") else "affect"


def _settings(recipe: Recipe) -> str:
    train, model = recipe.train, recipe.model
    stop = f", patience {train.early_stopping}" if train.early_stopping else ""
    decay = f", weight decay {train.weight_decay:g}" if train.weight_decay else ""
    return (
        f"{train.epochs} epochs{stop}, batch {train.batch_size}, Adam {train.learning_rate:g}{decay}, "
        f"dropout {model.dropout:g}"
    )

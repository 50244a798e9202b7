"""How long a training takes, as a guess that is told beforehand."""

from __future__ import annotations

from keras_mir.recipes.recipe import Recipe

_START = 10.0  # seconds before the first batch and after the last
_STOPS_AFTER = 0.7  # of the epochs, as a guess, where training may stop early
_ASKED = 0.3  # what a validation clip takes, of the time that it would take to learn from it


def training_seconds(recipe: Recipe, clips: int, steps: int) -> float:
    """A guess at how long a training takes on two cores.

    Args:
        recipe: What is trained.
        clips: Training clips.
        steps: Length of a clip, in frames, beats or vectors, as the recipe's feature has them.
    """
    train, whole = recipe.train, steps
    clips = min(clips, recipe.split.limit or clips)
    if isinstance(recipe.input.frames, int):
        steps = min(steps, recipe.input.frames)
    held_out = recipe.split.validation / (1.0 - recipe.split.validation)  # clips for one that is learnt from
    steps += round(_ASKED * held_out * whole)  # which are heard whole
    batch = steps * recipe.model.architecture.seconds(recipe.model)
    epochs = train.epochs * (_STOPS_AFTER if train.early_stopping else 1.0)
    seen = min(clips, train.overfit_batches * train.batch_size) if train.overfit_batches else clips
    share = 0.3 if recipe.task.transfer else 1.0  # frozen layers have no backward pass
    return _START + share * epochs * batch * seen / 32 * 1.3


def duration(seconds: float) -> str:
    """Such as `3.1 s`, `41 s`, `4 min 10 s` or `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"

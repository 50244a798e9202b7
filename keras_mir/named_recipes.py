"""The recipes that ``fit --list`` shows.

Each masks padded steps and scales its input, unlike the report whose models they are; the
report's own settings are flags away (``--no-masks --padding zero --normalise none``).
"""

from __future__ import annotations

from dataclasses import replace

from keras_mir.models.settings import ModelSettings
from keras_mir.recipe import Recipe, TaskSettings, TrainSettings
from pipelines.errors import UserError
from pipelines.settings import InputSettings

DEFAULT = "lstm-beat-mel"

REPORT_FRAMES = 1293  # of a 30 s clip

_FULL_MEL = InputSettings("mel", frames=REPORT_FRAMES)
_BEAT_MEL = InputSettings("mel", sync="beat")
_AFFECT = TaskSettings(task="affect")
_GENRE_LSTM = ModelSettings(kind="lstm", units=128, layers=2, normalise="bands")
_GENRE_CNN = ModelSettings(kind="cnn", normalise="bands")
# Half of the inputs dropped is noise that a squared error does not average out.
_AFFECT_CNN = ModelSettings(kind="cnn", normalise="bands", dropout=0.2)
_CNN_TRAINING = TrainSettings(epochs=60, learning_rate=1e-3, weight_decay=1e-4, early_stopping=20)

_RECIPES = (
    Recipe(
        "lstm-beat-mel",
        "bidirectional LSTM over one mel column a beat",
        input=_BEAT_MEL,
        model=_GENRE_LSTM,
    ),
    Recipe(
        "lstm-mel",
        "the same over every frame: slow, and the report's weakest but one",
        input=InputSettings("mel"),
        model=_GENRE_LSTM,
    ),
    Recipe(
        "lstm-beat-chroma",
        "the same over one chroma column a beat",
        input=InputSettings("chroma", sync="beat"),
        model=_GENRE_LSTM,
    ),
    Recipe(
        "lstm-beat-fused",
        "the same over mel and chroma",
        input=InputSettings("fused", sync="beat"),
        model=_GENRE_LSTM,
    ),
    Recipe(
        "cnn",
        "the report's CNN on 30 s of mel; --frames 256 --crop random for shorter stretches",
        input=_FULL_MEL,
        model=_GENRE_CNN,
        train=_CNN_TRAINING,
    ),
    Recipe(
        "cnn-beat-mel",
        "the CNN's blocks with a mean over time, for clips of any length",
        input=_BEAT_MEL,
        model=replace(_GENRE_CNN, kind="cnn-any-length"),
        train=_CNN_TRAINING,
    ),
    Recipe(
        "affect-lstm",
        "affect regression with four LSTM layers over beat-synchronous mel",
        task=_AFFECT,
        input=_BEAT_MEL,
        model=ModelSettings(kind="lstm", units=128, layers=4, normalise="bands", dropout=0.2),
    ),
    Recipe(
        "affect-cnn",
        "affect regression of one target with the report's CNN",
        task=_AFFECT,
        input=_FULL_MEL,
        model=_AFFECT_CNN,
        train=_CNN_TRAINING,
    ),
    Recipe(
        "multitask-cnn",
        "several affect targets at once: one CNN, a head a target, the sum of the losses",
        task=_AFFECT,
        input=_FULL_MEL,
        model=_AFFECT_CNN,
        train=_CNN_TRAINING,
    ),
    Recipe(
        "multitask-cnn-beat-mel",
        "the same for clips of any length, beat-synchronous",
        task=_AFFECT,
        input=_BEAT_MEL,
        model=replace(_AFFECT_CNN, kind="cnn-any-length"),
        train=_CNN_TRAINING,
    ),
    Recipe(
        "transfer-cnn",
        "a new affect head on the frozen layers of a trained genre CNN (--backbone RUN)",
        task=replace(_AFFECT, transfer=True),
        input=_FULL_MEL,
        model=_AFFECT_CNN,
        train=TrainSettings(epochs=10, learning_rate=1e-3, early_stopping=0),
    ),
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _RECIPES}


def named_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UserError: If there is none.
    """
    if name not in RECIPES:
        raise UserError(f"recipe {name!r}: no such recipe; python -m keras_mir.fit --list shows them")
    return RECIPES[name]

"""The recipes that `fit --list` shows.

Those defined here mask padded steps and scale their input, unlike the paper whose models they
are; `keras_mir.recipes.paper` has the paper's own settings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keras_mir.recipes.model_settings import ModelSettings
from keras_mir.recipes.paper import PAPER_RECIPES
from keras_mir.recipes.recipe import Recipe, SplitSettings, TaskSettings, TrainSettings
from pipelines.errors import UserError
from pipelines.settings import AugmentSettings, InputSettings

DEFAULT = "small-cnn"
DIGITS = "paper-7a-digits"  # the paper's CNN on images, which `reproduce` alone can train

# 6 s: a fifth of the time that 30 s take, and every epoch hears others of a clip.
_STRETCHES = InputSettings("mel", frames=256, crop="random")
_BEAT_MEL = InputSettings("mel", sync="beat")
_GENRE = TaskSettings()
_AFFECT = TaskSettings(task="affect")
_SPLIT = SplitSettings()
_TAGS = TaskSettings(task="tags")
_MULTITASK = TaskSettings(task="genre+tags+affect")
_TRANSFER = TaskSettings(task="affect", transfer=True)
_GENRE_LSTM = ModelSettings(kind="lstm", units=128, layers=2, normalise="bands")
_GENRE_CNN = ModelSettings(kind="cnn", normalise="bands")
# Half of the inputs dropped is noise that a squared error does not average out.
_AFFECT_CNN = ModelSettings(kind="cnn", normalise="bands", dropout=0.2)
_CNN_TRAINING = TrainSettings(epochs=60, learning_rate=1e-3, weight_decay=1e-4, early_stopping=20)
# A head on a pretrained network has little to learn, and thousands of weights to learn it with.
_HEAD = ModelSettings(kind="vectors", normalise="none", dropout=0.5, l2=0.1, discriminant=0.2)
_HEAD_TRAINING = TrainSettings(epochs=60, learning_rate=1e-3, schedule="cosine", early_stopping=0)
# Few clips teach more than they tell: of 240, a tenth held out cost .03 of the accuracy.
_TRAIN_ON_ALL = SplitSettings(validation=0.0)
_TRANSFER_TRAINING = TrainSettings(epochs=30, learning_rate=1e-3, early_stopping=10)


def _lstm(name: str, description: str, settings: InputSettings, task: TaskSettings = _GENRE) -> Recipe:
    return Recipe(name, description, task=task, input=settings, model=_GENRE_LSTM)


def _affect_cnn(
    name: str,
    description: str,
    *,
    beats: bool = False,
    hidden: int = 0,
    task: TaskSettings = _AFFECT,
    train: TrainSettings = _CNN_TRAINING,
    split: SplitSettings = _SPLIT,
) -> Recipe:
    """With the paper's CNN on stretches of 6 s, or on the beats of a clip of any length."""
    model = replace(_AFFECT_CNN, hidden=hidden, kind="cnn-any-length" if beats else "cnn")
    settings = _BEAT_MEL if beats else _STRETCHES
    return Recipe(name, description, task=task, input=settings, model=model, train=train, split=split)


def _small_cnn(name: str, description: str, *, task: TaskSettings = _GENRE, epochs: int = 60) -> Recipe:
    """What repeated cross-validation on 300 clips chose: see `benchmarks.recognition`."""
    return Recipe(
        name,
        description,
        task=task,
        input=InputSettings("fused", frames=512, crop="random"),
        augment=AugmentSettings(freq_mask=16, time_mask=40, mixup=0.3, level=6.0, label_smoothing=0.1),
        model=ModelSettings(
            kind="cnn-any-length",
            filters=(16, 32, 64),
            pools=(2, 2, 2),
            input_pool=(4, 2),
            statistics=("mean", "max", "std"),
            dropout=0.3,
            l2=0.0,
        ),
        train=TrainSettings(
            epochs=epochs, learning_rate=2e-3, weight_decay=1e-3, schedule="cosine", early_stopping=0
        ),
        split=_TRAIN_ON_ALL,
    )


def _head(name: str, description: str, feature: str, **changes: Any) -> Recipe:
    settings = {"model": _HEAD, "train": _HEAD_TRAINING, "split": _TRAIN_ON_ALL, **changes}
    return Recipe(name, description, input=InputSettings(feature), **settings)


OUR_RECIPES = (
    _lstm("lstm-beat-mel", "bidirectional LSTM over one mel column per beat", _BEAT_MEL),
    _lstm(
        "lstm-mel",
        "the same over frames, in stretches of 6 s",
        _STRETCHES,
    ),
    _lstm(
        "lstm-beat-chroma",
        "the same over one chroma column per beat",
        InputSettings("chroma", sync="beat"),
    ),
    _lstm("lstm-beat-fused", "the same over mel and chroma", InputSettings("fused", sync="beat")),
    Recipe(
        "cnn",
        "the paper's CNN on stretches of 6 s of mel",
        input=_STRETCHES,
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
    _affect_cnn("affect-cnn", "affect regression of one target with the paper's CNN"),
    _affect_cnn("affect-cnn-beat-mel", "the same for clips of any length, beat-synchronous", beats=True),
    _affect_cnn(
        "multitask-cnn", "several affect targets at once: one CNN, a head per target, the sum of the losses"
    ),
    _affect_cnn("multitask-cnn-beat-mel", "the same for clips of any length, beat-synchronous", beats=True),
    _affect_cnn(
        "multitask-large-beat-mel",
        "that with one more hidden layer and more training data, for submissions",
        beats=True,
        hidden=256,
        train=replace(_CNN_TRAINING, batch_size=16),
        split=SplitSettings(validation=0.2),
    ),
    _small_cnn(
        "small-cnn",
        "a small CNN on stretches of 12 s of mel and chroma: the best without pretraining",
        epochs=120,
    ),
    _small_cnn(
        "small-cnn-affect",
        "the same for affect targets, with the genre where there is one, and a kernel ridge regression",
        task=replace(_AFFECT, auxiliary_genre=True, kernel_ridge=True),
        epochs=120,
    ),
    _head("musicnn", "a head on the pretrained network musicnn, frozen: seconds of training", "musicnn-mtt"),
    _head(
        "musicnn-affect",
        "the same for affect targets, with a kernel ridge regression",
        "musicnn-mtt",
        task=replace(_AFFECT, kernel_ridge=True),
    ),
    _head(
        "musicnn-tuned",
        "musicnn with its last dense layer trained as well",
        "musicnn-mtt",
        model=replace(_HEAD, kind="musicnn", l2=1e-3, discriminant=0.0),
        train=replace(_HEAD_TRAINING, learning_rate=1e-4, schedule="constant"),
    ),
    _small_cnn("small-cnn-tags", "small-cnn for tags, several per clip", task=_TAGS),
    _head("musicnn-tags", "musicnn for tags", "musicnn-mtt", task=_TAGS),
    _lstm("lstm-beat-mel-tags", "lstm-beat-mel for tags", _BEAT_MEL, _TAGS),
    Recipe(
        "cnn-beat-mel-tags",
        "cnn-beat-mel for tags",
        task=_TAGS,
        input=_BEAT_MEL,
        model=replace(_GENRE_CNN, kind="cnn-any-length"),
        train=_CNN_TRAINING,
    ),
    _small_cnn(
        "small-cnn-multitask",
        "small-cnn for genre, tags and affect together: a head each, the sum of the losses",
        task=_MULTITASK,
    ),
    _head("musicnn-multitask", "musicnn for genre, tags and affect together", "musicnn-mtt", task=_MULTITASK),
    _head("vectors", "a head on vectors of your own, of any network", "vectors"),
    _affect_cnn(
        "transfer-cnn",
        "a new affect head on the frozen layers of a trained cnn (--backbone RUN)",
        task=_TRANSFER,
        train=_TRANSFER_TRAINING,
    ),
    _affect_cnn(
        "transfer-cnn-beat-mel",
        "the same on a trained cnn-beat-mel (--backbone RUN)",
        beats=True,
        task=_TRANSFER,
        train=_TRANSFER_TRAINING,
    ),
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*OUR_RECIPES, *PAPER_RECIPES)}


def named_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UserError: If there is none.
    """
    if name == DIGITS:
        raise UserError(f"recipe {name!r} learns from images: run python -m keras_mir.reproduce --only 7a")
    if name not in RECIPES:
        raise UserError(f"recipe {name!r}: no such recipe; python -m keras_mir.fit --list shows them")
    return RECIPES[name]


def as_recipe(recipe: Recipe | str) -> Recipe:
    """A recipe, or the named one.

    Raises:
        UserError: If there is none of that name.
    """
    return named_recipe(recipe) if isinstance(recipe, str) else recipe

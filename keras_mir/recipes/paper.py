"""The published paper's own settings, one recipe an experiment.

They are what the paper did, not what works best: it pads with zeros, which in dB is the loudest
level, lets the models read the padding as music, and feeds decibels unscaled. Our variants of the
same experiments stand in `named_recipes`.

What the paper leaves open is chosen here: the strength of its L2 penalty and its dropout in CNNs
(`ModelSettings`' defaults, and 0.2 before a regression), patience (10 epochs for LSTMs, 5 for
CNNs), the learning rate of the affect LSTM, and the size of the submission's extra layer.
"""

from __future__ import annotations

from dataclasses import replace

from keras_mir.recipes.model_settings import ModelSettings
from keras_mir.recipes.recipe import Recipe, SplitSettings, TaskSettings, TrainSettings
from pipelines.settings import InputSettings

FRAMES = 1293  # of a 30 s clip

_GENRE = TaskSettings(task="genre")
_AFFECT = TaskSettings(task="affect")
_COURSE = SplitSettings(split="course", validation=1 / 3)

_INPUTS = {
    "mel": InputSettings("mel", frames="longest", padding="zero"),
    "beat-mel": InputSettings("mel", sync="beat", frames="longest", padding="zero"),
    "beat-chroma": InputSettings("chroma", sync="beat", frames="longest", padding="zero"),
    "beat-fused": InputSettings("fused", sync="beat", frames="longest", padding="zero"),
}
_FULL_MEL = InputSettings("mel", frames=FRAMES, padding="zero")

_LSTM = ModelSettings(kind="lstm", units=64, layers=2, normalise="none", masks=False)
_LARGE_LSTM = replace(_LSTM, units=256)
# PyTorch's Adam adds weight_decay * w to the gradient, which is that of weight_decay / 2 * w ** 2.
_CNN = ModelSettings(kind="cnn", normalise="none", masks=False, l2=0.5e-4)
_AFFECT_CNN = replace(_CNN, dropout=0.2, head="linear")

_FIXED = TrainSettings(epochs=150, learning_rate=1e-3, early_stopping=0, clip_norm=0.0)
_STOPPING = TrainSettings(epochs=150, learning_rate=1e-4, early_stopping=10, clip_norm=0.0)
_CNN_TRAINING = TrainSettings(epochs=30, learning_rate=1e-3, early_stopping=5, clip_norm=0.0)


def _lstm_recipes() -> list[Recipe]:
    recipes = []
    for experiment, model, train in (("5b", _LSTM, _FIXED), ("5c", _LARGE_LSTM, _STOPPING)):
        for name, settings in _INPUTS.items():
            epochs = 50 if name == "mel" else train.epochs
            how = "with early stopping" if train.early_stopping else "for a fixed number of epochs"
            recipes.append(
                Recipe(
                    f"paper-{experiment}-{name}",
                    f"experiment {experiment}: LSTM on {name}, {how}",
                    input=settings,
                    model=model,
                    train=replace(train, epochs=epochs),
                    split=_COURSE,
                )
            )
    return recipes


def _cnn_recipe(
    name: str,
    description: str,
    *,
    task: TaskSettings = _AFFECT,
    model: ModelSettings = _AFFECT_CNN,
    train: TrainSettings = _CNN_TRAINING,
    split: SplitSettings = _COURSE,
) -> Recipe:
    return Recipe(name, description, task=task, input=_FULL_MEL, model=model, train=train, split=split)


PAPER_RECIPES = (
    Recipe(
        "paper-5a-overfit",
        "experiment 5a: can the LSTM memorise four batches",
        input=_INPUTS["beat-mel"],
        model=_LSTM,
        train=replace(_FIXED, epochs=500, overfit_batches=4),
        split=_COURSE,
    ),
    *_lstm_recipes(),
    _cnn_recipe("paper-7b-cnn", "experiment 7b: genre by a CNN on full mel", task=_GENRE, model=_CNN),
    Recipe(
        "paper-8-lstm",
        "experiment 8: affect by an LSTM, one target a model",
        task=_AFFECT,
        input=_INPUTS["beat-mel"],
        model=replace(_LSTM, units=128, layers=4, head="linear", dropout=0.2),
        train=replace(_STOPPING, learning_rate=1e-3),
        split=_COURSE,
    ),
    _cnn_recipe("paper-8-cnn", "experiment 8: affect by the CNN, one target a model"),
    _cnn_recipe(
        "paper-9-transfer",
        "experiment 9: a new head on the genre CNN's frozen layers (--backbone)",
        task=replace(_AFFECT, transfer=True),
        train=replace(_CNN_TRAINING, epochs=10, early_stopping=0),
    ),
    _cnn_recipe("paper-10-multitask", "experiment 10: several targets at once, the losses summed"),
    _cnn_recipe(
        "paper-11-multitask",
        "experiment 11: the larger multitask CNN of the submission",
        model=replace(_AFFECT_CNN, hidden=256),
        train=replace(_CNN_TRAINING, batch_size=16),
        split=replace(_COURSE, validation=0.2),
    ),
)

"""A training step of the bidirectional LSTM with Keras's own layer."""

from __future__ import annotations

from benchmarks.inputs import Inputs
from benchmarks.keras_step import KerasStep
from benchmarks.lstm_task import BANDS, CLASSES, UNITS, make_task
from benchmarks.ours.lstm_step import step


def prepare(inputs: Inputs, jit_compile: bool) -> KerasStep:
    """Build the model for clips of one length, which need no mask."""
    import keras

    steps = make_task("equal").features.shape[1]
    features = keras.Input((steps, BANDS), name="features")
    lengths = keras.Input((), dtype="int32", name="lengths")
    x = features
    for name in ("bidirectional_1", "embedding"):
        # Without cuDNN's form, which a CPU does not run and XLA does not compile.
        layer = keras.layers.LSTM(UNITS, return_sequences=name != "embedding", use_cudnn=False, name="lstm")
        x = keras.layers.Bidirectional(layer, name=name)(x)
    genre = keras.layers.Dense(CLASSES, activation="softmax", name="genre")(x)
    model = keras.Model({"features": features, "lengths": lengths}, {"genre": genre})
    return step(model, "equal", jit_compile=jit_compile)

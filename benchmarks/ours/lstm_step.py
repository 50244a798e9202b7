"""A training step of the bidirectional LSTM, as `python -m keras_mir.fit` builds and trains it."""

from __future__ import annotations

from typing import Any

from benchmarks.inputs import Inputs
from benchmarks.keras_step import KerasStep
from benchmarks.lstm_task import (
    BANDS,
    CLASSES,
    LAYERS,
    LEARNING_RATE,
    UNITS,
    Lengths,
    make_task,
    weight_names,
)


def prepare(inputs: Inputs, lengths: Lengths) -> KerasStep:
    """Build the model."""
    from keras_mir.models.build import build_model
    from keras_mir.recipes.model_settings import ModelSettings
    from pipelines.spec import FeatureSpec

    model = build_model(
        ModelSettings(kind="lstm", units=UNITS, layers=LAYERS, normalise="none", dropout=0.0, l2=0.0),
        bands=BANDS,
        time=None,
        classes=[str(index) for index in range(CLASSES)],
        targets=(),
        spec=FeatureSpec(),
        feature="mel",
    )
    return step(model, lengths)


def step(model: Any, lengths: Lengths, *, jit_compile: bool = False) -> KerasStep:
    """A training step of a model with the layers `bidirectional_1`, `embedding` and `logits`."""
    task = make_task(lengths)
    variables = [*model.get_layer("bidirectional_1").weights, *model.get_layer("embedding").weights]
    values = [
        value
        for direction in task.directions
        for value in (direction.kernel, direction.recurrent_kernel, direction.bias)
    ]
    weights = dict(zip(weight_names(), zip(variables, values, strict=True), strict=True))
    weights["dense"] = (model.get_layer("logits").kernel, task.dense)
    inputs = {"features": task.features, "lengths": task.lengths}
    return KerasStep(
        model, weights, inputs, task.labels, learning_rate=LEARNING_RATE, jit_compile=jit_compile
    )

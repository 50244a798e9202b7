"""A model's answers for all examples of a source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_mir.models.session import ServedModel
from pipelines.input.build import evaluation_batches
from pipelines.source import Source

BATCH_SIZE = 16  # the paper's for held-out data


def predict_source(model: Any, source: Source) -> dict[str, np.ndarray]:
    """Outputs of a Keras model.

    Args:
        model: A model of `keras_mir.models`.
        source: The examples.

    Returns:
        Output name to float32 `(n, ...)`, in the order of the examples.
    """
    batches: list[dict[str, np.ndarray]] = []
    for inputs, *_ in evaluation_batches(source, BATCH_SIZE):
        batches.append({name: np.asarray(value) for name, value in model.predict_on_batch(inputs).items()})
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def predict_export(version: Path, source: Source) -> dict[str, np.ndarray]:
    """Outputs of an exported model, run as TF Serving would run it.

    Args:
        version: Folder of an exported model's version.
        source: The examples.

    Returns:
        As `predict_source`.
    """
    batches: list[dict[str, np.ndarray]] = []
    with ServedModel(version) as model:
        for inputs, *_ in evaluation_batches(source, BATCH_SIZE):
            outputs = model.predict({name: inputs[name].numpy() for name in ("features", "lengths")})
            batches.append(
                {"genre" if name == "probabilities" else name: outputs[name] for name in _numbers(outputs)}
            )
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _numbers(outputs: dict[str, np.ndarray]) -> list[str]:
    """The outputs that are not names of classes."""
    return [name for name, values in outputs.items() if values.dtype.kind == "f"]

"""A model's answers for all examples of a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_mir.models.outputs import PROBABILITIES
from keras_mir.models.session import ServedModel
from pipelines.input.build import evaluation_batches
from pipelines.source import Source

# By what an exported model calls them.
_OUTPUTS = {served: output for output, (served, _) in PROBABILITIES.items()}
BATCH_SIZE = 16  # the paper's for held-out data


def predict_source(model: Any, source: Source) -> dict[str, np.ndarray]:
    """Outputs of a Keras model.

    Args:
        model: A model of `keras_mir.models`.
        source: The examples.

    Returns:
        Output name to float32 `(n, ...)`, in the order of the examples: the mean over a clip's windows.
    """
    return _predict(lambda inputs: dict(model.predict_on_batch(inputs)), source)


def predict_export(version: Path, source: Source) -> dict[str, np.ndarray]:
    """Outputs of an exported model, run as TF Serving would run it.

    Args:
        version: Folder of an exported model's version.
        source: The examples.

    Returns:
        As `predict_source`.
    """

    def answer(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        outputs = served.predict({name: inputs[name].numpy() for name in ("features", "lengths")})
        numbers = {name: values for name, values in outputs.items() if values.dtype.kind == "f"}
        return {_OUTPUTS.get(name, name): values for name, values in numbers.items()}

    with ServedModel(version) as served:
        return _predict(answer, source)


def _predict(
    answer: Callable[[Mapping[str, Any]], Mapping[str, np.ndarray]], source: Source
) -> dict[str, np.ndarray]:
    batches = [answer(inputs) for inputs, *_ in evaluation_batches(source, BATCH_SIZE)]
    counts = source.windows.counts
    firsts = np.cumsum(counts) - counts

    def by_clip(values: np.ndarray) -> np.ndarray:
        means = np.add.reduceat(values, firsts) / counts.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(means, values.dtype)

    return {name: by_clip(np.concatenate([batch[name] for batch in batches])) for name in batches[0]}

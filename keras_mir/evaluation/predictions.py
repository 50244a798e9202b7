"""A model's answers for all examples of a source."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.build import Source, evaluation_batches

BATCH_SIZE = 16  # the report's for held-out data


def predict_source(model: Any, source: Source) -> dict[str, np.ndarray]:
    """Outputs of a Keras model.

    Args:
        model: A model of ``keras_mir.models``.
        source: The examples.

    Returns:
        Output name to float32 ``(n, ...)``, in the order of the examples.
    """
    batches: list[dict[str, np.ndarray]] = []
    for inputs, *_ in evaluation_batches(source, BATCH_SIZE):
        batches.append({name: np.asarray(value) for name, value in model.predict_on_batch(inputs).items()})
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

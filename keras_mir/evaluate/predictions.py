"""A model's answers for all examples of a source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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
        return {"genre" if name == "probabilities" else name: values for name, values in numbers.items()}

    with ServedModel(version) as served:
        return _predict(answer, source)


def prediction_table(
    ids: Iterable[str],
    labels: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    classes: Sequence[str],
) -> pd.DataFrame:
    """Labels and answers side by side, a row a clip.

    Args:
        ids: Of the clips.
        labels: Class indices `(n,)` as `"genre"`, or values `(n,)` by target.
        outputs: Probabilities `(n, n_classes)` as `"genre"`, or values `(n, 1)` by target.
        classes: Class names in index order; empty for affect.

    Returns:
        `id`, then `label`, `predicted` and `probability_<class>` by class; or by target `label_<target>`
        and `predicted_<target>`.
    """
    columns: dict[str, Any] = {"id": list(ids)}
    if classes:
        names, probabilities = np.array(classes, dtype=object), outputs["genre"]
        columns |= {"label": names[labels["genre"]], "predicted": names[probabilities.argmax(axis=1)]}
        columns |= {f"probability_{name}": probabilities[:, at] for at, name in enumerate(classes)}
    for target in () if classes else labels:
        columns |= {f"label_{target}": labels[target], f"predicted_{target}": np.reshape(outputs[target], -1)}
    return pd.DataFrame(columns)


def read_predictions(path: Path) -> pd.DataFrame:
    """A table that was written of `prediction_table`, possibly with further columns."""
    texts = dict.fromkeys(("id", "label", "predicted"), str)
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=("",))


def _predict(
    answer: Callable[[Mapping[str, Any]], Mapping[str, np.ndarray]], source: Source
) -> dict[str, np.ndarray]:
    batches = [answer(inputs) for inputs, *_ in evaluation_batches(source, BATCH_SIZE)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

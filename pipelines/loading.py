"""From the row of an example to its tensors: one by one from the cache, or a batch from memory."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from pipelines.held import Held
from pipelines.source import Source
from pipelines.steps import Element, Step, fuse

_LABEL = "label:"  # keeps labels apart from the inputs in a flat element


class Labels:
    """Labels and weights of a source, by row."""

    def __init__(self, source: Source) -> None:
        with tf.device("CPU"):
            self._labels = {name: tf.constant(values) for name, values in source.labels.items()}
            self._weights = None if source.weights is None else tf.constant(source.weights)

    def __call__(self, rows: tf.Tensor) -> Element:
        """Of one row, or of several."""
        found = {f"{_LABEL}{name}": tf.gather(values, rows) for name, values in self._labels.items()}
        return found if self._weights is None else {**found, "weight": tf.gather(self._weights, rows)}


class Loader:
    """Row (and seed) of an example -> its tensors."""

    def __init__(self, source: Source, steps: Sequence[Step]) -> None:
        self._paths = tf.constant(source.cached.paths)
        self._labels = Labels(source)
        self._run = fuse(steps)

    def __call__(self, row: tf.Tensor, seed: tf.Tensor | None = None) -> Element:
        element = {"path": self._paths[row]}
        if seed is not None:
            element["seed"] = seed
        element = self._run(element)
        return {"features": element["features"], "lengths": element["length"], **self._labels(row)}


class HeldLoader:
    """Rows of examples that are held in memory -> a padded batch of their tensors."""

    def __init__(self, source: Source, held: Held) -> None:
        self._held = held
        self._frames = source.frames
        self._labels = Labels(source)

    def __call__(self, rows: tf.Tensor) -> Element:
        features, lengths = self._held.batch(rows, self._frames)
        return {"features": features, "lengths": lengths, **self._labels(rows)}


def split(batch: Element) -> tuple[Element, ...]:
    """A batch as Keras takes it: inputs, labels, and weights if there are any."""
    inputs = {"features": batch["features"], "lengths": batch["lengths"]}
    labels = {name[len(_LABEL) :]: values for name, values in batch.items() if name.startswith(_LABEL)}
    if "weight" not in batch:
        return inputs, labels
    return inputs, labels, dict.fromkeys(labels, batch["weight"])

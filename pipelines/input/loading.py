"""From rows of examples to their tensors: one by one, or a batch at a time.

What a data set does between its elements takes longer than to read 59 beats of 140 bands. So
small examples are read a batch at a time; large ones are the quicker the more cores read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from pipelines.input.steps import KNOWN, Element, Step, fuse
from pipelines.source import Source

HELD_BYTES = 64 * 2**20
LABEL, WEIGHT = "label:", "weight:"  # before an output: keep its labels apart from the inputs


class Labels:
    """Labels and weights of a source, by row."""

    def __init__(self, source: Source) -> None:
        with tf.device("CPU"):
            self._arrays = {
                f"{prefix}{name}": tf.constant(values)
                for prefix, arrays in (
                    (LABEL, source.labels),
                    (WEIGHT, source.weights),
                    (KNOWN, source.known),
                )
                for name, values in (arrays or {}).items()
            }

    def __call__(self, rows: tf.Tensor) -> Element:
        """Labels of one row, or of several."""
        return {name: tf.gather(values, rows) for name, values in self._arrays.items()}


class Loader:
    """Row of an example, and a seed or where it starts -> its tensors."""

    def __init__(self, source: Source, steps: Sequence[Step]) -> None:
        self._paths = tf.constant(source.cached.paths)
        self._labels = Labels(source)
        self._run = fuse(steps)

    def __call__(
        self, row: tf.Tensor, *, seed: tf.Tensor | None = None, start: tf.Tensor | None = None
    ) -> Element:
        element = {"path": self._paths[row]}
        if seed is not None:
            element["seed"] = seed
        if start is not None:
            element["start"] = start
        element = self._run(element)
        return {"features": element["features"], "lengths": element["length"], **self._labels(row)}


class BatchLoader:
    """Rows of examples, and perhaps where they start -> a padded batch of their tensors.

    The files are held in memory if they are no more than `HELD_BYTES` together.
    """

    def __init__(self, source: Source) -> None:
        cached = source.cached
        self._held = cached.nbytes <= HELD_BYTES
        self._files = tf.constant(
            [Path(path).read_bytes() for path in cached.paths] if self._held else cached.paths
        )
        self._labels = Labels(source)
        self._frames, self._bands, self._fill = source.frames, cached.bands, source.fill
        with tf.device("CPU"):
            self._lengths = tf.constant(cached.lengths)

    def lengths(self, rows: tf.Tensor, starts: tf.Tensor | int = 0) -> tf.Tensor:
        """Steps of examples from where they start, cut but not padded, int32 `(batch,)`."""
        lengths = tf.gather(self._lengths, rows) - starts
        return lengths if self._frames is None else tf.minimum(lengths, self._frames)

    def __call__(self, rows: tf.Tensor, starts: tf.Tensor | None = None) -> Element:
        lengths = self.lengths(rows, 0 if starts is None else starts)
        steps = tf.reduce_max(lengths) if self._frames is None else self._frames
        files = tf.gather(self._files, rows)
        contents = files if self._held else tf.map_fn(tf.io.read_file, files)
        size = steps * self._bands * tf.float32.size
        if starts is not None:
            before = starts * self._bands * tf.float32.size
            contents = tf.strings.substr(contents, before, tf.fill(tf.shape(before), size))
        values = tf.io.decode_raw(contents, tf.float32, fixed_length=size)  # cut, or padded with zeros
        features = tf.reshape(values, (-1, steps, self._bands))
        features = fill_padding(features, lengths, self._fill)
        return {"features": features, "lengths": lengths, **self._labels(rows)}


def fill_padding(features: tf.Tensor, lengths: tf.Tensor, fill: tuple[float, ...]) -> tf.Tensor:
    """Put every band's own value past the lengths, where zeros are.

    Args:
        features: `(batch, time, bands)`.
        lengths: `(batch,)` int32.
        fill: One value a band.
    """
    if not any(fill):
        return features
    given = tf.sequence_mask(lengths, tf.shape(features)[1])
    return tf.where(given[:, :, None], features, tf.constant(fill, tf.float32))


def split(batch: Element) -> tuple[Element, ...]:
    """A batch as Keras takes it: inputs, labels, and weights if there are any."""
    inputs = {"features": batch["features"], "lengths": batch["lengths"]}
    labels, weights, known = (_after(prefix, batch) for prefix in (LABEL, WEIGHT, KNOWN))
    if not weights and not known:
        return inputs, labels
    alike = tf.ones(tf.shape(batch["lengths"]))
    return inputs, labels, {name: weights.get(name, alike) * known.get(name, alike) for name in labels}


def _after(prefix: str, batch: Element) -> Element:
    return {name[len(prefix) :]: values for name, values in batch.items() if name.startswith(prefix)}

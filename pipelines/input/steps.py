"""The steps of a pipeline: small, frozen, and run in the TensorFlow graph.

An element is a dictionary of tensors that each step reads and extends. The deterministic steps
come first; `pipelines.input.build` runs them once and caches what they give. The random ones draw
from the element's `seed`, never from a generator with a state, so that an epoch is the same
whether a run was interrupted or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from pipelines.ops import beats as beat_tracking
from pipelines.ops import npy
from pipelines.ops.beat_sync import beat_sync
from pipelines.spec import FeatureSpec, Spec

Element = dict[str, tf.Tensor]
KNOWN = "known:"  # before an output: how far its label counts, where some examples have none
Step = Callable[[Element], Element]


def fuse(steps: Sequence[Step]) -> Step:
    """One function that runs `steps` in turn, for a single `Dataset.map`."""

    def run(element: Element) -> Element:
        for step in steps:
            element = step(element)
        return element

    # The steps say tf.cond where they mean it; translating their Python would only take time.
    return tf.autograph.experimental.do_not_convert(run)


@dataclass(frozen=True)
class ReadFused:
    """`path` -> `features` `(time, bands)` float32, all of them within the spec's limits.

    Attributes:
        widths: The numbers of bands that are allowed.
        spec: What the features are.
    """

    widths: tuple[int, ...]
    spec: Spec

    def __call__(self, element: Element) -> Element:
        features = npy.read_spectrogram(element["path"], self.widths)
        for width in self.widths:
            lowest, highest = self.spec.limits(width)
            inside = tf.cond(
                tf.equal(tf.shape(features)[1], width),
                lambda lowest=lowest, highest=highest: tf.reduce_all(
                    (features >= lowest) & (features <= highest)
                ),
                lambda: True,
            )
            tf.debugging.Assert(inside, ["values beyond the spec's limits"])
        return {**element, "features": features}


@dataclass(frozen=True)
class BeatSync:
    """`features` `(time, bands)` -> `(steps, bands)`: the median of every band between beats.

    Beats are read from the file `beats` where there is one and tracked in the mel bands
    otherwise; where neither gives any, boundaries come every half second.
    """

    spec: FeatureSpec

    def __call__(self, element: Element) -> Element:
        synced = beat_sync(element["features"], self.boundaries(element), self.spec)
        return {**element, "features": synced}

    def boundaries(self, element: Element) -> tf.Tensor:
        """Where the steps of an element begin, int32 `(n,)` frames; there may be one before the first."""
        features, path = element["features"], element["beats"]
        found = tf.cond(
            tf.equal(path, ""),
            lambda: beat_tracking.track_beats(
                beat_tracking.onset_envelope(features[:, : self.spec.n_mels], self.spec), self.spec
            ),
            lambda: _read_beats(path, tf.shape(features)[0]),
        )
        return tf.cond(
            tf.size(found) > 0,
            lambda: found,
            lambda: beat_tracking.fixed_step_beats(tf.shape(features)[0], self.spec),
        )


def _read_beats(path: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
    beats = npy.read_vector(path)
    inside = tf.reduce_all((beats >= 0) & (beats <= tf.cast(frames, beats.dtype)))
    tf.debugging.Assert(inside, ["beats are frames of the clip"])
    tf.debugging.assert_positive(beats[1:] - beats[:-1], "beats increase")
    return tf.cast(beats, tf.int32)


@dataclass(frozen=True)
class Select:
    """`features`: keep mel, chroma or both. Files that hold just the feature are taken whole."""

    feature: str
    spec: Spec

    def __call__(self, element: Element) -> Element:
        features = element["features"]
        kept = tf.cond(
            tf.equal(tf.shape(features)[1], self.spec.n_bands),
            lambda: features[:, self.spec.bands(self.feature)],
            lambda: features,
        )
        return {**element, "features": tf.ensure_shape(kept, (None, self.spec.width(self.feature)))}


@dataclass(frozen=True)
class ReadCached:
    """`path` of a cache file -> `features` `(time, bands)` float32."""

    bands: int

    def __call__(self, element: Element) -> Element:
        values = tf.io.decode_raw(tf.io.read_file(element["path"]), tf.float32)
        return {**element, "features": tf.reshape(values, (-1, self.bands))}


@dataclass(frozen=True)
class Crop:
    """`features`: at most `frames` steps, from `start` where an element has that, or a random place."""

    frames: int
    random: bool = False

    def __call__(self, element: Element) -> Element:
        features = element["features"]
        if not self.random:
            start = element.get("start", 0)
            return {**element, "features": features[start : start + self.frames]}
        room = tf.maximum(tf.shape(features)[0] - self.frames, 0)
        seed = tf.random.experimental.stateless_fold_in(element["seed"], 1)
        start = tf.random.stateless_uniform([], seed, 0, room + 1, tf.int32)
        return {**element, "features": features[start : start + self.frames]}


@dataclass(frozen=True)
class Pad:
    """`features`: exactly `frames` steps, filled up at the end with one value a band.

    That the number is known when a graph is built is worth much: some layers are compiled for it.

    Attributes:
        frames: Steps to fill up to; there must not be more.
        fill: The value of every band.
    """

    frames: int
    fill: tuple[float, ...]

    def __call__(self, element: Element) -> Element:
        features = element["features"]
        missing = tf.maximum(self.frames - tf.shape(features)[0], 0)
        padding = tf.tile(tf.constant([self.fill], tf.float32), (missing, 1))
        padded = tf.concat([features, padding], axis=0)
        return {**element, "features": tf.ensure_shape(padded, (self.frames, len(self.fill)))}


@dataclass(frozen=True)
class Length:
    """`features` -> `length`: the number of steps, before any padding."""

    def __call__(self, element: Element) -> Element:
        return {**element, "length": tf.shape(element["features"])[0]}

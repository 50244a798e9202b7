"""Cached examples with what a model learns from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import tensorflow as tf

from pipelines.input.cache import Cached
from pipelines.ops.windows import Windows, cut
from pipelines.settings import InputSettings
from pipelines.spec import Spec


@dataclass(frozen=True)
class Source:
    """What batches are made from.

    Attributes:
        cached: The examples.
        labels: Arrays of first dimension n: class indices int32, or target values float32.
        weights: Sample weights float32 `(n,)` by output, 1 for an output without; or `None`.
        settings: How examples become batches.
        frames: Steps of every example of a batch, or `None` for the longest of the batch.
        spec: What the features were made with.
        known: By output for which some examples have no label, float32 `(n,)`: 0 for those, and one number
            for all others, by which their mean is 1.
    """

    cached: Cached
    labels: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray] | None
    settings: InputSettings
    frames: int | None
    spec: Spec
    known: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cached.paths)

    def labelled(self, output: str) -> np.ndarray:
        """The rows of the examples that have a label for an output."""
        return np.flatnonzero(self.known[output]) if output in self.known else np.arange(len(self))

    @cached_property
    def windows(self) -> Windows:
        """What examples are evaluated by: stretches of `frames` that cover each, or each as a whole.

        A model of a fixed length answers by the mean over them, as it does once exported.
        """
        lengths = self.cached.lengths
        windows = cut(tf.constant(lengths), int(lengths.max()) if self.frames is None else self.frames)
        return Windows(**{name: value.numpy() for name, value in vars(windows).items()})

    @property
    def longest(self) -> int:
        """Steps of the longest example after cropping."""
        longest = int(self.cached.lengths.max())
        return longest if self.frames is None else min(longest, self.frames)

    @property
    def fill(self) -> tuple[float, ...]:
        """What every band of a padded step holds."""
        return padding_values(self.settings, self.spec)


def padding_values(settings: InputSettings, spec: Spec) -> tuple[float, ...]:
    """What every band of a padded step holds: zero, or the floor (mel `-top_db`, chroma 0)."""
    lowest = spec.lowest(settings.feature)
    return lowest if settings.padding == "floor" else (0.0,) * len(lowest)

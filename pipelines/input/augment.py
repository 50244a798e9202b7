"""Augmentation, drawn anew in every epoch: SpecAugment, mixup, and whatever else is registered."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.datasets.base import TAGS
from pipelines.errors import ArgumentError
from pipelines.input.steps import KNOWN, Element, Step
from pipelines.ops.shuffle import index_shuffle
from pipelines.settings import AugmentSettings
from pipelines.source import Source

_BANK = 256  # masks drawn of each kind; an example's pair is one of 65,536


@dataclass(frozen=True)
class SpecAugment:
    """`features`: one band mask and one time mask, filled with what bands are on average.

    The floor would not hide anything: silence in some bands, or for a moment, is a sign of its own.
    D. S. Park et al., "SpecAugment", Interspeech 2019, with tensorflow-io's `freq_mask` and
    `time_mask`. Those draw from a generator with a state, which a data pipeline can neither
    run in parallel nor resume; so a bank of masks is drawn once, before training, and every
    example picks from it by its own seed. Where tensorflow-io has no wheel (Python 3.13 and
    later) numpy draws masks of the same distribution.

    Attributes:
        freq_mask: Masks are narrower than this, in bands; 0 for none.
        time_mask: Masks are shorter than this, in steps; 0 for none.
        fill: What masked bands become, one value a band, in training their mean.
        frames: Longest example, in steps.
        seed: Seed of the bank.
    """

    freq_mask: int
    time_mask: int
    fill: tuple[float, ...]
    frames: int
    seed: int
    freq_bank: np.ndarray = field(init=False, repr=False, compare=False)
    time_bank: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "freq_bank", draw_masks(len(self.fill), self.freq_mask, self.seed, "freq"))
        object.__setattr__(self, "time_bank", draw_masks(self.frames, self.time_mask, self.seed + 1, "time"))

    def __call__(self, element: Element) -> Element:
        features = element["features"]  # (time, bands)
        steps = tf.shape(features)[0]
        seed = tf.random.experimental.stateless_fold_in(element["seed"], 2)
        pick = tf.random.stateless_uniform([3], seed, 0, 1 << 30, tf.int32)
        keep_bands = tf.constant(self.freq_bank)[pick[0] % _BANK]  # (bands,)
        whole = tf.constant(self.time_bank)[pick[1] % _BANK]  # (frames,)
        # The bank is as long as the longest example; a shorter one looks at a stretch of it.
        start = pick[2] % (tf.maximum(self.frames - steps, 0) + 1)
        keep_steps = whole[start : start + steps]
        keep = tf.logical_and(keep_steps[:, None], keep_bands[None, :])
        return {**element, "features": tf.where(keep, features, tf.constant(self.fill, tf.float32))}


@dataclass(frozen=True)
class Level:
    """`features`: mel raised or lowered by one random number of dB, no lower than its floor.

    Attributes:
        most: The largest change, in dB.
        lowest: The floor of every band that is in dB.
    """

    most: float
    lowest: tuple[float, ...]

    def __call__(self, element: Element) -> Element:
        seed = tf.random.experimental.stateless_fold_in(element["seed"], 3)
        change = tf.random.stateless_uniform([], seed, -self.most, self.most)
        mel, rest = _divided(element["features"], len(self.lowest))
        return {**element, "features": tf.concat([tf.maximum(mel + change, self.lowest), rest], axis=1)}


@dataclass(frozen=True)
class Shift:
    """`features`: mel moved up or down by a random number of bands, with its floor where it came from.

    Attributes:
        most: The largest shift, in bands.
        lowest: The floor of every band that is in dB.
    """

    most: int
    lowest: tuple[float, ...]

    def __call__(self, element: Element) -> Element:
        seed = tf.random.experimental.stateless_fold_in(element["seed"], 4)
        bands = tf.random.stateless_uniform([], seed, 0, 2 * self.most + 1, tf.int32)
        mel, rest = _divided(element["features"], len(self.lowest))
        floor = tf.constant(self.lowest[0])
        padded = tf.pad(mel - floor, [[0, 0], [self.most, self.most]]) + floor
        moved = padded[:, bands : bands + len(self.lowest)]
        return {**element, "features": tf.concat([moved, rest], axis=1)}


def _divided(features: tf.Tensor, mel: int) -> tuple[tf.Tensor, tf.Tensor]:
    return features[:, :mel], features[:, mel:]


def smooth_labels(batch: Element, labels: Element, seed: tf.Tensor, share: float) -> tuple[Element, Element]:
    """Spread a share of every class label over all classes, and of every tag over having it or not.

    C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016.

    Args:
        batch: Left as it is.
        labels: float32 tensors of first dimension `batch`; classes as rows of shares, tags as rows of 0
            and 1. Numbers, of which an example has one, are left as they are.
        seed: Not needed.
        share: Share of a label.
    """

    def smooth(name: str, values: tf.Tensor) -> tf.Tensor:
        if values.shape.rank == 1:
            return values
        return (1.0 - share) * values + share / (2 if name == TAGS else values.shape[1])

    return batch, {name: smooth(name, values) for name, values in labels.items()}


def draw_masks(size: int, limit: int, seed: int, axis: str) -> np.ndarray:
    """A bank of masks.

    Args:
        size: Length of a mask.
        limit: Every mask hides fewer than this many neighbours; 0 hides none.
        seed: Same seed, same bank.
        axis: `"freq"` or `"time"`, which of tensorflow-io's functions draws.

    Returns:
        bool `(256, size)`, true where values are kept.
    """
    limit = min(limit, size)
    if limit == 0:
        return np.ones((_BANK, size), bool)
    if sys.version_info >= (3, 13):
        return _draw_masks_with_numpy(size, limit, seed)
    # It warns at import where its native ops do not load; its masks need none of them.
    with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        import tensorflow_io as tfio

        draw = tfio.audio.freq_mask if axis == "freq" else tfio.audio.time_mask
    shape = (1, size) if axis == "freq" else (size, 1)
    # A graph of its own keeps the seed, and the draws, apart from the caller's.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.random.set_seed(seed)
        # One at a time, for the order of the draws to be the same every time.
        masks = tf.map_fn(lambda blank: draw(blank, limit), tf.ones((_BANK, *shape)), parallel_iterations=1)
        return session.run(masks).reshape(_BANK, size) > 0


def _draw_masks_with_numpy(size: int, limit: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    width = random.integers(0, limit, _BANK)
    start = random.integers(0, size - width)
    position = np.arange(size)
    return (position < start[:, None]) | (position >= (start + width)[:, None])


def mixup(batch: Element, labels: Element, seed: tf.Tensor, alpha: float) -> tuple[Element, Element]:
    """Mix every example of a batch with another one.

    H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.

    Args:
        batch: `features` `(batch, time, bands)` and `lengths` `(batch,)`; a mixed
            example is as long as the longer of the two. Where labels of an output do not all count the same,
            `known:<output>` `(batch,)` says how far each does, 0 if there is none: both parts count for
            their own share, and a label that is mixed with none stays as it is.
        labels: float32 tensors of first dimension `batch`; classes as one-hot rows.
        seed: int `(2,)`.
        alpha: Both parameters of the beta distribution the weight is drawn from.

    Returns:
        The mixed batch and labels.
    """
    count = tf.shape(batch["lengths"])[0]
    gammas = tf.random.stateless_gamma([2, count], seed, alpha)
    weight = gammas[0] / tf.maximum(gammas[0] + gammas[1], 1e-30)
    other = index_shuffle(tf.range(count), seed, count - 1)

    def mix(values: tf.Tensor) -> tf.Tensor:
        shape = tf.concat([[count], tf.ones([tf.rank(values) - 1], tf.int32)], 0)
        own = tf.reshape(weight, shape)
        return own * values + (1.0 - own) * tf.gather(values, other)

    lengths = tf.maximum(batch["lengths"], tf.gather(batch["lengths"], other))
    mixed = {**batch, "features": mix(batch["features"]), "lengths": lengths}
    for name in (name for name in batch if name.startswith(KNOWN)):
        others = tf.gather(batch[name], other)
        mixed[name] = batch[name] + (1.0 - weight) * (others - batch[name])  # of equal ones exactly that

    def mix_known(name: str, values: tf.Tensor) -> tf.Tensor:
        if (known := f"{KNOWN}{name}") not in batch:
            return mix(values)
        shape = tf.concat([[count], tf.ones([tf.rank(values) - 1], tf.int32)], 0)
        before, after = (tf.reshape(each[known], shape) for each in (batch, mixed))
        return tf.math.divide_no_nan(mix(before * values), after)

    return mixed, {name: mix_known(name, values) for name, values in labels.items()}


@dataclass(frozen=True)
class Clips:
    """What an augmentation may want to know of the training examples.

    Attributes:
        source: Source of them.
        seed: Seed of what is drawn once, before training.
    """

    source: Source
    seed: int

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of every band."""
        return tuple(self.source.cached.statistics[0].tolist())

    @property
    def in_db(self) -> tuple[float, ...]:
        """The quietest value of every band that is in dB, which come first; only those have one below 0."""
        return tuple(value for value in self.source.spec.lowest(self.source.settings.feature) if value < 0)


def _spec_augment(settings: AugmentSettings, clips: Clips) -> Step | None:
    if not settings.freq_mask and not settings.time_mask:
        return None
    return SpecAugment(settings.freq_mask, settings.time_mask, clips.mean, clips.source.longest, clips.seed)


def _level(settings: AugmentSettings, clips: Clips) -> Step | None:
    return Level(settings.level, clips.in_db) if settings.level and clips.in_db else None


def _shift(settings: AugmentSettings, clips: Clips) -> Step | None:
    return Shift(settings.shift, clips.in_db) if settings.shift and clips.in_db else None


def _smooth(settings: AugmentSettings) -> BatchChange | None:
    return partial(smooth_labels, share=settings.label_smoothing) if settings.label_smoothing else None


def _mixup(settings: AugmentSettings) -> BatchChange | None:
    return partial(mixup, alpha=settings.mixup) if settings.mixup else None


# A new augmentation is a file, and a line in one of these: by its name, how to make it from the settings,
# or None where they do not ask for it (`settings.strength(name)` is what `augment` says).
# Those on clips are steps; what they draw follows from the element's `seed`, with a number of their own
# folded into it (cropping has 1, SpecAugment 2, level 3, shift 4). Those on batches get labels as shares,
# classes as one-hot rows, and a seed.
BatchChange = Callable[[Element, Element, tf.Tensor], tuple[Element, Element]]
ON_CLIPS: dict[str, Callable[[AugmentSettings, Clips], Step | None]] = {
    "level": _level,
    "shift": _shift,
    "spec_augment": _spec_augment,
}
ON_BATCHES: dict[str, Callable[[AugmentSettings], BatchChange | None]] = {
    "mixup": _mixup,
    "label_smoothing": _smooth,
}


def on_clips(settings: AugmentSettings, clips: Clips) -> list[Step]:
    """The steps that change single examples."""
    return [step for make in ON_CLIPS.values() if (step := make(settings, clips))]


def on_batches(settings: AugmentSettings) -> list[BatchChange]:
    """What changes whole batches; if anything does, class labels are shares."""
    return [change for make in ON_BATCHES.values() if (change := make(settings))]


def check_augmentations(settings: AugmentSettings) -> None:
    """Refuse names that are not registered.

    Raises:
        ArgumentError: If there is one.
    """
    for text in settings.augment:
        name = text.rpartition("=")[0]
        if name not in ON_CLIPS.keys() | ON_BATCHES.keys():
            raise ArgumentError("augment", text, "no augmentation of that name is registered")

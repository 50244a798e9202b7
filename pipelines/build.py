"""From steps to batches: one fused map, cache, shuffle, batch, prefetch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.augment import SpecAugment, mixup
from pipelines.cache import Cached, Progress, fill_cache
from pipelines.datasets.base import Examples
from pipelines.order import Load, read_in_turn
from pipelines.service import DataService
from pipelines.settings import AugmentSettings, InputSettings
from pipelines.spec import FeatureSpec
from pipelines.steps import BeatSync, Crop, Element, Length, Pad, ReadCached, ReadFused, Select, Step, fuse

_LABEL = "label:"  # keeps labels apart from the inputs in a flat element
_BUCKETS = 5  # at most; boundaries are quantiles of the lengths


def deterministic_steps(settings: InputSettings, spec: FeatureSpec, synced: bool) -> list[Step]:
    """The steps from a feature file to what is cached.

    Args:
        settings: What the user chose.
        spec: What the features were made with.
        synced: Whether the files are beat-synchronous already.
    """
    steps: list[Step] = [ReadFused(settings.file_widths(spec))]
    if settings.sync == "beat" and not synced:
        steps.append(BeatSync(spec))
    return [*steps, Select(settings.feature, spec)]


def cache_examples(
    examples: Examples,
    settings: InputSettings,
    folder: Path,
    progress: Progress | None = None,
    service: DataService | None = None,
) -> Cached:
    """Read, synchronise and select all examples once; see ``pipelines.cache``."""
    spec = examples.spec
    steps = deterministic_steps(settings, spec, examples.synced)
    return fill_cache(
        examples, steps, spec.width(settings.feature), settings.file_widths(spec), folder, progress, service
    )


def padding_values(settings: InputSettings, spec: FeatureSpec) -> tuple[float, ...]:
    """What every band of a padded step holds: zero, or the floor (mel ``-top_db``, chroma 0)."""
    floor = (-spec.top_db if settings.padding == "floor" else 0.0,) * spec.n_mels + (0.0,) * spec.n_chroma
    return floor[spec.bands(settings.feature)]


@dataclass(frozen=True)
class Source:
    """Cached examples with what a model learns from them.

    Attributes:
        cached: The examples.
        labels: Arrays of first dimension n: class indices int32, or target values float32.
        weights: Sample weights float32 ``(n,)``, or ``None``.
        settings: How examples become batches.
        frames: Steps of every example of a batch, or ``None`` for the longest of the batch.
        spec: What the features were made with.
    """

    cached: Cached
    labels: Mapping[str, np.ndarray]
    weights: np.ndarray | None
    settings: InputSettings
    frames: int | None
    spec: FeatureSpec

    def __len__(self) -> int:
        return len(self.cached.paths)

    @property
    def longest(self) -> int:
        """Steps of the longest example after cropping."""
        longest = int(self.cached.lengths.max())
        return longest if self.frames is None else min(longest, self.frames)

    @property
    def fill(self) -> tuple[float, ...]:
        return padding_values(self.settings, self.spec)


def evaluation_batches(
    source: Source, batch_size: int, one_hot: int = 0, service: DataService | None = None
) -> tf.data.Dataset:
    """All examples once, in order.

    Args:
        source: The examples.
        batch_size: Examples a batch; the last may have fewer.
        one_hot: Give class indices as one-hot rows of this many; 0 leaves them as they are.
        service: Whose workers load the examples; ``None`` for this process.

    Returns:
        Batches ``(inputs, labels)`` or ``(inputs, labels, weights)``: ``inputs`` is
        ``{"features": (batch, time, bands) float32, "lengths": (batch,) int32}``, the others
        are dictionaries by output name.
    """
    steps = _steps(source, random_crop=False, augment=None)
    load = _Loader(source, steps)
    if service:
        # Keras tells by the number whether a data set has ended as it should.
        known = tf.data.experimental.assert_cardinality(len(source))
        dataset = service.map(range(len(source)), load).apply(known)
    else:
        dataset = _map_here(0, len(source), load)
    batches = _batch(dataset, source, batch_size).map(_split, tf.data.AUTOTUNE)
    if one_hot:
        batches = batches.map(lambda inputs, labels, *weights: (inputs, _all_soft(labels, one_hot), *weights))
    return _finish(batches)


def training_batches(
    source: Source,
    batch_size: int,
    seed: int,
    epochs: range,
    augment: AugmentSettings | None = None,
    n_classes: int = 0,
    service: DataService | None = None,
) -> tuple[tf.data.Dataset, int]:
    """Shuffled batches of several epochs on end.

    The order of an epoch, and every random change in it, follow from the seed and the number of
    the epoch alone: epochs 5 to 9 are the same whether 0 to 4 came before or not.

    Args:
        source: The training examples.
        batch_size: Examples a batch; the last of an epoch may have fewer.
        seed: Of everything random.
        epochs: Which epochs to give.
        augment: Random changes; ``None`` for none.
        n_classes: With mixup, class indices become one-hot rows of this many.
        service: Whose workers load and change the examples; ``None`` for this process. The
            batches are the same.

    Returns:
        The data set, as ``evaluation_batches`` gives it, and its number of batches an epoch.
    """
    augment = augment or AugmentSettings()
    steps = _steps(source, source.settings.crop == "random", augment, seed)
    load = _Loader(source, steps)
    count = len(source)
    bounds = _bucket_bounds(source, batch_size) if source.settings.bucket else []

    # Examples are numbered through all epochs: one stream, which a service's workers do not have to
    # begin anew, and which tells a worker all it needs to know of an example in one number.
    numbers = range(epochs.start * count, epochs.stop * count)

    def key_of(epoch: tf.Tensor) -> tf.Tensor:
        return tf.stack([tf.constant(seed, tf.int64), epoch])

    def load_shuffled(number: tf.Tensor) -> Element:
        key, position = key_of(number // count), number % count
        index = tf.random.experimental.index_shuffle(position, key, tf.constant(count - 1, tf.int64))
        return load(index, tf.random.experimental.stateless_fold_in(key, position))

    def one_epoch(epoch: tf.Tensor, examples: tf.data.Dataset) -> tf.data.Dataset:
        batches = _batch(examples, source, batch_size, bounds)
        if not augment.mixup:
            return batches.map(_split, tf.data.AUTOTUNE)

        def mix(number: tf.Tensor, batch: Element) -> tuple[Element, ...]:
            inputs, labels, *weights = _split(batch)
            soft = _all_soft(labels, n_classes)
            mix_seed = tf.random.experimental.stateless_fold_in(key_of(epoch), -1 - number)
            return (*mixup(inputs, soft, mix_seed, augment.mixup), *weights)

        return batches.enumerate().map(mix, tf.data.AUTOTUNE)

    each_epoch = tf.data.Dataset.range(epochs.start, epochs.stop)
    if service:
        positions = tf.data.Dataset.range(count)
        dataset = read_in_turn(
            service.map(numbers, load_shuffled),
            lambda following: each_epoch.flat_map(lambda epoch: one_epoch(epoch, positions.map(following))),
        )
    else:
        dataset = each_epoch.flat_map(
            lambda epoch: one_epoch(epoch, _map_here(epoch * count, (epoch + 1) * count, load_shuffled))
        )
    return _finish(dataset), _batches_an_epoch(source, batch_size, bounds)


def _map_here(start: tf.Tensor | int, stop: tf.Tensor | int, load: Load) -> tf.data.Dataset:
    return tf.data.Dataset.range(start, stop).map(load, tf.data.AUTOTUNE)


def _steps(source: Source, random_crop: bool, augment: AugmentSettings | None, seed: int = 0) -> list[Step]:
    steps: list[Step] = [ReadCached(source.cached.bands)]
    if source.frames is not None:
        steps.append(Crop(source.frames, random_crop))
    if augment and (augment.freq_mask or augment.time_mask):
        floor = padding_values(InputSettings(feature=source.settings.feature, padding="floor"), source.spec)
        steps.append(SpecAugment(augment.freq_mask, augment.time_mask, floor, source.longest, seed))
    steps.append(Length())
    if source.frames is not None:
        steps.append(Pad(source.frames, source.fill))
    return steps


class _Loader:
    """Index (and seed) of an example -> its tensors."""

    def __init__(self, source: Source, steps: Sequence[Step]) -> None:
        self._paths = tf.constant(source.cached.paths)
        self._labels = {name: tf.constant(values) for name, values in source.labels.items()}
        self._weights = None if source.weights is None else tf.constant(source.weights)
        self._run = fuse(steps)

    def __call__(self, index: tf.Tensor, seed: tf.Tensor | None = None) -> Element:
        element = {"path": self._paths[index]}
        if seed is not None:
            element["seed"] = seed
        element = self._run(element)
        loaded = {"features": element["features"], "lengths": element["length"]}
        loaded |= {f"{_LABEL}{name}": values[index] for name, values in self._labels.items()}
        if self._weights is not None:
            loaded["weight"] = self._weights[index]
        return loaded


def _batch(
    dataset: tf.data.Dataset, source: Source, batch_size: int, bounds: Sequence[int] = ()
) -> tf.data.Dataset:
    if source.frames is not None:
        return dataset.batch(batch_size)
    fill = tf.constant(source.fill, tf.float32)

    def fill_padding(batch: Element) -> Element:
        # tf.data pads with one value only; this puts every band's own there.
        features = batch["features"]  # (batch, time, bands)
        given = tf.sequence_mask(batch["lengths"], tf.shape(features)[1])
        return {**batch, "features": tf.where(given[:, :, None], features, fill)}

    if bounds:
        dataset = dataset.bucket_by_sequence_length(
            lambda element: element["lengths"],
            bucket_boundaries=list(bounds),
            bucket_batch_sizes=[batch_size] * (len(bounds) + 1),
        )
    else:
        dataset = dataset.padded_batch(batch_size)
    return dataset.map(fill_padding, tf.data.AUTOTUNE)


def _split(batch: Element) -> tuple[Element, ...]:
    inputs = {"features": batch["features"], "lengths": batch["lengths"]}
    labels = {name[len(_LABEL) :]: values for name, values in batch.items() if name.startswith(_LABEL)}
    if "weight" not in batch:
        return inputs, labels
    return inputs, labels, dict.fromkeys(labels, batch["weight"])


def _all_soft(labels: Element, n_classes: int) -> Element:
    """Class indices as one-hot rows; numbers as they are."""
    return {
        name: tf.one_hot(values, n_classes) if values.dtype.is_integer else values
        for name, values in labels.items()
    }


def _bucket_bounds(source: Source, batch_size: int) -> list[int]:
    """Lengths that cut the examples into about equal shares, none smaller than a batch."""
    shares = min(_BUCKETS, max(1, len(source) // batch_size))
    bounds = np.quantile(source.cached.lengths, np.arange(1, shares) / shares)
    return sorted({int(bound) for bound in bounds})


def _batches_an_epoch(source: Source, batch_size: int, bounds: Sequence[int]) -> int:
    bucket = np.searchsorted(np.asarray(bounds), source.cached.lengths, side="right")
    return int(sum(-(-count // batch_size) for count in np.bincount(bucket)))


def _finish(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Keep the order, and prefetch: to the GPU's memory where there is just one GPU."""
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    dataset = dataset.with_options(options)
    devices = tf.config.list_logical_devices("GPU")
    if len(devices) == 1:
        return dataset.apply(tf.data.experimental.prefetch_to_device(devices[0].name))
    return dataset.prefetch(tf.data.AUTOTUNE)

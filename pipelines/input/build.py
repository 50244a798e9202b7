"""From steps to batches: one fused map, cache, shuffle, batch, prefetch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from pipelines.input.augment import BatchChange, Clips, on_batches, on_clips
from pipelines.input.loading import LABEL, WEIGHT, BatchLoader, Loader, fill_padding, split
from pipelines.input.order import Load, read_in_turn
from pipelines.input.service import DataService
from pipelines.input.steps import KNOWN, Crop, Element, Length, Pad, ReadCached, Step
from pipelines.ops.shuffle import index_shuffle
from pipelines.settings import AugmentSettings
from pipelines.source import Source

SMALL = 1 << 17  # bytes of an example on average; up to this a batch is read at a time
_BUCKETS = 5  # at most; boundaries are quantiles of the lengths


def evaluation_batches(
    source: Source, batch_size: int, one_hot: int = 0, service: DataService | None = None
) -> tf.data.Dataset:
    """The windows of all examples once, in order; see `Source.windows`.

    Args:
        source: The examples.
        batch_size: Examples a batch; the last may have fewer.
        one_hot: Give class indices as one-hot rows of this many; 0 leaves them as they are.
        service: Whose workers load the examples; `None` for this process.

    Returns:
        Batches `(inputs, labels)` or `(inputs, labels, weights)`: `inputs` is
        `{"features": (batch, time, bands) float32, "lengths": (batch,) int32}`, the others
        are dictionaries by output name.
    """
    rows, starts = (tf.constant(values) for values in (source.windows.clip, source.windows.start))
    count = len(source.windows.clip)
    if _small(source) and not service:
        windows = tf.data.Dataset.from_tensor_slices((rows, starts)).batch(batch_size)
        batches = windows.map(BatchLoader(source), tf.data.AUTOTUNE)
    else:
        load = Loader(source, _steps(source))

        def load_window(number: tf.Tensor) -> Element:
            return load(rows[number], start=starts[number])

        if service:
            # Keras tells by the number whether a data set has ended as it should.
            known = tf.data.experimental.assert_cardinality(count)
            dataset = service.map(range(count), load_window).apply(known)
        else:
            dataset = _map_here(0, count, load_window)
        batches = _pad(_group(dataset, batch_size), source)
    batches = batches.map(split, tf.data.AUTOTUNE)
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
        seed: Seed of everything random.
        epochs: Which epochs to give.
        augment: Random changes; `None` for none.
        n_classes: Where batches are mixed, class indices become one-hot rows of this many.
        service: Whose workers load and change the examples; `None` for this process. The
            batches are the same.

    Returns:
        The data set, as `evaluation_batches` gives it, and its number of batches an epoch.
    """
    augment = augment or AugmentSettings()
    count = len(source)
    bounds = _bucket_bounds(source, batch_size)
    random_crop = source.frames is not None and source.settings.crop == "random"
    changes, batch_changes = on_clips(augment, Clips(source, seed)), on_batches(augment)
    a_batch_at_a_time = _small(source) and not (service or random_crop or changes)
    order = _Order(seed, count)
    each_epoch = tf.data.Dataset.range(epochs.start, epochs.stop)

    def finished(batches: tf.data.Dataset, epoch: tf.Tensor) -> tf.data.Dataset:
        if batch_changes:
            return _changed(batches, batch_changes, order.key(epoch), n_classes)
        return batches.map(split, tf.data.AUTOTUNE)

    if a_batch_at_a_time:
        load_rows = BatchLoader(source)

        def epoch_of_rows(epoch: tf.Tensor) -> tf.data.Dataset:
            rows = order.rows(tf.range(count, dtype=tf.int64), epoch)
            examples = tf.data.Dataset.from_tensor_slices({"row": rows, "lengths": load_rows.lengths(rows)})
            groups = _group(examples, batch_size, bounds)
            return finished(groups.map(lambda group: load_rows(group["row"]), tf.data.AUTOTUNE), epoch)

        dataset = each_epoch.flat_map(epoch_of_rows)
    else:
        load = Loader(source, _steps(source, random_crop, changes))

        # Examples are numbered through all epochs: one stream, which a service's workers do not have to
        # begin anew, and which tells a worker all it needs to know of an example in one number.
        def load_numbered(number: tf.Tensor) -> Element:
            epoch, position = number // count, number % count
            seed_here = tf.random.experimental.stateless_fold_in(order.key(epoch), position)
            return load(order.rows(position, epoch), seed=seed_here)

        def loaded_epoch(epoch: tf.Tensor, examples: tf.data.Dataset) -> tf.data.Dataset:
            return finished(_pad(_group(examples, batch_size, bounds), source), epoch)

        if service:
            stream = service.map(range(epochs.start * count, epochs.stop * count), load_numbered)
            positions = tf.data.Dataset.range(count)
            dataset = read_in_turn(
                stream,
                lambda following: each_epoch.flat_map(
                    lambda epoch: loaded_epoch(epoch, positions.map(following))
                ),
            )
        else:
            dataset = each_epoch.flat_map(
                lambda epoch: loaded_epoch(
                    epoch, _map_here(epoch * count, (epoch + 1) * count, load_numbered)
                )
            )
    return _finish(dataset), batches_an_epoch(source, batch_size)


@dataclass(frozen=True)
class _Order:
    """The order of so many examples in each epoch."""

    seed: int
    count: int

    def key(self, epoch: tf.Tensor) -> tf.Tensor:
        """The seed of everything random in an epoch."""
        return tf.stack([tf.constant(self.seed, tf.int64), epoch])

    def rows(self, positions: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """The examples at the given positions, of a scalar or of a vector."""
        last = tf.constant(self.count - 1, tf.int64)
        return index_shuffle(positions, self.key(epoch), last)


def _small(source: Source) -> bool:
    return source.cached.nbytes <= SMALL * len(source)


def _map_here(start: tf.Tensor | int, stop: tf.Tensor | int, load: Load) -> tf.data.Dataset:
    return tf.data.Dataset.range(start, stop).map(load, tf.data.AUTOTUNE)


def _steps(source: Source, random_crop: bool = False, changes: Sequence[Step] = ()) -> list[Step]:
    steps: list[Step] = [ReadCached(source.cached.bands)]
    if source.frames is not None:
        steps.append(Crop(source.frames, random_crop))
    steps += [*changes, Length()]
    if source.frames is not None:
        steps.append(Pad(source.frames, source.fill))
    return steps


def _group(dataset: tf.data.Dataset, batch_size: int, bounds: Sequence[int] = ()) -> tf.data.Dataset:
    """Batches of neighbours, or of examples of similar length; padded with zeros where they differ."""
    if not bounds:
        return dataset.padded_batch(batch_size)
    return dataset.bucket_by_sequence_length(
        lambda element: element["lengths"],
        bucket_boundaries=list(bounds),
        bucket_batch_sizes=[batch_size] * (len(bounds) + 1),
    )


def _pad(batches: tf.data.Dataset, source: Source) -> tf.data.Dataset:
    """Put every band's own value where `_group` padded, which knows one value only."""
    if source.frames is not None or not any(source.fill):
        return batches

    def pad(batch: Element) -> Element:
        return {**batch, "features": fill_padding(batch["features"], batch["lengths"], source.fill)}

    return batches.map(pad, tf.data.AUTOTUNE)


def _changed(
    batches: tf.data.Dataset, changes: Sequence[BatchChange], key: tf.Tensor, n_classes: int
) -> tf.data.Dataset:
    def change_all(number: tf.Tensor, batch: Element) -> tuple[Element, ...]:
        inputs, labels, *weights = split(batch)
        # A clip's weight for an output says how far its label counts, like whether it has one.
        weighed = [name for name in labels if {f"{KNOWN}{name}", f"{WEIGHT}{name}"} & batch.keys()]
        inputs |= {f"{KNOWN}{name}": weights[0][name] for name in weighed}
        labels = _all_soft(labels, n_classes)
        seed = tf.random.experimental.stateless_fold_in(key, -1 - number)
        for change in changes:
            inputs, labels = change(inputs, labels, seed)
        return split(inputs | {f"{LABEL}{name}": values for name, values in labels.items()})

    return batches.enumerate().map(change_all, tf.data.AUTOTUNE)


def _all_soft(labels: Element, n_classes: int) -> Element:
    """Class indices as one-hot rows; numbers as they are."""
    return {
        name: tf.one_hot(values, n_classes) if values.dtype.is_integer else values
        for name, values in labels.items()
    }


def _bucket_bounds(source: Source, batch_size: int) -> list[int]:
    """Lengths that cut the examples into about equal shares, none smaller than a batch; none without."""
    if not source.settings.bucket:
        return []
    shares = min(_BUCKETS, max(1, len(source) // batch_size))
    bounds = np.quantile(source.cached.lengths, np.arange(1, shares) / shares)
    return sorted({int(bound) for bound in bounds})


def batches_an_epoch(source: Source, batch_size: int) -> int:
    """How many batches `training_batches` gives in an epoch."""
    bounds = _bucket_bounds(source, batch_size)
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

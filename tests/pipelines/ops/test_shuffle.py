"""A shuffled order is a permutation, and as good a one as numpy's."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pipelines.ops.shuffle import index_shuffle

CLIPS, BATCH, EPOCHS = 240, 30, 300
ORDERED = np.repeat(np.arange(4), CLIPS // 4)  # a table sorted by class


def order(seed: int, epoch: int, count: int = CLIPS) -> np.ndarray:
    last = tf.constant(count - 1, tf.int64)
    return index_shuffle(tf.range(count, dtype=tf.int64), tf.constant([seed, epoch], tf.int64), last).numpy()


def largest_shares(orders: list[np.ndarray]) -> np.ndarray:
    """Of a class in a batch, as a mean over the batches of each order."""
    batches = ORDERED[np.stack(orders)].reshape(len(orders), -1, BATCH)
    counts = (batches[..., np.newaxis] == np.arange(4)).sum(axis=2)
    return (counts.max(axis=-1) / BATCH).mean(axis=-1)


def test_every_position_comes_once_and_alone_as_among_others() -> None:
    for count in (1, 2, 3, 31, 240):
        assert sorted(order(7, 3, count)) == list(range(count))
    seed, last = tf.constant([7, 3], tf.int64), tf.constant(239, tf.int64)
    alone = [index_shuffle(tf.constant(at, tf.int64), seed, last).numpy() for at in range(5)]
    assert alone == list(order(7, 3)[:5])


def test_batches_mix_the_classes_in_every_epoch() -> None:
    generator = np.random.default_rng(0)
    ours = largest_shares([order(0, epoch) for epoch in range(EPOCHS)])
    numpys = largest_shares([generator.permutation(CLIPS) for _ in range(EPOCHS)])
    assert abs(ours.mean() - numpys.mean()) < 0.005
    assert ours.max() < numpys.max() + 0.03

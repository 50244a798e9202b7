"""A shuffled order in the graph, position by position."""

from __future__ import annotations

import tensorflow as tf

# Of the block cipher Simon that the operation stands on. `tf.random.experimental.index_shuffle` takes 4, with
# which the order of one epoch in some sixty is nearly that of the table, sorted by class as tables are.
_ROUNDS = 16
_FIRST = 498_247_692  # of the three numbers of a seed; any will do


def index_shuffle(index: tf.Tensor, seed: tf.Tensor, max_index: tf.Tensor) -> tf.Tensor:
    """Where each position of a shuffled order comes from, without making the order.

    Args:
        index: int32 or int64, a scalar or `(n,)`, from 0 to `max_index`.
        seed: int `(2,)`.
        max_index: The last position, of the same dtype as `index`.

    Returns:
        Of the same shape and dtype as `index`; over all positions a permutation of them.
    """
    seed = tf.concat([tf.constant([_FIRST], tf.int64), tf.cast(seed, tf.int64)], axis=0)
    return tf.raw_ops.RandomIndexShuffle(index=index, seed=seed, max_index=max_index, rounds=_ROUNDS)

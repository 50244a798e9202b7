"""Medians of segments of any lengths are numpy's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from pipelines.ops.beat_sync import segment_medians, sort_values

LENGTHS = (
    (1,),
    (500,),
    tuple(range(1, 40)),  # odd and even, in one run, in two and in more
    (31, 32, 33, 34),
    (300, 20, 21, 22, 1, 2, 90),  # long before the first beat and after the last
    (1,) * 50,
    (64,) * 9,
)


@pytest.fixture(scope="module")
def medians():
    # The pipeline does not know the number of bands of a file before it has read it.
    return tf.function(
        segment_medians,
        input_signature=[tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32)],
    )


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("levels", [3, 10**6], ids=["many equal values", "hardly any"])
def test_the_middle_values_are_those_of_the_sorted_segment(medians, lengths, levels):
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = np.random.default_rng(0).integers(-levels, levels, (bounds[-1], 5)).astype(np.float32)
    lower, upper = medians(values, bounds)
    for i, (start, stop) in enumerate(itertools.pairwise(bounds)):
        ascending = np.sort(values[start:stop], axis=0)
        np.testing.assert_array_equal(lower[i], ascending[(stop - start - 1) // 2])
        np.testing.assert_array_equal(upper[i], ascending[(stop - start) // 2])


def test_the_network_sorts_anything():
    """Comparisons that sort all sequences of zeros and ones sort everything (Knuth, volume 3, 5.3.4)."""
    wires = list(np.array(list(itertools.product((0, 1), repeat=16)), np.int8).T)
    assert (np.diff(np.stack(sort_values(wires)), axis=0) >= 0).all()

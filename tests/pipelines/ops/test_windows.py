"""Long audio is covered by windows of the length a model knows."""

import numpy as np
import pytest
import tensorflow as tf

from keras_mir.models.limits import WINDOW_SECONDS
from pipelines.ops.windows import cut

RATE = 100  # Hz, for short numbers
WINDOW = int(WINDOW_SECONDS * RATE)


def cut_one(length):
    windows = cut(tf.constant([length], tf.int32), WINDOW)
    return [np.asarray(part) for part in (windows.start, windows.size, windows.end)]


@pytest.mark.parametrize("length", [1, 50, WINDOW - 1, WINDOW, int(1.1 * WINDOW)])
def test_a_clip_of_about_a_window_is_taken_whole(length):
    start, size, end = cut_one(length)
    assert (list(start), list(size), list(end)) == ([0], [length], [length])


@pytest.mark.parametrize("length", [int(1.1 * WINDOW) + 1, 2 * WINDOW, 2 * WINDOW + 1, 36 * WINDOW + 7])
def test_a_longer_one_is_covered_without_gaps_by_as_few_as_do(length):
    start, size, end = cut_one(length)
    assert len(start) == -(-length // WINDOW)
    assert (start[0], end[-1], start[-1] + size[-1]) == (0, length, length)
    assert (size == WINDOW).all()
    assert (start[1:] <= start[:-1] + size[:-1]).all(), "no gap"
    np.testing.assert_array_equal(end[:-1], start[1:])


@pytest.mark.parametrize(("length", "count"), [(5, 1), (WINDOW, 1), (2 * WINDOW - 1, 1), (3 * WINDOW + 9, 3)])
def test_whole_windows_follow_one_another_and_leave_the_rest_out(length, count):
    windows = cut(tf.constant([length], tf.int32), WINDOW, whole=True)
    assert windows.start.numpy().tolist() == [number * WINDOW for number in range(count)]
    assert set(windows.size.numpy()) == {min(length, WINDOW)}
    assert windows.end.numpy()[-1] == length


def test_long_recordings_do_not_overflow():
    start, _, end = cut_one(2**30)
    assert (np.diff(start) > 0).all()
    assert end[-1] == 2**30


def test_windows_of_a_batch_find_their_clips_again():
    windows = cut(tf.constant([10, 3 * WINDOW, 20], tf.int32), WINDOW)
    assert list(windows.clip.numpy()) == [0, 1, 1, 1, 2]
    assert list(windows.counts.numpy()) == [1, 3, 1]

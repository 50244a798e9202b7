"""The running median against scipy's."""

import numpy as np
import pytest
from scipy.ndimage import median_filter

from pipelines.extraction.running_median import running_median


@pytest.mark.parametrize("shape", [(200, 70), (31, 64), (5, 7), (1, 1), (40, 33)])
def test_equals_scipys_to_the_last_bit(shape):
    rng = np.random.default_rng(0)
    values = rng.exponential(size=shape).astype(np.float32)
    values[rng.random(shape) < 0.3] = 0.0  # equal numbers, as silence has them
    assert (running_median(values, 31) == median_filter(values, size=(31, 1), mode="reflect")).all()


def test_of_a_window_of_three():
    values = np.array([[1], [9], [2], [8], [8]], np.float32)
    assert running_median(values, 3)[:, 0].tolist() == [1, 2, 8, 8, 8]

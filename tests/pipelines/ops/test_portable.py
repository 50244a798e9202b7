"""What other runtimes have gives the numbers of what TensorFlow alone has."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.ops import portable as ops

RANDOM = np.random.default_rng(0)


def both(function):
    """What a function gives within `portable()` and outside, each traced in a graph."""

    def within():
        with ops.portable():
            return function()

    return (tf.function(form, autograph=False)() for form in (within, function))


@pytest.mark.parametrize("n", [2048, 512, 300, 22, 2])
def test_fourier_transforms(n):
    frames = tf.constant(RANDOM.normal(size=(2, 3, n)), tf.float32)
    pairs = tf.constant(RANDOM.normal(size=(2, 3, n, 2)), tf.float32)
    spectrum = ops.rfft(frames)
    assert spectrum.shape == (2, 3, 1 + n // 2, 2)
    for function in (
        lambda: ops.rfft(frames),
        lambda: ops.irfft(spectrum),
        lambda: ops.fft(pairs),
        lambda: ops.magnitude(spectrum),
    ):
        got, expected = both(function)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=2e-6 * np.abs(expected).max())


def test_of_a_loud_tone_and_a_quiet_one_both_are_there():
    """A spectrogram reaches 80 dB down: there the portable transform is wrong by a hundredth of a dB."""
    time = np.arange(2048) / 22050
    tones = np.sin(2 * np.pi * 1000 * time) + 2e-4 * np.sin(2 * np.pi * 5000 * time)
    frames = tf.constant(tones * np.hanning(2048), tf.float32)
    got, expected = both(lambda: ops.magnitude(ops.rfft(frames)))
    got, expected = np.asarray(got), np.asarray(expected)
    audible = expected > 1e-4 * expected.max()
    assert audible[465]  # the quiet one's bin
    assert np.abs(20 * np.log10(got[audible] / expected[audible])).max() < 0.01


@pytest.mark.parametrize("step", [1, 3, 4, 8])
def test_overlap_and_add(step):
    frames = tf.constant(RANDOM.normal(size=(7, 8)), tf.float32)
    got, expected = both(lambda: ops.overlap_and_add(frames, step))
    assert got.shape[0] == expected.shape[0]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_dilation_and_nth_smallest():
    row = tf.constant(RANDOM.normal(size=(1, 1, 20, 1)), tf.float32)
    kernel = tf.constant(RANDOM.normal(size=(1, 6, 1)), tf.float32)
    got, expected = both(lambda: ops.dilation(row, kernel))
    np.testing.assert_array_equal(got, expected)
    rows = tf.constant(RANDOM.normal(size=(4, 9)), tf.float32)
    for n in range(9):
        got, expected = both(lambda n=n: ops.nth_smallest(rows, n))
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("shape", [[], [3], [None]])
def test_map_each(size, shape):
    numbers = tf.constant(RANDOM.normal(size=(size, 3)), tf.float32)
    counts = tf.range(size)

    def one(row, count):
        value = tf.reduce_sum(row) if not shape else row * 2
        return {"value": value, "count": count + 1}

    outputs = {"value": tf.TensorSpec(shape, tf.float32), "count": tf.TensorSpec([], tf.int32)}
    got, expected = both(lambda: ops.map_each(one, (numbers, counts), outputs))
    for name in outputs:
        np.testing.assert_array_equal(got[name], expected[name])


def test_the_form_is_chosen_where_it_is_traced_alone():
    assert not ops.is_portable()
    assert ops.wide() == tf.float64
    with ops.portable():
        assert ops.wide() == tf.float32
    assert not ops.is_portable()

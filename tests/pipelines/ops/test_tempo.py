"""The tempo is librosa's, by the quick way and by the slow one."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import tensorflow as tf

from pipelines.ops import tempo as module
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()
WINDOW = 344  # frames in 8 seconds


@pytest.fixture(scope="module")
def tempo():
    signature = [tf.TensorSpec([None], tf.float32)]
    function = tf.function(lambda envelope: module.tempo(envelope, SPEC), input_signature=signature)
    return lambda envelope: float(function(envelope))


@pytest.fixture(scope="module")
def both_ways():
    def means(envelope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        frames = tf.shape(envelope)[0]
        faded = module._fade_ends(envelope, WINDOW // 2)
        slow = module._mean_autocorrelation_by_stretch(faded, frames, WINDOW)
        return *module._mean_autocorrelation(faded, frames, WINDOW), slow

    return tf.function(means, input_signature=[tf.TensorSpec([None], tf.float32)])


def pulses(frames: int, period: float, seed: int) -> np.ndarray:
    """An onset envelope with a beat every `period` frames, in noise."""
    random = np.random.default_rng(seed)
    envelope = random.gamma(1.0, 1.0, frames)
    envelope[np.arange(0, frames, period).astype(int)] += 10.0
    return envelope.astype(np.float32)


@pytest.mark.parametrize("frames", [4, 100, 343, 344, 345, 1292, 5000])
def test_both_ways_agree_within_the_stated_error(both_ways, frames):
    quick, error, slow = both_ways(pulses(frames, 20.3, frames))
    difference = np.abs(quick - slow).max()
    assert difference <= error < 1e-8
    np.testing.assert_allclose(slow[0], 1.0, rtol=1e-12)  # every stretch is scaled to 1 at lag 0
    reference = librosa.feature.tempogram(onset_envelope=pulses(frames, 20.3, frames), win_length=WINDOW)
    # numpy rounds the faded ends, which are float32, a little differently.
    np.testing.assert_allclose(quick, reference.mean(axis=-1), rtol=1e-7, atol=1e-9)


def silent_first(seconds: float) -> np.ndarray:
    envelope = pulses(1500, 23.0, 1)
    envelope[: int(seconds * SPEC.frame_rate)] = 0.0
    return envelope


def swelling(decades: float) -> np.ndarray:
    envelope = pulses(1500, 23.0, 2) * np.logspace(-decades, 0, 1500)
    return envelope.astype(np.float32)


@pytest.mark.parametrize(
    "envelope",
    [silent_first(3), silent_first(20), silent_first(34), swelling(3), swelling(8), swelling(30)],
    ids=["3 s of silence", "20 s of silence", "nearly all silence", "60 dB", "160 dB", "600 dB"],
)
def test_silence_and_swells_have_librosas_tempo(tempo, envelope):
    assert tempo(envelope) == librosa.feature.tempo(onset_envelope=envelope)[0]


def test_a_silent_stretch_is_not_left_to_the_quick_way(both_ways):
    """The error must say that the quick sums are of no use, or a wrong tempo would pass for certain."""
    _, certain, _ = both_ways(silent_first(3))
    _, error, _ = both_ways(silent_first(20))
    assert certain < 1e-8
    assert not error < 1e-3


def test_two_lags_that_tie_are_decided_as_librosa_does(tempo):
    """A pulse every 20 frames is as strong every 40; the prior decides, not rounding."""
    for period in (16, 20, 22, 32, 43):
        envelope = np.zeros(1400, np.float32)
        envelope[5::period] = 1.0
        assert tempo(envelope) == librosa.feature.tempo(onset_envelope=envelope)[0]

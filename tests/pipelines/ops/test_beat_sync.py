"""The median between beats is what librosa's is."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import tensorflow as tf

from pipelines.ops.beat_sync import beat_sync
from pipelines.spec import FeatureSpec

SPEC = FeatureSpec()


def fused_noise(frames: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    fused = np.concatenate([random.uniform(-80, 0, (128, frames)), random.uniform(0, 1, (12, frames))])
    return fused.astype(np.float32)


def librosa_beat_sync(fused: np.ndarray, boundaries: list[int]) -> np.ndarray:
    """Mel as power through `librosa.util.sync`, in dB relative to its loudest bin afterwards."""
    power = librosa.db_to_power(fused[:128].astype(np.float64))
    mel = librosa.util.sync(power, boundaries, aggregate=np.median)
    chroma = librosa.util.sync(fused[128:], boundaries, aggregate=np.median)
    return np.concatenate([librosa.power_to_db(mel, ref=np.max, top_db=80.0), chroma])


@pytest.mark.parametrize(
    ("frames", "boundaries"),
    [
        (40, [7, 13, 14, 30]),  # segments of 7, 6, 1, 16 and 10: odd, even and single
        (40, [0, 10, 20]),  # a beat in the first frame opens no segment of its own
        (40, [39]),
        (700, list(range(5, 700, 23))),
    ],
)
def test_synchronises_as_librosa_does(frames, boundaries):
    fused = fused_noise(frames, seed=frames)
    synced = beat_sync(tf.constant(fused.T), tf.constant(boundaries, tf.int32), SPEC).numpy()
    np.testing.assert_allclose(synced.T, librosa_beat_sync(fused, boundaries), rtol=1e-4, atol=1e-4)


def test_synchronises_mel_as_power():
    """The median of an even number of dB values is not the dB value of the median power."""
    mel = np.full((2, 128), -60.0, np.float32)
    mel[1] = -20.0
    mel[0, 0] = mel[1, 0] = 0.0  # the loudest bin, so that the rest keeps its level
    synced = beat_sync(tf.constant(mel), tf.constant([], tf.int32), SPEC).numpy()
    mean_power = (10.0**-6 + 10.0**-2) / 2
    assert synced.shape == (1, 128)
    np.testing.assert_allclose(synced[0, 1:], 10 * np.log10(mean_power), atol=1e-4)  # -23.0, not -40


@pytest.mark.parametrize("frames", [1, 8, 9])
def test_a_clip_without_boundaries_is_one_step(frames):
    chroma = fused_noise(frames, 2)[128:]
    fused = np.concatenate([np.full((128, frames), -3.0, np.float32), chroma])
    synced = beat_sync(tf.constant(fused.T), tf.constant([], tf.int32), SPEC).numpy()
    assert synced.shape == (1, 140)
    np.testing.assert_allclose(synced[0, 128:], np.median(chroma, axis=1), rtol=1e-6)


def test_ignores_beats_outside_the_clip():
    fused = tf.constant(fused_noise(30, 1).T)
    within = beat_sync(fused, tf.constant([10, 20]), SPEC)
    beyond = beat_sync(fused, tf.constant([-3, 0, 10, 20, 30, 99]), SPEC)
    np.testing.assert_array_equal(within, beyond)

"""The percussive part against librosa's, its running median against scipy's, and by what is known of it."""

import librosa
import numpy as np
import pytest
from scipy.ndimage import median_filter

from pipelines.extraction.percussive import percussive, running_median
from pipelines.synthetic.arrange import form_band
from pipelines.synthetic.render import perform
from pipelines.synthetic.styles import STYLES


def test_equals_librosas_to_the_last_bit():
    rng = np.random.default_rng(0)
    audio = perform(form_band(STYLES["Rock"], rng), rng, 4.0, 22050).audio.astype(np.float32)
    stft = librosa.stft(audio)
    assert (percussive(stft) == librosa.decompose.hpss(stft)[1]).all()


def test_silence_is_silent():
    stft = np.zeros((1025, 40), np.complex64)
    assert not percussive(stft).any()


def test_keeps_a_click_and_drops_a_tone():
    rate = 22050
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate).astype(np.float32)
    click = np.zeros_like(tone)
    click[rate] = 1.0
    energies = [np.abs(percussive(stft := librosa.stft(x))).sum() / np.abs(stft).sum() for x in (tone, click)]
    assert energies[0] < 0.1
    assert energies[1] > 0.9


@pytest.mark.parametrize("shape", [(200, 70), (31, 64), (5, 7), (1, 1), (40, 33)])
def test_the_running_median_equals_scipys_to_the_last_bit(shape):
    rng = np.random.default_rng(0)
    values = rng.exponential(size=shape).astype(np.float32)
    values[rng.random(shape) < 0.3] = 0.0  # equal numbers, as silence has them
    assert (running_median(values, 31) == median_filter(values, size=(31, 1), mode="reflect")).all()


def test_a_running_median_of_three():
    values = np.array([[1], [9], [2], [8], [8]], np.float32)
    assert running_median(values, 3)[:, 0].tolist() == [1, 2, 8, 8, 8]

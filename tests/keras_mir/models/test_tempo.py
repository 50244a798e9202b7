"""The tempo of clicks, by what tracks nothing but beats."""

from __future__ import annotations

import numpy as np
import pytest

from keras_mir.models.tempo import tempo_tracker
from keras_mir.predict.predictor import SongModel

RATE = 22050


@pytest.mark.slow
def test_clicks_have_their_tempo_and_a_hum_has_none():
    tracker = SongModel(tempo_tracker().answer_wav)
    clicks = np.zeros(12 * RATE)
    clicks[:: RATE * 60 // 100] = 1.0  # 100 a minute
    assert tracker.answer_array(clicks, RATE).tempo == pytest.approx(100, abs=3)
    hum = np.sin(2 * np.pi * 110 * np.arange(3 * RATE) / RATE)
    assert tracker.answer_array(hum, RATE).tempo is None

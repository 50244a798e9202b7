"""Valence, energy and danceability of a generated clip, from what is audible in it."""

from __future__ import annotations

import numpy as np

RATER_NOISE = 0.04

# Written into every corpus, beside the data it explains.
FORMULAS = """\
ramp(x, a, b) rises from 0 at a to 1 at b and is clipped there; each value gets normal noise with
standard deviation 0.04 (a rater's), then is clipped to [0, 1].

energy       = 0.40 ramp(level_db, -17, -8) + 0.35 ramp(onset_rate, 1, 9) + 0.25 bright
valence      = 0.55 mode + 0.35 ramp(tempo, 60, 160) + 0.10 bright
danceability = 0.40 ramp(log2(pulse_clarity), 0.3, 2.5) + 0.30 ramp(drum_share, 0, 0.8)
               + 0.30 exp(-(log2(tempo / 115) / 0.4)^2)

bright         ramp(log2(centroid_hz), log2(800), log2(3600)); centroid_hz is the centroid of the clip's
               mean magnitude spectrum
level_db       RMS of the audio against full scale; clips are mastered to similar peaks, so it says how
               dense and compressed the sound is
onset_rate     distinct onsets a second
mode           half for a major key, half times the share of chords with a major third
tempo          beats per minute
pulse_clarity  spectral flux at the beats over its mean: about 1 without a pulse
drum_share     RMS of the drums over RMS of the whole mix
"""


def affect(
    rng: np.random.Generator,
    *,
    level_db: float,
    onset_rate: float,
    centroid_hz: float,
    mode: float,
    tempo: float,
    pulse_clarity: float,
    drum_share: float,
) -> dict[str, float]:
    """Rate a clip by `FORMULAS`, which say what the arguments are; `rng` gives the rater's noise.

    Returns:
        `valence`, `energy` and `danceability`, each in [0, 1].
    """
    bright = _ramp(np.log2(centroid_hz), np.log2(800), np.log2(3600))
    rated = {
        "valence": 0.55 * mode + 0.35 * _ramp(tempo, 60, 160) + 0.10 * bright,
        "energy": 0.40 * _ramp(level_db, -17, -8) + 0.35 * _ramp(onset_rate, 1, 9) + 0.25 * bright,
        "danceability": 0.40 * _ramp(np.log2(pulse_clarity), 0.3, 2.5)
        + 0.30 * _ramp(drum_share, 0, 0.8)
        + 0.30 * np.exp(-((np.log2(tempo / 115) / 0.4) ** 2)),
    }
    return {name: float(np.clip(value + rng.normal(0, RATER_NOISE), 0, 1)) for name, value in rated.items()}


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))

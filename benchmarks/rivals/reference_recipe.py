"""The reference recipe of the course's features, with librosa's own functions.

Percussive separation alone, where the course separates both parts: half of the inverse transforms less.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SAMPLE_RATE, N_FFT, HOP_LENGTH, N_MELS = 22050, 2048, 512, 128


def load(path: Path) -> np.ndarray:
    """Mono samples at 22,050 Hz."""
    import librosa

    audio, _ = librosa.load(path)
    return audio


def features(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fused `(140, time)`, beat-synchronous fused `(140, steps)`, and the beats `(n,)` in frames."""
    import librosa
    from librosa.beat import beat_track
    from librosa.effects import percussive
    from librosa.feature import chroma_cqt, melspectrogram

    power = melspectrogram(y=audio, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS)
    chroma = chroma_cqt(y=audio, hop_length=HOP_LENGTH)
    _, beats = beat_track(y=percussive(audio), hop_length=HOP_LENGTH)
    synced = librosa.util.sync(power, beats, aggregate=np.median)
    synced_chroma = librosa.util.sync(chroma, beats, aggregate=np.median)
    return _fused(power, chroma), _fused(synced, synced_chroma), beats


def _fused(power: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    import librosa

    return np.concatenate([librosa.power_to_db(power, ref=np.max), chroma]).astype(np.float32)

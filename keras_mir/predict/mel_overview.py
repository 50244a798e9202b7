"""A song's mel spectrogram, however long, at the width of a picture."""

from __future__ import annotations

import math
from pathlib import Path

import librosa
import numpy as np

from pipelines.extraction.audio_files import decode_parts
from pipelines.spec import FeatureSpec

_FRAMES_AT_ONCE = 1024
_FLOOR = 1e-10  # of the power, as in librosa


def mel_overview(
    path: Path, duration: float, spec: FeatureSpec, columns: int = 1500
) -> tuple[np.ndarray, np.ndarray]:
    """Decode a song a little at a time and average the power of neighbouring frames.

    Args:
        path: An audio file.
        duration: Its length in seconds.
        spec: Of the spectrogram.
        columns: About the most there may be.

    Returns:
        float32 `(n_mels, columns)` in dB below the loudest, and where columns begin and end, in
        seconds, `(columns + 1,)`.

    Raises:
        UserError: If the file cannot be decoded.
    """
    per_column = max(1, math.ceil(duration * spec.frame_rate / columns))
    frames = math.ceil(_FRAMES_AT_ONCE / per_column) * per_column  # so that a part is whole columns
    pooled = []
    for samples, rate in decode_parts(path, frames / spec.frame_rate):
        audio = librosa.resample(samples.mean(axis=0), orig_sr=rate, target_sr=spec.sample_rate)
        filled = np.pad(audio, (0, max(0, spec.n_fft - len(audio))))  # librosa warns of less
        power = librosa.feature.melspectrogram(
            y=filled, sr=spec.sample_rate, n_fft=spec.n_fft, hop_length=spec.hop_length, n_mels=spec.n_mels
        ).T  # (frames, n_mels)
        power = power[: max(1, round(len(audio) / spec.hop_length))]
        starts = np.arange(0, len(power), per_column)
        counts = np.diff(np.append(starts, len(power)))[:, None]
        pooled.append(np.add.reduceat(power, starts) / counts)
    mel = 10 * np.log10(np.maximum(np.concatenate(pooled), _FLOOR)).T  # (n_mels, columns)
    edges = np.minimum(np.arange(mel.shape[1] + 1) * per_column / spec.frame_rate, duration)
    return np.maximum(mel - mel.max(), -spec.top_db).astype(np.float32), edges

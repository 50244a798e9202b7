"""librosa: a folder of mp3 and ogg to mel, in a process a core."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np

from benchmarks.folder_mel import BANDS, HOP, N_FFT, Making
from benchmarks.inputs import Inputs


def mel_of(path: Path) -> np.ndarray:
    """A file's mel power, float32 `(frames, BANDS)`."""
    samples, rate = librosa.load(path, sr=None)
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=N_FFT, hop_length=HOP, n_mels=BANDS)
    return np.ascontiguousarray(mel.T)


def prepare(inputs: Inputs, clips: int) -> Making:
    """Start the processes."""
    return Making(mel_of, inputs.compressed(clips))

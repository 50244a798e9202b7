"""torchaudio: a folder of mp3 and ogg to mel, in a process a core.

Its `load` decodes by torchcodec, which asks the system's ffmpeg.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
import torchaudio

from benchmarks.folder_mel import BANDS, HOP, N_FFT, RATE, Making
from benchmarks.inputs import Inputs


@cache
def transform() -> torchaudio.transforms.MelSpectrogram:
    """To librosa's bands: of equal area, on Slaney's scale; silence before and after a clip."""
    torch.set_num_threads(1)
    return torchaudio.transforms.MelSpectrogram(
        RATE,
        n_fft=N_FFT,
        hop_length=HOP,
        n_mels=BANDS,
        power=2.0,
        norm="slaney",
        mel_scale="slaney",
        pad_mode="constant",
    )


def mel_of(path: Path) -> np.ndarray:
    """A file's mel power, float32 `(frames, BANDS)`."""
    make = transform()
    with torch.inference_mode():
        samples, _ = torchaudio.load(path)
        made: np.ndarray = make(samples.mean(dim=0)).numpy().T
    return np.ascontiguousarray(made)


def prepare(inputs: Inputs, clips: int) -> Making:
    """Start the processes."""
    return Making(mel_of, inputs.compressed(clips))

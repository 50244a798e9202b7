"""The package's decoder and layers: a folder of mp3 and ogg to mel."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.folder_mel import BANDS, HOP, N_FFT, RATE, Making
from benchmarks.inputs import Inputs
from pipelines.extraction.audio_files import decode


@cache
def mel_layers() -> Any:
    """The graph, on one thread, as `keras_mir.embed` has it in a process of its own."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from keras_mir.layers import STFT, MelPower

    stft, mel_power = STFT(N_FFT, HOP), MelPower(RATE, N_FFT, BANDS)
    return tf.function(
        lambda audio: mel_power(stft(audio)), input_signature=[tf.TensorSpec([1, None], tf.float32)]
    )


def mel_of(path: Path) -> np.ndarray:
    """A file's mel power, float32 `(frames, BANDS)`."""
    samples, _ = decode(path)
    made: np.ndarray = mel_layers()(samples.mean(axis=0, keepdims=True, dtype=np.float32)).numpy()[0]
    return made


def prepare(inputs: Inputs, clips: int) -> Making:
    """Start the processes."""
    return Making(mel_of, inputs.compressed(clips))

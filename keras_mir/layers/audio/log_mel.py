"""Audio to mel bands in decibels."""

from typing import Any

import keras

from keras_mir.layers.audio.base import AudioLayer, frames_of
from keras_mir.layers.audio.decibels import Decibels
from keras_mir.layers.audio.mel_power import MelPower
from keras_mir.layers.audio.stft import STFT
from keras_mir.layers.base import Shape, Size


@keras.saving.register_keras_serializable("keras_mir")
class LogMel(AudioLayer):
    """Mel spectrogram in dB below the loudest bin of its clip, equal to librosa's.

    It is `STFT`, `MelPower` and `Decibels` in a row. Where the spectrum has another use too,
    such as finding the beats, put those three together instead, and it is made only once.

    Call arguments:
        inputs: Audio `(batch, samples)` float32 at `sample_rate`, or a list of it and lengths
            `(batch,)` int32, in samples; without these every clip is as long as the batch. Audio
            past a clip's length is ignored. A length below 1 counts as 1.

    Returns:
        `(batch, 1 + samples // hop_length, n_mels)` float32 under any precision policy, in
        `[-top_db, 0]`. A clip fills its first `1 + length // hop_length` frames; those after
        them are `-top_db`.

    Args:
        sample_rate: In Hz.
        n_fft: Length of the window in samples, even.
        hop_length: Samples from frame to frame.
        n_mels: Number of bands.
        top_db: Range in dB.
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        top_db: float = 80.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.top_db = top_db
        self.stft = STFT(n_fft, hop_length)
        self.mel_power = MelPower(sample_rate, n_fft, n_mels)
        self.decibels = Decibels(top_db)

    def call(self, inputs: Any) -> Any:
        audio, lengths = self.tensors(inputs)
        power = self.mel_power(self.stft([audio, lengths]))  # (batch, frames, n_mels)
        return self.decibels([power, 1 + lengths // self.hop_length])

    def _shapes(self, batch: Size, samples: Size) -> Shape:
        return (batch, frames_of(samples, self.hop_length), self.n_mels)

"""Audio to mel bands in decibels."""

from typing import Any

import keras

from keras_mir.layers.audio.decibels import Decibels
from keras_mir.layers.audio.mel_power import MelPower
from keras_mir.layers.audio.stft import STFT


@keras.saving.register_keras_serializable("keras_mir")
class LogMel(keras.layers.Layer):
    """Mel spectrogram in dB below the loudest bin of its clip, equal to librosa's.

    It is `STFT`, `MelPower` and `Decibels` in a row. Where the spectrum has another use too,
    such as finding the beats, put those three together instead, and it is made only once.

    Call arguments:
        inputs: A list of audio `(batch, samples)` float32 at `sample_rate` and lengths
            `(batch,)` int32, in samples. Audio past a clip's length is ignored. A length below
            1 counts as 1.

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
        super().__init__(**{**kwargs, "dtype": "float32"})  # half precision is too coarse for audio
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.top_db = top_db
        self.stft = STFT(n_fft, hop_length)
        self.mel_power = MelPower(sample_rate, n_fft, n_mels)
        self.decibels = Decibels(top_db)
        self.supports_masking = True

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        pass  # the parts have no weights

    def call(self, inputs: list[Any]) -> Any:
        _, lengths = inputs
        power = self.mel_power(self.stft(inputs))  # (batch, frames, n_mels)
        return self.decibels([power, 1 + lengths // self.hop_length])

    def compute_mask(self, inputs: list[Any], previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return self.mel_power.compute_output_shape(self.stft.compute_output_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "n_fft": self.n_fft,
            "hop_length": self.hop_length,
            "n_mels": self.n_mels,
            "top_db": self.top_db,
        }

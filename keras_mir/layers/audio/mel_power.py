"""A spectrum to mel bands."""

from typing import Any

import keras
import tensorflow as tf

from keras_mir.layers.audio._mel import mel_bands


@keras.saving.register_keras_serializable("keras_mir")
class MelPower(keras.layers.Layer):
    """Mel spectrogram, the in-graph twin of `librosa.feature.melspectrogram` with power 2.

    The bands are M. Slaney's ("Auditory Toolbox", Technical Report 1998-010, Interval Research),
    triangles of equal area up to half the sample rate.

    Call arguments:
        inputs: A spectrum `(batch, frames, 1 + n_fft // 2, 2)` float32, as `STFT` gives it.

    Returns:
        `(batch, frames, n_mels)` float32 under any precision policy.

    Args:
        sample_rate: In Hz.
        n_fft: Length of the spectrum's window in samples.
        n_mels: Number of bands.
    """

    def __init__(self, sample_rate: int = 22050, n_fft: int = 2048, n_mels: int = 128, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})  # power leaves the range of half precision
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.n_mels = n_mels
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        power = tf.reduce_sum(inputs**2, axis=-1)  # (batch, frames, bins)
        return mel_bands(power, self.sample_rate, self.n_fft, self.n_mels)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:2], self.n_mels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "n_fft": self.n_fft,
            "n_mels": self.n_mels,
        }

"""A spectrum to mel bands."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_mir.layers.audio.base import AudioLayer
from keras_mir.layers.base import Axes, Shape, Size


@keras.saving.register_keras_serializable("keras_mir")
class MelPower(AudioLayer):
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

    takes: ClassVar[dict[str, Axes]] = {"spectrum": ("batch", "frames", "bins", "parts")}

    def __init__(self, sample_rate: int = 22050, n_fft: int = 2048, n_mels: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.n_mels = n_mels

    def call(self, inputs: Any) -> Any:
        (spectrum,) = self.tensors(inputs)
        power = tf.reduce_sum(spectrum**2, axis=-1)  # (batch, frames, bins)
        return mel_bands(power, self.sample_rate, self.n_fft, self.n_mels)

    def _shapes(self, batch: Size, frames: Size, *_: Size) -> Shape:
        return (batch, frames, self.n_mels)


def mel_bands(power: Any, sample_rate: int, n_fft: int, n_mels: int) -> Any:
    """Equals `librosa.feature.melspectrogram(S=power)`, transposed.

    Args:
        power: `(..., 1 + n_fft // 2)` float32.
        sample_rate: In Hz.
        n_fft: Length of the spectrum's window in samples.
        n_mels: Number of bands.

    Returns:
        `(..., n_mels)` float32.
    """
    from librosa.filters import mel  # seconds of import, so not before it is needed

    return tf.matmul(power, tf.constant(mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels).T))

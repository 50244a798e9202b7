"""Audio to spectra, mel bands and decibels, as librosa defines them."""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_mir.layers.audio.base import AudioLayer, frames_of, zero_past
from keras_mir.layers.base import A_CLIP, Axes, Shape, Size
from pipelines.ops.beat_sync import power_to_db
from pipelines.ops.portable import irfft, log1p, overlap_and_add, rfft, wide


@keras.saving.register_keras_serializable("keras_mir")
class STFT(AudioLayer):
    """Short-time Fourier transform, the in-graph twin of `librosa.stft`.

    Frame t is centred on sample `t * hop_length`, under a periodic Hann window. A clip of a
    padded batch gives what it gives alone. The real and the imaginary part are two entries of
    the last axis, since Keras 3.5 has no complex tensors.

    Call arguments:
        inputs: Audio `(batch, samples)` float32, or a list of it and lengths `(batch,)` int32, in
            samples.

    Returns:
        `(batch, 1 + samples // hop_length, 1 + n_fft // 2, 2)` float32 under any precision
        policy. A clip fills its first `1 + length // hop_length` frames; those after them are 0.

    Args:
        n_fft: Length of the window in samples, even.
        hop_length: Samples from frame to frame.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(self, n_fft: int = 2048, hop_length: int = 512, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if n_fft < 2 or n_fft % 2:
            raise ValueError(f"n_fft {n_fft}: give an even number of samples")
        if hop_length < 1:
            raise ValueError(f"hop_length {hop_length}: give a positive number of samples")
        self.n_fft = n_fft
        self.hop_length = hop_length

    def call(self, inputs: Any) -> Any:
        audio, lengths = self.tensors(inputs)
        audio = zero_past(audio, lengths)
        spectrum = stft(audio, self.n_fft, self.hop_length)
        batch, frames = tf.shape(spectrum)[0], tf.shape(spectrum)[1]
        # Over four axes, one of which is broadcast, tf.where takes six times as long as over three.
        numbers = tf.reshape(spectrum, [batch, frames, self.n_fft + 2])
        # The last frames past the end still reach back into the clip.
        numbers = zero_past(numbers, 1 + lengths // self.hop_length)
        return tf.reshape(numbers, [batch, frames, 1 + self.n_fft // 2, 2])

    def _shapes(self, batch: Size, samples: Size) -> Shape:
        return (batch, frames_of(samples, self.hop_length), 1 + self.n_fft // 2, 2)


def stft(audio: Any, n_fft: int, hop_length: int) -> Any:
    """Equals `librosa.stft`, transposed.

    From `(..., samples)` float32 to `(..., 1 + samples // hop_length, 1 + n_fft // 2, 2)` float32, real
    and imaginary parts.
    """
    margin = [[0, 0]] * (audio.shape.rank - 1) + [[n_fft // 2, n_fft // 2]]
    # In single precision a transform is wrong by 0.001 dB at 80 dB below the loudest.
    frames = tf.signal.frame(tf.cast(tf.pad(audio, margin), wide()), n_fft, hop_length)
    return tf.cast(rfft(frames * tf.signal.hann_window(n_fft, dtype=frames.dtype)), tf.float32)


def inverse_stft(spectrum: Any, samples: Any, n_fft: int, hop_length: int) -> Any:
    """Equals `librosa.istft(..., length=samples)`: the sound whose spectrum is nearest to `spectrum`.

    Frames are added up under the window and divided by the sum of the squared windows (D. W.
    Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier transform", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 32(2), 1984).

    From `(frames, 1 + n_fft // 2, 2)` float32, the whole clip, to `(samples,)` float32.
    """
    window = tf.signal.hann_window(n_fft)
    windows = tf.broadcast_to(window**2, [tf.shape(spectrum)[0], n_fft])
    frames = irfft(spectrum) * window
    total = overlap_and_add(frames, hop_length)[n_fft // 2 :]
    weight = overlap_and_add(windows, hop_length)[n_fft // 2 :]
    covered = weight > np.finfo(np.float32).tiny
    audio = tf.where(covered, total / tf.where(covered, weight, 1.0), total)[:samples]
    return tf.pad(audio, [[0, samples - tf.shape(audio)[0]]])


@keras.saving.register_keras_serializable("keras_mir")
class MelPower(AudioLayer):
    """Mel spectrogram, the in-graph twin of `librosa.feature.melspectrogram` with power 2.

    The bands are M. Slaney's ("Auditory Toolbox", Technical Report 1998-010, Interval Research),
    triangles of equal area up to half the sample rate.

    Call arguments:
        inputs: A spectrum `(batch, frames, 1 + n_fft // 2, 2)` float32, as `STFT` gives it.

    Returns:
        `(batch, frames, n_mels)` float32.

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
        power = spectrum[..., 0] ** 2 + spectrum[..., 1] ** 2  # (batch, frames, bins)
        return mel_bands(power, self.sample_rate, self.n_fft, self.n_mels)

    def _shapes(self, batch: Size, frames: Size, *_: Size) -> Shape:
        return (batch, frames, self.n_mels)


def mel_bands(power: Any, sample_rate: int, n_fft: int, n_mels: int) -> Any:
    """Equals `librosa.feature.melspectrogram(S=power)`, transposed.

    From `(..., 1 + n_fft // 2)` to `(..., n_mels)`, float32.
    """
    from librosa.filters import mel  # seconds of import, so not before it is needed

    return tf.matmul(power, tf.constant(mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels).T))


@keras.saving.register_keras_serializable("keras_mir")
class Decibels(AudioLayer):
    """Power in dB below the loudest of its clip, the twin of `librosa.power_to_db(ref=np.max)`.

    Silence is 0 dB throughout, as in librosa: it is no quieter than its loudest bin.

    Call arguments:
        inputs: Power `(batch, frames, bands)` float32, or a list of it and lengths `(batch,)`
            int32, in frames.

    Returns:
        A tensor like the power, float32, in `[-top_db, 0]`, and
        `-top_db` past a clip's length.

    Args:
        top_db: Range in dB; what is below it is set to its lower end.

    Raises:
        ValueError: If `top_db` is not positive.
    """

    takes: ClassVar[dict[str, Axes]] = {"power": ("batch", "frames", "bands"), "lengths": A_CLIP}

    def __init__(self, top_db: float = 80.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if top_db <= 0:
            raise ValueError(f"top_db {top_db}: give a positive number of dB")
        self.top_db = top_db

    def call(self, inputs: Any) -> Any:
        power, lengths = self.tensors(inputs)
        level = power_to_db(zero_past(power, lengths))
        relative = level - tf.reduce_max(level, axis=[1, 2], keepdims=True)
        return zero_past(tf.maximum(relative, -self.top_db), lengths, -self.top_db)


@keras.saving.register_keras_serializable("keras_mir")
class LogCompression(AudioLayer):
    """Logarithmic compression, `log10(1 + factor * power)`, which keeps the level of a clip.

    Call arguments:
        inputs: Power `(batch, frames, bands)` float32.

    Returns:
        A tensor like it, float32, from 0 on.

    Args:
        factor: Factor of the power; the greater it is, the more quiet sound counts.

    Raises:
        ValueError: If `factor` is not positive.
    """

    takes: ClassVar[dict[str, Axes]] = {"power": ("batch", "frames", "bands")}

    def __init__(self, factor: float = 10_000.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if factor <= 0:
            raise ValueError(f"factor {factor}: give a positive number")
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        (power,) = self.tensors(inputs)
        return log1p(self.factor * power) / np.log(10.0)


@keras.saving.register_keras_serializable("keras_mir")
class LogMel(AudioLayer):
    """Mel spectrogram in dB below the loudest bin of its clip, equal to librosa's.

    It is `STFT`, `MelPower` and `Decibels` in a row. Where the spectrum has another use too,
    such as finding the beats, put those three together instead, and it is made only once.

    Call arguments:
        inputs: Audio `(batch, samples)` float32 at `sample_rate`, or a list of it and lengths
            `(batch,)` int32, in samples.

    Returns:
        `(batch, 1 + samples // hop_length, n_mels)` float32, in
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

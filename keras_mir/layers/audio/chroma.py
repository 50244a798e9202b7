"""Audio to pitch classes."""

from typing import Any

import keras
import tensorflow as tf

from keras_mir.layers.audio._cqt import BINS_PER_OCTAVE, folded_cqt
from keras_mir.layers.audio._tuning import estimate_tuning
from keras_mir.layers.audio.base import AudioLayer, frames_of, zero_past
from keras_mir.layers.base import Shape, Size


@keras.saving.register_keras_serializable("keras_mir")
class ChromaCQT(AudioLayer):
    """Constant-Q chromagram, the in-graph twin of `librosa.feature.chroma_cqt`.

    The tuning of each clip is estimated first and shifts its filters. Three bins a semitone
    over seven octaves from C1 are folded into pitch classes, and the loudest class of a frame
    is 1. A silent frame is 0. On music the two differ by less than 0.0001 on average, unless the
    votes for two tunings come out even and rounding decides.

    Call arguments:
        inputs: Audio `(batch, samples)` float32 at `sample_rate`, or a list of it and lengths
            `(batch,)` int32, in samples; without these every clip is as long as the batch. Audio
            past a clip's length is ignored. A length below 1 counts as 1.

    Returns:
        `(batch, 1 + samples // hop_length, n_chroma)` float32 under any precision policy, in
        [0, 1], C first. A clip fills its first `1 + length // hop_length` frames; those after
        them are 0.

    Args:
        sample_rate: In Hz, at least 8400: the highest filter ends just below half of that.
        hop_length: Samples from frame to frame.
        n_chroma: Number of pitch classes, a divisor of 36.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self, sample_rate: int = 22050, hop_length: int = 512, n_chroma: int = 12, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if sample_rate < 8400:
            raise ValueError(f"sample_rate {sample_rate}: seven octaves of chroma need 8400 Hz or more")
        if hop_length < 1:
            raise ValueError(f"hop_length {hop_length}: give a positive number of samples")
        if n_chroma < 1 or BINS_PER_OCTAVE % n_chroma:
            raise ValueError(f"n_chroma {n_chroma}: give a divisor of {BINS_PER_OCTAVE}")
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_chroma = n_chroma

    def call(self, inputs: Any) -> Any:
        audio, lengths = self.tensors(inputs)
        audio = zero_past(audio, lengths)
        tuning = estimate_tuning(audio, lengths, self.sample_rate, BINS_PER_OCTAVE)
        octave = folded_cqt(audio, lengths, tuning, self.sample_rate, self.hop_length)
        chroma = tf.matmul(octave, self._classes())  # (batch, frames, n_chroma)
        loudest = tf.reduce_max(chroma, axis=-1, keepdims=True)
        return zero_past(tf.math.divide_no_nan(chroma, loudest), 1 + lengths // self.hop_length)

    def _classes(self) -> Any:
        """Which class a bin belongs to, `(BINS_PER_OCTAVE, n_chroma)`: a class is centred on its bins."""
        merged = BINS_PER_OCTAVE // self.n_chroma
        nearest = (tf.range(BINS_PER_OCTAVE) + merged // 2) // merged % self.n_chroma
        return tf.one_hot(nearest, self.n_chroma)

    def _shapes(self, batch: Size, samples: Size) -> Shape:
        return (batch, frames_of(samples, self.hop_length), self.n_chroma)

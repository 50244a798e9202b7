"""The drums in a recording."""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_mir.layers.audio._running_median import running_median
from keras_mir.layers.audio.base import AudioLayer, each_clip, pad_to
from keras_mir.layers.audio.stft import inverse_stft
from keras_mir.layers.base import A_CLIP, Axes, Shape, Size

KERNEL = 31  # frames, and bins, of the two median filters


@keras.saving.register_keras_serializable("keras_mir")
class Percussive(AudioLayer):
    """The percussive part of each clip, as `librosa.effects.percussive` finds it.

    A median along time leaves sustained notes and takes away strokes, one along frequency does
    the opposite; what of every bin is percussive follows from the ratio of the two squared (D.
    Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010).

    Call arguments:
        inputs: A spectrum `(batch, frames, 1 + n_fft // 2, 2)` float32, as `STFT` gives it, or a
            list of it and lengths `(batch,)` int32, in samples; without these every clip is as
            long as so many frames can be. A length below 1 counts as 1.

    Returns:
        Audio `(batch, frames * hop_length - 1)` float32 under any precision policy, 0 past the end
        of a clip.

    Args:
        n_fft: Length of the spectrum's window in samples.
        hop_length: Samples from frame to frame of the spectrum.
    """

    takes: ClassVar[dict[str, Axes]] = {
        "spectrum": ("batch", "frames", "bins", "parts"),
        "lengths": A_CLIP,
    }

    def __init__(self, n_fft: int = 2048, hop_length: int = 512, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_fft = n_fft
        self.hop_length = hop_length

    def call(self, inputs: Any) -> Any:
        spectrum, lengths = self.tensors(inputs)
        samples = self._longest(spectrum)
        spectrum = tf.bitcast(spectrum, tf.complex64)  # (batch, frames, bins)

        def separate(clip: Any, length: Any) -> Any:
            clip = clip[: 1 + length // self.hop_length]  # its own frames: medians mirror at the last
            return pad_to(inverse_stft(_mask(clip), length, self.n_fft, self.hop_length), samples)

        return each_clip(separate, (spectrum, lengths), tf.TensorSpec([None], tf.float32))

    def _longest(self, x: Any) -> Any:
        return tf.shape(x)[1] * self.hop_length - 1  # the most samples that have so many frames

    def _shapes(self, batch: Size, frames: Size, *_: Size) -> Shape:
        return (batch, None if frames is None else frames * self.hop_length - 1)


def _mask(spectrum: Any) -> Any:
    """`(frames, bins)` complex64, with the share of each bin that is percussive."""
    magnitude = tf.abs(spectrum)
    harmonic = running_median(magnitude, KERNEL)
    percussive = tf.transpose(running_median(tf.transpose(magnitude), KERNEL))
    # The greater of the two is 1, so that squares of small numbers do not vanish.
    greater = tf.maximum(harmonic, percussive)
    share = tf.math.divide_no_nan(percussive, greater) ** 2
    rest = tf.math.divide_no_nan(harmonic, greater) ** 2
    mask = tf.where(greater < np.finfo(np.float32).tiny, 0.5, tf.math.divide_no_nan(share, share + rest))
    return spectrum * tf.cast(mask, tf.complex64)

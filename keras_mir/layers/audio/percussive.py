"""The drums in a recording."""

from functools import reduce
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_mir.layers.audio.base import AudioLayer, pad_to
from keras_mir.layers.audio.mel import inverse_stft
from keras_mir.layers.base import A_CLIP, Axes, Shape, Size
from pipelines.ops.beat_sync import merge_sorted
from pipelines.ops.portable import magnitude, map_each

COLUMNS = 64  # at a time: few enough for a processor's cache, enough to outweigh the cost of an op
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
            long as so many frames can be.

    Returns:
        Audio `(batch, frames * hop_length - 1)` float32, 0 past the end
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

        def separate(clip: Any, length: Any) -> Any:
            clip = clip[: 1 + length // self.hop_length]  # its own frames: medians mirror at the last
            return pad_to(inverse_stft(_mask(clip), length, self.n_fft, self.hop_length), samples)

        return map_each(separate, (spectrum, lengths), tf.TensorSpec([None], tf.float32))

    def _longest(self, x: Any) -> Any:
        return tf.shape(x)[1] * self.hop_length - 1  # the most samples that have so many frames

    def _shapes(self, batch: Size, frames: Size, *_: Size) -> Shape:
        return (batch, None if frames is None else frames * self.hop_length - 1)


def _mask(spectrum: Any) -> Any:
    """`(frames, bins, 2)`, with the share of each bin that is percussive."""
    loudness = magnitude(spectrum)
    harmonic = running_median(loudness, KERNEL)
    percussive = tf.transpose(running_median(tf.transpose(loudness), KERNEL))
    # The greater of the two is 1, so that squares of small numbers do not vanish.
    greater = tf.maximum(harmonic, percussive)
    share = tf.math.divide_no_nan(percussive, greater) ** 2
    rest = tf.math.divide_no_nan(harmonic, greater) ** 2
    mask = tf.where(greater < np.finfo(np.float32).tiny, 0.5, tf.math.divide_no_nan(share, share + rest))
    return spectrum * mask[..., tf.newaxis]


def running_median(values: Any, size: int) -> Any:
    """The median of the `size` values around each, along the first axis, mirrored at its ends.

    Equals `scipy.ndimage.median_filter(values, (size, 1), mode="reflect")`, from minima and maxima
    alone, which a processor takes of many rows at once. Windows that begin next to each other share
    almost all their values, so what is sorted of one is used by the others: runs of 1, 2, 4, ...
    neighbours are sorted, each from two shorter ones. Nothing is ever compared twice, and no window
    is stored. The idea is that of A. Adams, "Fast median filters using separable sorting networks"
    (ACM Transactions on Graphics 40(4), 2021).

    Args:
        values: `(n, columns)` float32.
        size: Values in a window: 1 less than a power of two, at least 3.

    Returns:
        A tensor like `values`.
    """
    n, columns = tf.shape(values)[0], tf.shape(values)[1]
    margin = size // 2
    # Mirrored as often as it takes: a clip may be shorter than the margin.
    period = tf.range(-margin, n + margin) % (2 * n)
    mirrored = tf.gather(values, tf.minimum(period, 2 * n - 1 - period))
    parts = (columns + COLUMNS - 1) // COLUMNS
    mirrored = tf.pad(mirrored, [[0, 0], [0, parts * COLUMNS - columns]])
    stacked = tf.transpose(tf.reshape(mirrored, [n + 2 * margin, parts, COLUMNS]), [1, 0, 2])
    medians = map_each(
        lambda part: _median_of_windows(part, size), (stacked,), tf.TensorSpec([None, COLUMNS], tf.float32)
    )
    return tf.reshape(tf.transpose(medians, [1, 0, 2]), [n, parts * COLUMNS])[:, :columns]


def _median_of_windows(values: Any, size: int) -> Any:
    """`(n, columns)` -> `(n - size + 1, columns)`."""
    run = [values]  # run[r][i] is the value of rank r among values[i], values[i + 1], ...
    while 2 * len(run) <= size:
        shift = len(run)
        run = merge_sorted([rank[:-shift] for rank in run], [rank[shift:] for rank in run])
    # Two runs of half a window have the middle value in common, which so counts twice. The window's
    # median is then one of the two middle values: the upper, if the one too many is not above it.
    shift = len(run) - 1
    first, second = [rank[:-shift] for rank in run], [rank[shift:] for rank in reversed(run)]
    lower = reduce(tf.maximum, map(tf.minimum, first, second))
    upper = reduce(tf.minimum, map(tf.maximum, first, second))
    return tf.where(values[shift:-shift] <= lower, upper, lower)

"""Audio of any sample rate, and of any number of channels, to one.

The ratio of the rates is rational, so the filter repeats
itself after a number of samples: a block of so many samples in gives a block of samples out by
the same matrix everywhere in a clip.
"""

import math
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_mir.layers.audio.base import AudioLayer, pad_to
from keras_mir.layers.base import A_CLIP, Axes, Shape, Size
from pipelines.limits import MAX_RATE, MIN_RATE
from pipelines.ops.portable import map_each

REJECTION = 126.0  # dB, of everything above the lower of the two Nyquist frequencies
PASSBAND = 0.913  # of that frequency, kept as it is; like librosa's default, soxr's "HQ"
MAX_TERM = 512  # of the ratio in lowest terms, on the side of the new rate

_TRANSITION = 1.0 - PASSBAND
_CUTOFF = 0.5 * (1.0 + PASSBAND)
# J. F. Kaiser's formulas for the window's shape, and for its half length in samples at the lower rate.
_BETA = 0.1102 * (REJECTION - 8.7)
_REACH = 0.5 * (REJECTION - 7.95) / (2.285 * math.pi * _TRANSITION)
_BLOCK = 128  # samples that come out of a block, at least: what makes a matrix product worth while


@keras.saving.register_keras_serializable("keras_mir")
class DownMix(AudioLayer):
    """The mean of all channels, as `librosa.to_mono` takes it.

    Call arguments:
        inputs: `(batch, samples, channels)` float32.

    Returns:
        `(batch, samples)` float32.
    """

    takes: ClassVar[dict[str, Axes]] = {"audio": ("batch", "samples", "channels")}

    def call(self, inputs: Any) -> Any:
        (audio,) = self.tensors(inputs)
        return ops.mean(audio, axis=-1)

    def _shapes(self, batch: Size, samples: Size, _: Size) -> Shape:
        return (batch, samples)


@keras.saving.register_keras_serializable("keras_mir")
class Resample(AudioLayer):
    """Bring clips to the sample rate a model was trained at, each from its own.

    Levels are kept up to 0.913 of the lower Nyquist frequency, and all that is above that
    frequency is 120 dB down. The method is band-limited interpolation (J. O. Smith and P. Gossett,
    "A flexible sampling-rate conversion method", ICASSP 1984) under J. F. Kaiser's window
    ("Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974). A clip
    that is at the right rate passes unchanged. The ratio of rates is exact if, in lowest terms, the
    new rate's is at most 512, as for all common ones; otherwise it is the nearest such
    ratio, which is at most 1.7 cents and as a rule a thousandth of one off.

    Call arguments:
        inputs: A list of audio `(batch, samples)` float32, lengths `(batch,)` int32, in
            samples, and sample rates in Hz, int32, `(batch,)` or one for all; or of audio and rates.

    Returns:
        A list of audio `(batch, new samples)` float32, 0 past the
        end of a clip, and the new lengths `(batch,)` int32, `ceil(length * sample_rate / rate)`.

    Args:
        sample_rate: The rate to bring clips to, in Hz.

    Raises:
        ValueError: If `sample_rate` is not in the range rates may be in.
        tf.errors.InvalidArgumentError: If a clip's rate is not, when called.
    """

    takes: ClassVar[dict[str, Axes]] = {"audio": ("batch", "samples"), "lengths": A_CLIP, "rates": ("...",)}

    def __init__(self, sample_rate: int = 22050, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not MIN_RATE <= sample_rate <= MAX_RATE:
            raise ValueError(f"sample_rate {sample_rate}: give {MIN_RATE} to {MAX_RATE} Hz")
        self.sample_rate = sample_rate

    def call(self, inputs: Any) -> list[Any]:
        audio, lengths, rates = self.tensors(inputs)
        in_range = tf.logical_and(rates >= MIN_RATE, rates <= MAX_RATE)
        message = f"sample rates are {MIN_RATE} to {MAX_RATE} Hz, got"
        with tf.control_dependencies([tf.Assert(tf.reduce_all(in_range), [message, rates])]):
            new_lengths = resampled_length(lengths, rates, self.sample_rate)
        longest = tf.maximum(tf.reduce_max(new_lengths), 0)

        def convert(samples: Any, length: Any, rate: Any) -> Any:
            return pad_to(resample(samples[:length], rate, self.sample_rate), longest)

        spec = tf.TensorSpec([None], tf.float32)
        return [map_each(convert, (audio, lengths, rates), spec), new_lengths]

    def compute_output_spec(self, inputs: Any) -> list[Any]:
        shapes = self.compute_output_shape([x.shape for x in self.named(inputs).values()])
        return [
            keras.KerasTensor(shape, dtype) for shape, dtype in zip(shapes, ("float32", "int32"), strict=True)
        ]

    def _shapes(self, batch: Size, _: Size) -> list[Shape]:
        return [(batch, None), (batch,)]


def resampled_length(samples: Any, rate: Any, target: int) -> Any:
    """Samples after a change of rate, `ceil(samples * target / rate)`, as int32."""
    samples, rate = tf.cast(samples, tf.int64), tf.cast(rate, tf.int64)
    return tf.cast((samples * target + rate - 1) // rate, tf.int32)


def resample(audio: Any, rate: Any, target: int) -> Any:
    """One clip, `(samples,)` float32, at another rate, `(ceil(samples * target / rate),)`.

    A rate that is a number, not a tensor, may be the target's own alone.
    """
    if not tf.is_tensor(rate) and rate == target:
        return audio
    samples = resampled_length(tf.shape(audio)[0], rate, target)
    return tf.cond(tf.equal(rate, target), lambda: audio, lambda: _resample(audio, rate, target, samples))


def _resample(audio: Any, rate: Any, target: int, samples: Any) -> Any:
    up, down = _ratio(rate, target)
    repeats = (_BLOCK + up - 1) // up
    block_in, block_out = repeats * down, repeats * up
    kernel, margin = _kernel(up, down, block_in, block_out)  # (blocks spanned, block_in, block_out)
    blocks = (samples + block_out - 1) // block_out + tf.shape(kernel)[0] - 1
    end = blocks * block_in - margin - tf.shape(audio)[0]
    padded = tf.pad(audio, [[margin, tf.maximum(end, 0)]])[: blocks * block_in]
    resampled = tf.nn.conv1d(tf.reshape(padded, [1, blocks, block_in]), kernel, 1, "VALID")
    return tf.reshape(resampled, [-1])[:samples]


def _ratio(rate: Any, target: int) -> tuple[Any, Any]:
    """`up / down`, the nearest to `target / rate` with `up` not above `MAX_TERM`.

    It is exact for all rates in common use. For half of all others it is off by less than a millionth,
    for one in two hundred by more than a tenth of a cent, at most by a thousandth (1.7 cents).
    """
    up = np.arange(1, MAX_TERM + 1, dtype=np.int64)
    exact = tf.cast(rate, tf.int64) * up  # down * target
    down = tf.maximum((2 * exact + target) // (2 * target), 1)
    best = tf.argmin(tf.abs(down * target - exact) / up)
    return tf.cast(tf.gather(up, best), tf.int32), tf.cast(tf.gather(down, best), tf.int32)


def _kernel(up: Any, down: Any, block_in: Any, block_out: Any) -> tuple[Any, Any]:
    """What each sample of a block out takes from those in.

    Time is counted in parts of which a sample in has `up` and a sample out `down`.

    Returns:
        `(blocks, block_in, block_out)` float32, where the first samples are `margin` samples
        before the block, and `margin`, int32.
    """
    longer = tf.cast(tf.maximum(up, down), tf.float64)  # a sample at the lower rate
    reach = tf.cast(tf.math.ceil(_REACH * longer), tf.int32)
    time = tf.cast(tf.range(-reach, reach + 1), tf.float64)
    window = tf.math.bessel_i0(_BETA * tf.sqrt(1.0 - (time / tf.cast(reach, tf.float64)) ** 2))
    phase = math.pi * _CUTOFF * time / longer
    sinc = tf.where(tf.equal(time, 0.0), tf.ones_like(time), tf.math.divide_no_nan(tf.sin(phase), phase))
    gain = _CUTOFF * tf.cast(up, tf.float64) / longer / float(np.i0(_BETA))
    impulse_response = tf.pad(tf.cast(gain * sinc * window, tf.float32), [[1, 1]])

    margin = (reach + up - 1) // up
    blocks = (block_in + 2 * margin + block_in - 1) // block_in
    position = up * (tf.range(blocks * block_in) - margin)[:, tf.newaxis] - down * tf.range(block_out)
    index = tf.clip_by_value(position, -reach - 1, reach + 1) + reach + 1
    return tf.reshape(tf.gather(impulse_response, index), [blocks, block_in, block_out]), margin

"""Audio of any sample rate to one."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_mir.layers.audio._sinc import resample, resampled_length
from keras_mir.layers.audio.base import AudioLayer, each_clip, pad_to
from keras_mir.layers.base import A_CLIP, Axes, Shape, Size
from pipelines.ops.wav import MAX_RATE, MIN_RATE


@keras.saving.register_keras_serializable("keras_mir")
class Resample(AudioLayer):
    """Bring clips to the sample rate a model was trained at, each from its own.

    Levels are kept up to 0.913 of the lower Nyquist frequency, and all that is above that
    frequency is 120 dB down. The method is band-limited interpolation by a Kaiser-windowed sinc
    (J. O. Smith and P. Gossett, "A flexible sampling-rate conversion method", ICASSP 1984). A clip
    that is at the right rate passes unchanged. The ratio of rates is exact if, in lowest terms,
    the new rate's is at most 512, as for all common ones; otherwise it is the nearest such
    ratio, which is at most 1.7 cents and as a rule a thousandth of one off.

    Call arguments:
        inputs: A list of audio `(batch, samples)` float32, lengths `(batch,)` int32, in
            samples, and sample rates in Hz, int32, `(batch,)` or one for all; or of audio and
            rates, where every clip is as long as the batch. Audio past a clip's length is ignored.
            A length below 1 counts as 1.

    Returns:
        A list of audio `(batch, new samples)` float32 under any precision policy, 0 past the
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
        return [each_clip(convert, (audio, lengths, rates), spec), new_lengths]

    def compute_output_spec(self, inputs: Any) -> list[Any]:
        shapes = self.compute_output_shape([x.shape for x in self.named(inputs).values()])
        return [
            keras.KerasTensor(shape, dtype) for shape, dtype in zip(shapes, ("float32", "int32"), strict=True)
        ]

    def _shapes(self, batch: Size, _: Size) -> list[Shape]:
        return [(batch, None), (batch,)]

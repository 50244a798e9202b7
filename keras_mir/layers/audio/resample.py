"""Audio of any sample rate to one."""

from typing import Any

import keras
import tensorflow as tf

from keras_mir.layers.audio._audio import each_clip, pad_to, valid_lengths
from keras_mir.layers.audio._sinc import resample, resampled_length
from pipelines.ops.wav import MAX_RATE, MIN_RATE


@keras.saving.register_keras_serializable("keras_mir")
class Resample(keras.layers.Layer):
    """Bring clips to the sample rate a model was trained at, each from its own.

    Levels are kept up to 0.913 of the lower Nyquist frequency, and all that is above that
    frequency is 120 dB down. The method is band-limited interpolation by a Kaiser-windowed sinc
    (J. O. Smith and P. Gossett, "A flexible sampling-rate conversion method", ICASSP 1984). A clip
    that is at the right rate passes unchanged. The ratio of rates is exact if, in lowest terms,
    the new rate's is at most 512, as for all common ones; otherwise it is the nearest such
    ratio, which is at most 1.7 cents and as a rule a thousandth of one off.

    Call arguments:
        inputs: A list of audio `(batch, samples)` float32, lengths `(batch,)` int32, in
            samples, and sample rates in Hz, int32, `(batch,)` or one for all. Audio past a
            clip's length is ignored. A length below 1 counts as 1.

    Returns:
        A list of audio `(batch, new samples)` float32 under any precision policy, 0 past the
        end of a clip, and the new lengths `(batch,)` int32, `ceil(length * sample_rate / rate)`.

    Args:
        sample_rate: The rate to bring clips to, in Hz.

    Raises:
        ValueError: If `sample_rate` is not in the range rates may be in.
        tf.errors.InvalidArgumentError: If a clip's rate is not, when called.
    """

    def __init__(self, sample_rate: int = 22050, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})  # half precision is too coarse for audio
        if not MIN_RATE <= sample_rate <= MAX_RATE:
            raise ValueError(f"sample_rate {sample_rate}: give {MIN_RATE} to {MAX_RATE} Hz")
        self.sample_rate = sample_rate
        self.supports_masking = True

    def call(self, inputs: list[Any]) -> list[Any]:
        audio, lengths, rates = inputs
        lengths = valid_lengths(lengths, tf.shape(audio)[1])
        rates = tf.broadcast_to(tf.cast(rates, tf.int32), tf.shape(lengths))
        in_range = tf.logical_and(rates >= MIN_RATE, rates <= MAX_RATE)
        message = f"sample rates are {MIN_RATE} to {MAX_RATE} Hz, got"
        with tf.control_dependencies([tf.Assert(tf.reduce_all(in_range), [message, rates])]):
            new_lengths = resampled_length(lengths, rates, self.sample_rate)
        longest = tf.maximum(tf.reduce_max(new_lengths), 0)

        def convert(samples: Any, length: Any, rate: Any) -> Any:
            return pad_to(resample(samples[:length], rate, self.sample_rate), longest)

        spec = tf.TensorSpec([None], tf.float32)
        return [each_clip(convert, (audio, lengths, rates), spec), new_lengths]

    def compute_mask(self, inputs: list[Any], previous_mask: Any = None) -> list[None]:
        return [None, None]

    def compute_output_spec(self, inputs: list[Any]) -> list[Any]:
        audio, lengths = self.compute_output_shape([x.shape for x in inputs])
        return [keras.KerasTensor(audio, dtype="float32"), keras.KerasTensor(lengths, dtype="int32")]

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> list[tuple[int | None, ...]]:
        batch, _ = input_shape[0]
        return [(batch, None), (batch,)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sample_rate": self.sample_rate}

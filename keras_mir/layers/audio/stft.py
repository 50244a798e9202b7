"""Audio to its spectrum, frame by frame."""

from typing import Any

import keras
import tensorflow as tf

from keras_mir.layers.audio._audio import valid_lengths, zero_past
from keras_mir.layers.audio._stft import stft


@keras.saving.register_keras_serializable("keras_mir")
class STFT(keras.layers.Layer):
    """Short-time Fourier transform, the in-graph twin of `librosa.stft`.

    Frame t is centred on sample `t * hop_length`, under a periodic Hann window. A clip of a
    padded batch gives what it gives alone. The real and the imaginary part are two entries of
    the last axis, since Keras 3.5 knows no complex tensors.

    Call arguments:
        inputs: A list of audio `(batch, samples)` float32 and lengths `(batch,)` int32, in
            samples. Audio past a clip's length is ignored. A length below 1 counts as 1.

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
        super().__init__(**{**kwargs, "dtype": "float32"})  # half precision is too coarse for audio
        if n_fft < 2 or n_fft % 2:
            raise ValueError(f"n_fft {n_fft}: give an even number of samples")
        if hop_length < 1:
            raise ValueError(f"hop_length {hop_length}: give a positive number of samples")
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.supports_masking = True

    def call(self, inputs: list[Any]) -> Any:
        audio, lengths = inputs
        lengths = valid_lengths(lengths, tf.shape(audio)[1])
        audio = zero_past(audio, lengths)
        spectrum = stft(audio, self.n_fft, self.hop_length)  # (batch, frames, bins)
        # The last frames past the end still reach back into the clip.
        spectrum = zero_past(spectrum, 1 + lengths // self.hop_length)
        return tf.bitcast(spectrum, tf.float32)  # a complex number is its two parts

    def compute_mask(self, inputs: list[Any], previous_mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        batch, samples = input_shape[0]
        frames = None if samples is None else 1 + samples // self.hop_length
        return (batch, frames, 1 + self.n_fft // 2, 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_fft": self.n_fft, "hop_length": self.hop_length}

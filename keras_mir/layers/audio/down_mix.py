"""Channels to one."""

from typing import Any, ClassVar

import keras
from keras import ops

from keras_mir.layers.audio.base import AudioLayer
from keras_mir.layers.base import Axes, Shape, Size


@keras.saving.register_keras_serializable("keras_mir")
class DownMix(AudioLayer):
    """The mean of all channels, as `librosa.to_mono` takes it.

    Call arguments:
        inputs: `(batch, samples, channels)` float32.

    Returns:
        `(batch, samples)` float32 under any precision policy.
    """

    takes: ClassVar[dict[str, Axes]] = {"audio": ("batch", "samples", "channels")}

    def call(self, inputs: Any) -> Any:
        (audio,) = self.tensors(inputs)
        return ops.mean(audio, axis=-1)

    def _shapes(self, batch: Size, samples: Size, _: Size) -> Shape:
        return (batch, samples)

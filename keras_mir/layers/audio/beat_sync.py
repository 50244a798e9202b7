"""One step a beat."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_mir.layers.audio.base import AudioLayer, each_clip, pad_to
from keras_mir.layers.base import A_CLIP, Axes, Shape, Size
from pipelines.ops.beat_sync import beat_sync
from pipelines.ops.beats import fixed_step_beats
from pipelines.spec import FeatureSpec


@keras.saving.register_keras_serializable("keras_mir")
class BeatSync(AudioLayer):
    """The median of every band between beats, as `librosa.util.sync` takes it.

    Mel is taken as power, and is in dB below its loudest step afterwards. Where a clip has no
    beats, steps are half a second long: one step for a whole clip would be no sequence.

    Call arguments:
        inputs: A list of features `(batch, time, bands)` float32, mel in dB first, then chroma;
            lengths `(batch,)` int32, in frames, below 1 counting as 1; and beats `(batch, most)`
            int32, increasing frames, where -1 and what is past the length is none. Lengths may be
            left out: every clip is then as long as the batch.

    Returns:
        A dictionary of `features` `(batch, steps, bands)` float32 under any precision policy,
        0 past the end of a clip, and `lengths` `(batch,)` int32, in steps. n beats after frame
        0 give n + 1 steps.

    Args:
        sample_rate: Of the audio, in Hz.
        hop_length: Samples from frame to frame.
        n_mels: Number of leading bands that are mel.
        top_db: Range of the mel bands in dB.
    """

    takes: ClassVar[dict[str, Axes]] = {
        "features": ("batch", "time", "bands"),
        "lengths": A_CLIP,
        "beats": ("batch", "most"),
    }

    def __init__(
        self,
        sample_rate: int = 22050,
        hop_length: int = 512,
        n_mels: int = 128,
        top_db: float = 80.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.top_db = top_db

    def call(self, inputs: Any) -> dict[str, Any]:
        features, lengths, beats = self.tensors(inputs)
        spec = FeatureSpec(
            sample_rate=self.sample_rate,
            hop_length=self.hop_length,
            n_mels=self.n_mels,
            top_db=self.top_db,
        )
        bands = features.shape[-1]

        def synchronise(clip: Any, length: Any, found: Any) -> tuple[Any, Any]:
            found = tf.boolean_mask(found, tf.logical_and(found >= 0, found < length))
            boundaries = tf.cond(
                tf.size(found) > 0,
                lambda: found,
                lambda: fixed_step_beats(length, spec),
            )
            synced = beat_sync(clip[:length], boundaries, spec)
            return pad_to(synced, tf.shape(features)[1]), tf.shape(synced)[0]

        synced, steps = each_clip(
            synchronise,
            (features, lengths, beats),
            (tf.TensorSpec([None, bands], tf.float32), tf.TensorSpec([], tf.int32)),
        )
        synced = synced[:, : tf.maximum(tf.reduce_max(steps), 0)]
        return {"features": synced, "lengths": steps}

    def _shapes(self, batch: Size, _: Size, bands: Size) -> dict[str, Shape]:
        return {"features": (batch, None, bands), "lengths": (batch,)}

"""Audio to what a model reads."""

from typing import Any

import keras
import tensorflow as tf

from keras_mir.layers.audio.base import AudioLayer, frames_of
from keras_mir.layers.audio.beats import BeatSync, BeatTracker
from keras_mir.layers.audio.chroma import ChromaCQT
from keras_mir.layers.audio.mel import STFT, Decibels, MelPower
from keras_mir.layers.audio.percussive import Percussive
from keras_mir.layers.base import Shape, Size
from pipelines.spec import FEATURES, FeatureSpec

# Where a beat is synchronised, the floor comes after the median: the loudest median is quieter than
# the loudest frame, and what lies 80 dB below it would be cut off.
_NO_FLOOR = 1000.0  # dB


@keras.saving.register_keras_serializable("keras_mir")
class FrontEnd(AudioLayer):
    """The features that `keras_mir.prepare` extracts, in the graph.

    Mel, chroma or both, frame by frame or one column per beat, as the reference recipe makes them
    with librosa: beats are tracked in the percussive part.

    Call arguments:
        inputs: Audio `(batch, samples)` float32 at `sample_rate`, or a list of it and lengths
            `(batch,)` int32, in samples.

    Returns:
        A dictionary: `features` `(batch, time, bands)` float32, mel
        in dB below the loudest bin and then chroma, and `lengths` `(batch,)` int32, in steps.
        With `sync = "beat"` also `tempo` `(batch,)` float32 in beats per minute, 0 where there is
        none, `beats` `(batch, most)` int32, frames and then -1, and `beat_counts` `(batch,)`.

    Args:
        feature: `mel`, `chroma` or `fused`.
        sync: `none`, or `beat` for one column per beat.
        spec: What to make, as `FeatureSpec.to_dict` gives it.

    Raises:
        ValueError: If an argument is none of these.
    """

    def __init__(
        self, feature: str = "mel", sync: str = "none", spec: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if feature not in FEATURES or sync not in ("none", "beat"):
            raise ValueError(
                f"feature {feature!r}, sync {sync!r}: give mel, chroma or fused, and none or beat"
            )
        self.feature = feature
        self.sync = sync
        self.spec = FeatureSpec.from_dict(spec or {}).to_dict()
        made = FeatureSpec.from_dict(self.spec)
        self._made = made
        self.stft = STFT(made.n_fft, made.hop_length)
        self.mel_power = MelPower(made.sample_rate, made.n_fft, made.n_mels)
        self.decibels = Decibels(_NO_FLOOR if sync == "beat" else made.top_db)
        self.chroma = ChromaCQT(made.sample_rate, made.hop_length, made.n_chroma)
        self.percussive = Percussive(made.n_fft, made.hop_length)
        self.beat_tracker = BeatTracker(made.sample_rate, made.hop_length)
        self.beat_sync = BeatSync(made.sample_rate, made.hop_length, made.n_mels, made.top_db)

    def call(self, inputs: Any) -> dict[str, Any]:
        audio, lengths = self.tensors(inputs)
        frames = 1 + lengths // self._made.hop_length
        if self.sync == "none" and self.feature == "chroma":
            return {"features": self.chroma([audio, lengths]), "lengths": frames}
        spectrum = self.stft([audio, lengths])
        bands = [self.decibels([self.mel_power(spectrum), frames])]
        if self.feature != "mel":
            bands.append(self.chroma([audio, lengths]))
        features = tf.concat(bands, axis=-1)
        if self.sync == "none":
            return {"features": features, "lengths": frames}
        tracked = self.beat_tracker([self.percussive([spectrum, lengths]), lengths])
        synced = self.beat_sync([features, frames, tracked["beats"]])
        if self.feature == "chroma":
            synced["features"] = synced["features"][..., self._made.n_mels :]
        return {**synced, **{name: tracked[name] for name in ("tempo", "beats", "beat_counts")}}

    def _shapes(self, batch: Size, samples: Size) -> dict[str, Shape]:
        time = None if self.sync == "beat" else frames_of(samples, self._made.hop_length)
        shapes: dict[str, Shape] = {
            "features": (batch, time, self._made.width(self.feature)),
            "lengths": (batch,),
        }
        beats: dict[str, Shape] = {"tempo": (batch,), "beats": (batch, None), "beat_counts": (batch,)}
        return shapes | beats if self.sync == "beat" else shapes

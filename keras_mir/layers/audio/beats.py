"""Audio to tempo and beats, and features to one step per beat."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_mir.layers.audio.base import AudioLayer, frames_of, pad_to
from keras_mir.layers.audio.mel import mel_bands, stft
from keras_mir.layers.base import A_CLIP, Axes, Shape, Size
from pipelines.ops.beat_sync import beat_sync, power_to_db
from pipelines.ops.beats import fixed_step_beats, track_beats
from pipelines.ops.portable import is_portable, magnitude, map_each, wide
from pipelines.ops.tempo import tempo
from pipelines.spec import FeatureSpec

N_FFT, N_MELS, TOP_DB = 2048, 128, 80.0  # of librosa's onset strength, whatever the features'


@keras.saving.register_keras_serializable("keras_mir")
class BeatTracker(AudioLayer):
    """Onset envelope, tempo and beats, the in-graph twin of `librosa.beat.beat_track(y=...)`.

    The tracker is that of D. P. W. Ellis, "Beat tracking by dynamic programming" (Journal of New
    Music Research 36(1), 2007). Given the percussive part of a clip (`Percussive`), it finds the
    beats that the features of a training set were made with.

    Call arguments:
        inputs: Audio `(batch, samples)` float32 at `sample_rate`, or a list of it and lengths
            `(batch,)` int32, in samples.

    Returns:
        A dictionary.

        - `onset_envelope`: `(batch, frames)` float32, the median rise in dB over the mel bands, 0 past the
          end of a clip; `frames` is `1 + samples // hop_length`.
        - `tempo`: `(batch,)` float32, in beats per minute; 0 where no beat is found.
        - `beats`: `(batch, most)` int32, increasing frames, then -1; `most` is the number of beats of the
          clip that has most of them, and may be 0.
        - `beat_counts`: `(batch,)` int32.

    Args:
        sample_rate: In Hz.
        hop_length: Samples from frame to frame.
    """

    def __init__(self, sample_rate: int = 22050, hop_length: int = 512, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sample_rate = sample_rate
        self.hop_length = hop_length

    def call(self, inputs: Any) -> dict[str, Any]:
        audio, lengths = self.tensors(inputs)
        frames = 1 + tf.shape(audio)[1] // self.hop_length
        spec = FeatureSpec(
            sample_rate=self.sample_rate, n_fft=N_FFT, hop_length=self.hop_length, n_mels=N_MELS
        )

        def track(samples: Any, length: Any) -> dict[str, Any]:
            envelope = _onset_envelope(samples[:length], spec)
            found = track_beats(envelope, spec)
            count = tf.math.count_nonzero(found >= 0, dtype=tf.int32)
            bpm = tf.cond(count > 0, lambda: tempo(envelope, spec), lambda: tf.zeros([], wide()))
            return {
                "onset_envelope": pad_to(envelope, frames),
                "tempo": tf.cast(bpm, tf.float32),
                "beats": pad_to(found, frames, -1),
                "beat_counts": count,
            }

        tracked = map_each(
            track,
            (audio, lengths),
            {
                "onset_envelope": tf.TensorSpec([None], tf.float32),
                "tempo": tf.TensorSpec([], tf.float32),
                "beats": tf.TensorSpec([None], tf.int32),
                "beat_counts": tf.TensorSpec([], tf.int32),
            },
        )
        # Other runtimes are given a -1 rather than an empty tensor.
        most = tf.maximum(tf.reduce_max(tracked["beat_counts"]), 1 if is_portable() else 0)
        return {**tracked, "beats": tracked["beats"][:, :most]}

    def _shapes(self, batch: Size, samples: Size) -> dict[str, Shape]:
        return {
            "onset_envelope": (batch, frames_of(samples, self.hop_length)),
            "tempo": (batch,),
            "beats": (batch, None),
            "beat_counts": (batch,),
        }


def _onset_envelope(audio: Any, spec: FeatureSpec) -> Any:
    """Equals `librosa.onset.onset_strength(y=audio, aggregate=np.median)`, `(frames,)` float32."""
    power = magnitude(stft(audio, spec.n_fft, spec.hop_length)) ** 2  # (frames, bins)
    mel = power_to_db(mel_bands(power, spec.sample_rate, spec.n_fft, spec.n_mels))
    mel = tf.maximum(mel, tf.reduce_max(mel) - TOP_DB)
    rise = tf.sort(tf.nn.relu(mel[1:] - mel[:-1]), axis=-1)  # (frames - 1, n_mels)
    median = 0.5 * (rise[:, spec.n_mels // 2 - 1] + rise[:, spec.n_mels // 2])
    delay = 1 + spec.n_fft // (2 * spec.hop_length)  # half a window, to line up with the audio
    return tf.pad(median, [[delay, 0]])[: tf.shape(mel)[0]]


@keras.saving.register_keras_serializable("keras_mir")
class BeatSync(AudioLayer):
    """The median of every band between beats, as `librosa.util.sync` takes it.

    Mel is taken as power, and is in dB below its loudest step afterwards. Where a clip has no
    beats, steps are half a second long: one step for a whole clip would be no sequence.

    Call arguments:
        inputs: A list of features `(batch, time, bands)` float32, mel in dB first, then chroma;
            lengths `(batch,)` int32, in frames, which may be left out; and beats `(batch, most)`
            int32, increasing frames, where -1 and what is past the length is none.

    Returns:
        A dictionary of `features` `(batch, steps, bands)` float32,
        0 past the end of a clip, and `lengths` `(batch,)` int32, in steps. n beats after frame
        0 give n + 1 steps.

    Args:
        sample_rate: Sample rate of the audio, in Hz.
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

        synced, steps = map_each(
            synchronise,
            (features, lengths, beats),
            (tf.TensorSpec([None, bands], tf.float32), tf.TensorSpec([], tf.int32)),
        )
        synced = synced[:, : tf.maximum(tf.reduce_max(steps), 0)]
        return {"features": synced, "lengths": steps}

    def _shapes(self, batch: Size, _: Size, bands: Size) -> dict[str, Shape]:
        return {"features": (batch, None, bands), "lengths": (batch,)}

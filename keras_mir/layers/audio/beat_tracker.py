"""Audio to tempo and beats."""

from typing import Any

import keras
import tensorflow as tf

from keras_mir.layers.audio.base import AudioLayer, each_clip, frames_of, pad_to
from keras_mir.layers.audio.decibels import power_to_db
from keras_mir.layers.audio.mel_power import mel_bands
from keras_mir.layers.audio.stft import stft
from keras_mir.layers.base import Shape, Size
from pipelines.ops.beats import track_beats
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
            `(batch,)` int32, in samples; without these every clip is as long as the batch. Audio
            past a clip's length is ignored. A length below 1 counts as 1.

    Returns:
        A dictionary, under any precision policy:
            `onset_envelope`: `(batch, frames)` float32, the median rise in dB over the mel bands,
                0 past the end of a clip; `frames` is `1 + samples // hop_length`.
            `tempo`: `(batch,)` float32, in beats per minute; 0 where no beat is found.
            `beats`: `(batch, most)` int32, increasing frames, then -1; `most` is the number of
                beats of the clip that has most of them, and may be 0.
            `beat_counts`: `(batch,)` int32.

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
            count = tf.size(found)
            bpm = tf.cond(count > 0, lambda: tempo(envelope, spec), lambda: tf.zeros([], tf.float64))
            return {
                "onset_envelope": pad_to(envelope, frames),
                "tempo": tf.cast(bpm, tf.float32),
                "beats": pad_to(found, frames, -1),
                "beat_counts": count,
            }

        tracked = each_clip(
            track,
            (audio, lengths),
            {
                "onset_envelope": tf.TensorSpec([None], tf.float32),
                "tempo": tf.TensorSpec([], tf.float32),
                "beats": tf.TensorSpec([None], tf.int32),
                "beat_counts": tf.TensorSpec([], tf.int32),
            },
        )
        most = tf.maximum(tf.reduce_max(tracked["beat_counts"]), 0)
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
    power = tf.abs(stft(audio, spec.n_fft, spec.hop_length)) ** 2  # (frames, bins)
    mel = power_to_db(mel_bands(power, spec.sample_rate, spec.n_fft, spec.n_mels))
    mel = tf.maximum(mel, tf.reduce_max(mel) - TOP_DB)
    rise = tf.sort(tf.nn.relu(mel[1:] - mel[:-1]), axis=-1)  # (frames - 1, n_mels)
    median = 0.5 * (rise[:, spec.n_mels // 2 - 1] + rise[:, spec.n_mels // 2])
    delay = 1 + spec.n_fft // (2 * spec.hop_length)  # half a window, to line up with the audio
    return tf.pad(median, [[delay, 0]])[: tf.shape(mel)[0]]

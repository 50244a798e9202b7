"""From sound, or from a spectrogram of it, to what a pretrained network says of each patch."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from keras_mir.layers.audio.base import zero_past
from keras_mir.layers.audio.mel import STFT, Decibels, LogCompression, MelPower
from keras_mir.layers.audio.resample import DownMix, Resample
from keras_mir.models.pretrained.musicnn import BANDS, PATCH
from keras_mir.models.pretrained.networks import NETWORKS
from keras_mir.models.pretrained.rebuilt import REBUILT
from pipelines.ops.beat_sync import power_to_db
from pipelines.ops.portable import map_each
from pipelines.spec import EMBEDDINGS, FeatureSpec, VectorSpec

SAMPLE_RATE = 16000  # Hz
N_FFT = 512
HOP = 256
COMPRESSION = 10_000.0
AUDIO, MEL, MEL_AND_LEVEL = "audio", "mel", "mel and level"  # what vectors are made from
PATCH_SECONDS = PATCH * HOP / SAMPLE_RATE

# Of the loudest mel bin of a clip, in dB: the median of mastered music, for clips whose own is not known.
_LEVEL = 34.6


def embedding_spec(network: str, made_from: str, mel: FeatureSpec) -> VectorSpec:
    """What the vectors of a network are.

    Args:
        network: Its name.
        made_from: `audio`, `mel` or `mel and level`.
        mel: What the spectrogram was made with.
    """
    rate = SAMPLE_RATE if made_from == AUDIO else mel.sample_rate
    return VectorSpec(network, EMBEDDINGS[network], made_from, rate)


class PatchVectors(tf.Module):
    """A pretrained network, up to what it keeps of each patch of 3 s.

    Patches follow one another; what is left at the end is too short for one more, and a clip that is
    shorter than a patch is repeated until it fills one.

    Args:
        network: A name in `NETWORKS`.

    Raises:
        UserError: If its weights are not there.
    """

    def __init__(self, network: str) -> None:
        super().__init__()
        self.model = REBUILT[network].pooled_network(NETWORKS[network].weights())
        self.size = EMBEDDINGS[network]

    def __call__(self, mel: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """The vectors of clips.

        Args:
            mel: `(batch, frames, 96)` float32, compressed mel at 62.5 frames a second.
            lengths: `(batch,)` int32, in frames, at least 1.

        Returns:
            `features` `(batch, patches, size)` float32 and `lengths` `(batch,)` int32, in patches.
        """
        batch, frames = tf.shape(mel)[0], tf.shape(mel)[1]
        patches = tf.maximum(frames // PATCH, 1)
        time = tf.range(patches * PATCH)[None]
        repeated = tf.where(lengths[:, None] < PATCH, time % lengths[:, None], time)
        filled = tf.gather(mel, tf.minimum(repeated, frames - 1), batch_dims=1)
        each = tf.reshape(filled, (-1, PATCH, BANDS))
        # One after the other: the maps of a patch take 20 MB, and a song has hundreds of them.
        vectors = map_each(
            lambda patch: self.model(patch[None], training=False)[0],
            (each,),
            tf.TensorSpec([self.size], tf.float32),
        )
        return {
            "features": tf.reshape(vectors, (batch, patches, self.size)),
            "lengths": tf.maximum(lengths // PATCH, 1),
        }


class PretrainedFrontEnd(tf.Module):
    """Sound to the vectors of a pretrained network, as `FrontEnd` makes spectrograms of it.

    Args:
        spec: Which network, and what it is given.

    Raises:
        UserError: If its weights are not there.
    """

    def __init__(self, spec: VectorSpec) -> None:
        super().__init__()
        self.vectors = PatchVectors(spec.maker)
        self._made_from = spec.made_from
        self._standard = FeatureSpec()
        if spec.made_from == AUDIO:
            self.stft, self.mel_power = STFT(N_FFT, HOP), MelPower(SAMPLE_RATE, N_FFT, BANDS)
            self.compress = LogCompression(COMPRESSION)
        else:
            made = self._standard
            self.stft = STFT(made.n_fft, made.hop_length)
            self.mel_power = MelPower(made.sample_rate, made.n_fft, made.n_mels)
            self.decibels = Decibels(made.top_db)

    def __call__(self, inputs: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """The vectors of clips.

        Args:
            inputs: Audio `(batch, samples)` float32 at the spec's sample rate, and lengths `(batch,)`
                int32, in samples.

        Returns:
            As `PatchVectors`.
        """
        audio, lengths = inputs
        power = self.mel_power(self.stft([audio, lengths]))
        if self._made_from == AUDIO:
            return self.vectors(self.compress(power), 1 + lengths // HOP)
        frames = 1 + lengths // self._standard.hop_length
        mel, level = self.decibels([power, frames]), None
        if self._made_from == MEL_AND_LEVEL:
            level = tf.reduce_max(power_to_db(zero_past(power, frames)), axis=[1, 2])
        return self.vectors(*network_input(mel, frames, self._standard, level))


class ClipVectors:
    """The vectors of sound of any rate, as a model that is built on them would make them.

    Args:
        spec: Which network, and what it is given.

    Raises:
        UserError: If its weights are not there.
    """

    def __init__(self, spec: VectorSpec) -> None:
        front_end, resample, down_mix = PretrainedFrontEnd(spec), Resample(spec.sample_rate), DownMix()

        @tf.function(
            input_signature=[tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([], tf.int32)],
            autograph=False,
        )
        def of_clip(samples: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
            mono = down_mix(samples[None])
            audio, lengths = resample([mono, tf.shape(mono)[1:2], rate[None]])
            return front_end([audio, lengths])["features"][0]

        self._of_clip = of_clip

    def __call__(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """The vectors of a clip.

        Args:
            samples: `(n,)` or `(channels, n)`, from -1 to 1.
            rate: In Hz.

        Returns:
            float32 `(patches, size)`.
        """
        channels = np.atleast_2d(np.asarray(samples, np.float32))
        vectors: np.ndarray = self._of_clip(channels.T, np.int32(rate)).numpy()
        return vectors


def network_input(
    mel: tf.Tensor, lengths: tf.Tensor, spec: FeatureSpec, level: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network would have been given, as near as a spectrogram made for others tells.

    Bands are mixed to those at 16 kHz, and frames interpolated.

    Args:
        mel: `(batch, frames, n_mels)` float32, in dB below the clip's loudest bin.
        lengths: `(batch,)` int32, in frames.
        spec: What it was made with.
        level: `(batch,)` float32, of the loudest bins, in dB; None where it is not known, and then it is
            that of mastered music.

    Returns:
        Compressed mel `(batch, frames, 96)` float32 at 62.5 frames a second, and lengths.
    """
    level = tf.constant([_LEVEL]) if level is None else level
    power = tf.pow(10.0, (mel + level[:, None, None]) / 10.0)
    mixed = tf.matmul(power, tf.constant(_band_matrix(spec)))
    compressed = LogCompression(COMPRESSION)(mixed)
    ratio = spec.frame_rate * HOP / SAMPLE_RATE  # frames of the spectrogram for one of the network's
    frames = tf.shape(mel)[1]
    new_lengths = tf.maximum(tf.cast(tf.cast(lengths, tf.float32) / ratio, tf.int32), 1)
    count = tf.reduce_max(new_lengths)
    place = tf.cast(tf.range(count), tf.float32) * ratio
    before = tf.minimum(tf.cast(place, tf.int32), frames - 1)
    after = tf.minimum(before + 1, frames - 1)
    share = (place - tf.cast(before, tf.float32))[None, :, None]
    between = (
        tf.gather(compressed, before, axis=1) * (1 - share) + tf.gather(compressed, after, axis=1) * share
    )
    return between, new_lengths


def _band_matrix(spec: FeatureSpec) -> np.ndarray:
    """float32 `(n_mels, 96)`: each of the network's bands as a mixture of the spectrogram's.

    The least-squares solution over the frequencies of the spectrogram, without negative shares.
    """
    from librosa.filters import mel as mel_filters
    from scipy.optimize import nnls

    there = mel_filters(sr=spec.sample_rate, n_fft=spec.n_fft, n_mels=spec.n_mels)
    highest = min(SAMPLE_RATE, spec.sample_rate) / 2
    wanted = mel_filters(sr=spec.sample_rate, n_fft=spec.n_fft, n_mels=BANDS, fmax=highest)
    # A window of n_fft samples gathers as much more power, and its bins lie as much closer.
    scale = (N_FFT**2 / SAMPLE_RATE) / (spec.n_fft**2 / spec.sample_rate)
    shares = np.stack([nnls(there.T, row)[0] for row in wanted], axis=1)
    return (scale * shares).astype(np.float32)

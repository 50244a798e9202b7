"""A trained model that answers to sound."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_mir.layers import DownMix, FrontEnd, Resample
from keras_mir.layers.audio.base import pad_to, zero_past
from keras_mir.models.limits import MAX_SECONDS, WINDOW_SECONDS
from keras_mir.models.pretrained.front_end import PretrainedFrontEnd
from keras_mir.models.report import Dataset
from keras_mir.models.session import with_text
from keras_mir.recipes.outputs import GENRE, PROBABILITIES, check_targets
from pipelines.errors import UserError
from pipelines.limits import CANCELLED, CANCELS, MAX_LEVEL, MAX_RATE, MIN_RATE, MIN_SECONDS, SILENCE
from pipelines.ops.wav import decode_wav
from pipelines.ops.windows import Windows, by_clip, cut
from pipelines.settings import InputSettings
from pipelines.source import padding_values
from pipelines.spec import FeatureSpec, Spec

_MOST_BEATS = 256  # in a window; 320 a minute are the most that are tracked
_NO_BEAT = -1.0  # fills up beat times

Outputs = dict[str, tf.Tensor]


def note_for(dataset: Dataset) -> str:
    """What to say with every answer of a model trained on a data set; empty for recorded music."""
    said = "trained on generated music: what it says of recorded music means nothing"
    return said if dataset.synthetic else ""


class AudioModel(tf.Module):
    """Sound in, answers out: resampling, windows, features, model, and the mean over windows.

    Args:
        model: A model of `keras_mir.models`.
        names: Of what it gives probabilities of, genres or tags, in index order; None for an affect model.
        settings: The input settings of its recipe.
        frames: How many frames or beats the model reads, or None for any number.
        spec: What its features were made with.
        note: What to say with every answer; see `note_for`.
        patch_seconds: Of the patches that a network was trained on, which are its windows, one after the
            other; 0 for windows of `WINDOW_SECONDS` that cover a clip.

    Raises:
        UserError: If an affect target has the name of another output, or the model takes no sound.
    """

    def __init__(
        self,
        model: keras.Model,
        names: Sequence[str] | None,
        settings: InputSettings,
        frames: int | None,
        spec: Spec,
        note: str = "",
        patch_seconds: float = 0.0,
    ) -> None:
        super().__init__()
        check_targets(() if names is not None else model.output)
        self.model = model
        self._note = note
        self._names = list(names) if names is not None else None
        self._window = round((patch_seconds or WINDOW_SECONDS) * spec.sample_rate)
        self._patches = patch_seconds > 0
        self._frames = frames
        self._fill = padding_values(settings, spec)
        self._spec = spec
        self._synced = settings.sync == "beat"
        self.front_end: FrontEnd | PretrainedFrontEnd
        if isinstance(spec, FeatureSpec):
            self.front_end = FrontEnd(settings.feature, settings.sync, spec.to_dict())
            self._hop_length = spec.hop_length
        elif spec.sample_rate:
            self.front_end = PretrainedFrontEnd(spec)
        else:
            raise UserError("the model takes vectors, and no sound; ask it with those")
        self.resample = Resample(spec.sample_rate)
        self.down_mix = DownMix()
        # One graph that both signatures call: making it takes seconds.
        self._answer = tf.function(
            self._answer_mono,
            input_signature=[
                tf.TensorSpec([None, None], tf.float32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None], tf.string),
            ],
            autograph=False,
        )
        self._answer_wav = tf.function(
            self.from_wav, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )

    @property
    def networks(self) -> list[keras.Model]:
        """Pretrained networks that are part of it, apart from the model."""
        return [self.front_end.vectors.model] if isinstance(self.front_end, PretrainedFrontEnd) else []

    def from_waveform(self, waveform: tf.Tensor, lengths: tf.Tensor, rate: tf.Tensor) -> Outputs:
        """Answer for sound of one channel.

        Args:
            waveform: `(batch, samples)` float32, from -1 to 1, filled up at the end.
            lengths: `(batch,)` int32, in samples.
            rate: `(batch,)` int32, in Hz.

        Returns:
            Outputs by name, the first axis the batch. All have `error`, a string that is empty
            where there is an answer; `note`, what to know of the model, or an empty string;
            `windows`, the number of windows, and `window_starts` `(batch, most windows)` in seconds.
            A genre model has `genre`, `classes` and `probabilities` `(batch, n_classes)`, the mean
            over windows, and `window_probabilities` `(batch, most windows, n_classes)`; a tagger
            `tags`, `tag_probabilities` and `window_tag_probabilities` likewise; an affect model each
            target `(batch,)` and `window_<target>`. A beat-synchronous model has `tempo` in beats per
            minute, `beat_times` `(batch, most beats)` in seconds, then -1, and `beat_counts`. Where there
            is no answer numbers are 0, and what lies past a clip's windows is 0.
        """
        lengths = tf.minimum(lengths, tf.shape(waveform)[1])
        return self._answer(waveform, lengths, rate, tf.zeros_like(lengths, tf.string))

    def from_wav(self, audio: tf.Tensor) -> Outputs:
        """Answer for WAV files.

        Args:
            audio: `(batch,)` string, the bytes of each file.

        Returns:
            As `from_waveform`.
        """

        def decode(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
            samples, rate, problem = decode_wav(contents)
            mono = self.down_mix(samples[None])[0]
            cancels = _loudest(mono) < CANCELLED * _loudest(samples)
            problem = tf.where(tf.logical_and(tf.equal(problem, ""), cancels), CANCELS, problem)
            return mono, tf.shape(mono)[0], rate, problem

        waveform, lengths, rate, problem = tf.map_fn(
            decode,
            audio,
            fn_output_signature=(
                tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.string),
            ),
        )
        return self._answer(waveform.to_tensor(), lengths, rate, problem)

    def answer_wav(self, files: Sequence[bytes]) -> dict[str, np.ndarray]:
        """Answer for WAV files as the exported model does.

        Args:
            files: The bytes of each.

        Returns:
            As `from_waveform`, in arrays; strings as str.
        """
        outputs = self._answer_wav(tf.constant(list(files), tf.string))
        return with_text({name: value.numpy() for name, value in outputs.items()})

    def _answer_mono(
        self, waveform: tf.Tensor, lengths: tf.Tensor, rate: tf.Tensor, problem: tf.Tensor
    ) -> Outputs:
        problem = tf.where(tf.equal(problem, ""), _problems(waveform, lengths, rate), problem)
        good = tf.equal(problem, "")
        # What cannot be answered goes through as a moment of silence, so that the others are answered.
        waveform = tf.where(good[:, None], waveform, 0.0)
        lengths = tf.where(good, lengths, 1)
        rate = tf.where(good, rate, self._spec.sample_rate)
        samples, lengths = self.resample([waveform, lengths, rate])
        windows = cut(lengths, self._window, whole=self._patches)
        answers = self._answer_windows(samples, windows)
        # Where it is none the sound was good, so that its reason comes last.
        means = [tf.reduce_mean(by_clip(answers[name], windows), axis=1) for name in self.model.output]
        finite = tf.reduce_all(tf.math.is_finite(tf.concat(means, axis=1)), axis=1)
        good = tf.logical_and(good, finite)
        problem = tf.where(finite, problem, "the model's answer is no number")
        outputs = {
            "error": problem,
            "note": tf.fill(tf.shape(problem), self._note),
            "windows": tf.where(good, windows.counts, 0),
            "window_starts": by_clip(self._seconds(windows.start), windows).to_tensor(),
        }
        outputs |= self._pooled(answers, windows, good)
        if self._synced:
            outputs |= _beats(answers, windows, good)
        return outputs

    def _answer_windows(self, samples: tf.Tensor, windows: Windows) -> Outputs:
        """The model's outputs for every window, one after the other: features of hours do not fit."""

        def answer(which: tuple[tf.Tensor, ...]) -> Outputs:
            clip, start, size, end = which
            made = self.front_end([samples[clip, start : start + size][None], size[None]])
            features, lengths = self._fitted(made["features"], made["lengths"])
            answered = self.model({"features": features, "lengths": lengths}, training=False)
            outputs = {
                name: tf.reduce_mean(tf.cast(value, tf.float32), axis=0) for name, value in answered.items()
            }
            if self._synced:
                hop = self._hop_length
                mine = tf.boolean_mask(made["beats"][0], made["beats"][0] * hop < end - start)
                times = pad_to(self._seconds(start + mine * hop), _MOST_BEATS)
                outputs |= {
                    "tempo": made["tempo"][0],
                    "beat_times": tf.ensure_shape(times, (_MOST_BEATS,)),
                    "beat_counts": tf.minimum(tf.size(mine), _MOST_BEATS),
                }
            return outputs

        signature = {
            name: tf.TensorSpec(value.shape[1:], tf.float32) for name, value in self.model.output.items()
        }
        if self._synced:
            signature |= {
                "tempo": tf.TensorSpec([], tf.float32),
                "beat_times": tf.TensorSpec([_MOST_BEATS], tf.float32),
                "beat_counts": tf.TensorSpec([], tf.int32),
            }
        every = (windows.clip, windows.start, windows.size, windows.end)
        return tf.map_fn(answer, every, fn_output_signature=signature)

    def _fitted(self, features: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A clip, `(1, time, bands)`, in windows of the length the model reads, or filled up to it.

        As `pipelines.input` cuts what a model is evaluated on: the same clip has the same answer.
        """
        if self._frames is None:
            return features, lengths
        windows = cut(lengths, self._frames)
        missing = tf.maximum(self._frames - tf.shape(features)[1], 0)
        padding = tf.tile(tf.constant(self._fill, tf.float32)[None], (missing, 1))
        filled = tf.concat([features[0], padding], axis=0)
        frames = windows.start[:, None] + tf.range(self._frames)[None]
        return tf.gather(filled, frames), tf.minimum(windows.size, self._frames)

    def _pooled(self, answers: Outputs, windows: Windows, good: tf.Tensor) -> Outputs:
        outputs: Outputs = {}
        for name in self.model.output:
            value = answers[name] if self._names is not None else answers[name][:, 0]
            each = by_clip(value, windows)
            called, listed = PROBABILITIES[name] if self._names is not None else (name, "")
            outputs[called] = _only(good, tf.reduce_mean(each, axis=1))
            outputs[f"window_{called}"] = _only(good, each.to_tensor())
            if self._names is not None:
                names = tf.constant(self._names)
                outputs[listed] = tf.tile(names[None], [tf.shape(good)[0], 1])
                if name == GENRE:
                    likeliest = tf.gather(names, tf.argmax(outputs[called], axis=-1))
                    outputs[GENRE] = tf.where(good, likeliest, "")
        return outputs

    def _seconds(self, samples: tf.Tensor) -> tf.Tensor:
        return tf.cast(samples, tf.float32) / self._spec.sample_rate


def _problems(waveform: tf.Tensor, lengths: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
    """What is wrong with each clip, `(batch,)` string; empty where nothing is."""
    heard = zero_past(waveform, lengths)
    finite = tf.reduce_all(tf.math.is_finite(heard), axis=1)
    loudest = tf.reduce_max(tf.abs(heard), axis=1)
    beyond = tf.strings.join(["samples of ", tf.strings.as_string(loudest, scientific=True, precision=0)])
    known = tf.logical_and(rate >= MIN_RATE, rate <= MAX_RATE)
    seconds = tf.cast(lengths, tf.float32) / tf.cast(tf.where(known, rate, 1), tf.float32)
    # The last that holds is what is said, so the more basic ones come last.
    problem = tf.zeros_like(lengths, tf.string)
    for holds, message in (
        (loudest < SILENCE, "silent: there is nothing to analyse"),
        (loudest > MAX_LEVEL, tf.strings.join([beyond, ", and full scale is 1"])),
        (tf.logical_not(finite), "samples that are NaN or infinite"),
        (seconds > MAX_SECONDS, f"longer than {MAX_SECONDS / 60:.0f} minutes: send it in parts"),
        (seconds < MIN_SECONDS, f"shorter than {MIN_SECONDS} s: there is too little to analyse"),
        (tf.logical_not(known), f"a sample rate outside {MIN_RATE} to {MAX_RATE} Hz"),
    ):
        problem = tf.where(holds, message, problem)
    return problem


def _loudest(samples: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.abs(tf.concat([tf.reshape(samples, [-1]), [0.0]], axis=0)))


def _beats(answers: Outputs, windows: Windows, good: tf.Tensor) -> Outputs:
    """Tempo and beats of whole clips, each window's share after the other's."""
    found = tf.RaggedTensor.from_tensor(answers["beat_times"], lengths=answers["beat_counts"])
    counts = tf.reduce_sum(by_clip(answers["beat_counts"], windows), axis=1)
    times = tf.RaggedTensor.from_row_lengths(found.flat_values, counts)
    has_tempo = tf.cast(answers["tempo"] > 0, tf.float32)
    total = tf.reduce_sum(by_clip(answers["tempo"], windows), axis=1)
    tempo = tf.math.divide_no_nan(total, tf.reduce_sum(by_clip(has_tempo, windows), axis=1))
    return {
        "tempo": _only(good, tempo),
        "beat_counts": tf.where(good, counts, 0),
        "beat_times": tf.where(good[:, None], times.to_tensor(_NO_BEAT), _NO_BEAT),
    }


def _only(good: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Values `(batch, ...)`, 0 where there is no answer."""
    shape = tf.concat([tf.shape(good), tf.ones([tf.rank(values) - 1], tf.int32)], axis=0)
    return tf.where(tf.reshape(good, shape), values, 0.0)

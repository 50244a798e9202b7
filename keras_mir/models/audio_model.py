"""A trained model that answers to sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_mir.layers import DownMix, FrontEnd
from keras_mir.layers.audio.base import pad_to
from keras_mir.layers.audio.resample import resample
from keras_mir.models.limits import (
    IMPOSSIBLE_LENGTH,
    MAX_BATCH_SECONDS,
    MAX_SECONDS,
    NO_NUMBER,
    WINDOW_SECONDS,
)
from keras_mir.models.outputs import EMBEDDING, GENRE, PROBABILITIES, THRESHOLDS, served_name
from keras_mir.models.pretrained.front_end import PretrainedFrontEnd
from keras_mir.models.report import Dataset
from keras_mir.models.session import with_text
from pipelines.datasets.targets import check_targets
from pipelines.errors import UserError
from pipelines.limits import CANCELLED, CANCELS, MAX_LEVEL, MAX_RATE, MIN_RATE, MIN_SECONDS, SILENCE
from pipelines.ops.portable import is_portable, map_each
from pipelines.ops.wav import decode_wav
from pipelines.ops.windows import Windows, cut
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
        model: A model of `keras_mir.models`, or what `embedding_of` makes of one.
        names: By output that is probabilities, of genres or tags, what these are of, in index order.
        settings: The input settings of its recipe.
        frames: How many frames or beats the model reads, or None for any number.
        spec: What its features were made with.
        note: What to say with every answer; see `note_for`.
        patch_seconds: Length of the patches that a network was trained on, its windows, one after the
            other; 0 for windows of `WINDOW_SECONDS` that cover a clip.
        thresholds: Thresholds of tags, in index order; empty if there are none.

    Attributes:
        model: As given.
        note: As given.

    Raises:
        UserError: If an affect target has the name of another output, or the model takes no sound.
    """

    def __init__(
        self,
        model: keras.Model,
        names: Mapping[str, Sequence[str]],
        settings: InputSettings,
        frames: int | None,
        spec: Spec,
        note: str = "",
        patch_seconds: float = 0.0,
        thresholds: Sequence[float] = (),
    ) -> None:
        super().__init__()
        check_targets(model.output.keys() - names.keys() - {EMBEDDING})
        self.model = model
        self.note = note
        self._thresholds = list(thresholds)
        self._names = {output: list(each) for output, each in names.items()}
        self._window = round((patch_seconds or WINDOW_SECONDS) * spec.sample_rate)
        self._patches = patch_seconds > 0
        self._frames = frames
        self._fill = padding_values(settings, spec)
        self._spec = spec
        self._settings = settings
        self._synced = settings.sync == "beat"
        self.front_end: FrontEnd | PretrainedFrontEnd
        if isinstance(spec, FeatureSpec):
            self.front_end = FrontEnd(settings.feature, settings.sync, spec.to_dict())
            self._hop_length = spec.hop_length
        elif spec.sample_rate:
            self.front_end = PretrainedFrontEnd(spec)
        else:
            raise UserError("the model takes vectors, and no sound; ask it with those")
        self.down_mix = DownMix()
        self._answer_wav = tf.function(
            self.from_wav, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )

    @cached_property
    def _answer(self) -> Callable[..., Outputs]:
        """`_answer_one` as one graph, which both signatures call: making it takes seconds."""
        traced = tf.function(
            self._answer_one,
            input_signature=[
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.string),
                tf.TensorSpec([], tf.int32),
            ],
            autograph=False,
        )
        # A tf.function called from two graphs is traced for each.
        with tf.init_scope():
            return traced.get_concrete_function()

    @property
    def features(self) -> dict[str, Any]:
        """What it makes of sound before the model has it, as JSON holds it."""
        settings = {name: getattr(self._settings, name) for name in ("feature", "sync", "padding")}
        return {**settings, "frames": self._frames, **self._spec.to_dict()}

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
            A model of genres has `genre`, `classes` and `probabilities` `(batch, n_classes)`, the mean
            over windows, and `window_probabilities` `(batch, most windows, n_classes)`; one of tags
            `tags`, `tag_probabilities` and `window_tag_probabilities` likewise, and `tag_thresholds`
            `(batch, n_tags)` where it has some; one of affect each target `(batch,)` and
            `window_<target>`; one of several kinds all of these; one of vectors `embedding` `(batch, size)`
            and `window_embedding`. A beat-synchronous model has `tempo` in beats per minute, `beat_times`
            `(batch, most beats)` in seconds, then -1, and `beat_counts`. Where there is no answer numbers
            are 0, and what lies past a clip's windows is 0.
        """
        clips = tf.shape(waveform)[:1]

        def one(samples: tf.Tensor, length: tf.Tensor, rate: tf.Tensor) -> tuple[tf.Tensor, ...]:
            possible = tf.logical_and(length >= 1, length <= tf.size(samples))
            return samples[:length], rate, tf.where(possible, "", IMPOSSIBLE_LENGTH)

        # Not one for each clip is an error of the whole request, and here of the operation.
        return self._answer_each(one, (waveform, tf.reshape(lengths, clips), tf.reshape(rate, clips)))

    def from_clip(self, waveform: tf.Tensor, lengths: tf.Tensor, rate: tf.Tensor) -> Outputs:
        """Answer for one clip that has the model's sample rate: `from_waveform` for other runtimes.

        Made of operations that they have, too, where it is traced within `portable()`.

        Args:
            waveform: `(1, samples)` float32, from -1 to 1.
            lengths: `(1,)` int32, in samples.
            rate: `(1,)` int32, in Hz; another rate than the model's is an error.

        Returns:
            As `from_waveform`.
        """
        samples, own = waveform[0], self._spec.sample_rate
        there, least = tf.size(samples), round(MIN_SECONDS * own)
        possible = tf.logical_and(lengths[0] >= 1, lengths[0] <= there)
        samples = samples[: tf.where(possible, lengths[0], there)]
        problems = [
            *_problems(samples, own, 1),
            (tf.not_equal(rate[0], own), f"a sample rate other than the model's, {own} Hz"),
            (tf.logical_not(possible), IMPOSSIBLE_LENGTH),
        ]
        error = tf.constant(0)  # by number: not every runtime can choose between strings
        for number, (holds, _) in enumerate(problems, start=1):
            error = tf.where(holds, number, error)
        # Where there is no answer, it is computed all the same: of the shortest silence.
        padded = tf.pad(samples, [[0, least]])
        size = tf.where(tf.equal(error, 0), tf.size(samples), least)
        answers = self._answer_sound(tf.where(tf.equal(error, 0), padded, 0.0)[:size], own)
        finite = tf.reduce_all([_are_numbers(answers[name]) for name in self._called().values()])
        error = tf.where(tf.logical_and(tf.equal(error, 0), tf.logical_not(finite)), len(problems) + 1, error)
        good = tf.equal(error, 0)
        messages = tf.constant(["", *(text for _, text in problems), NO_NUMBER])
        outputs: Outputs = {"error": tf.gather(messages, error)[tf.newaxis], "note": tf.constant([self.note])}
        for name, spec in self._specs().items():
            if name == "error":
                continue
            value = tf.where(good, answers[name], tf.zeros_like(answers[name]))
            if isinstance(spec, tf.RaggedTensorSpec):  # nothing where there is no answer
                value = value[: tf.where(good, tf.shape(value)[0], 0)]
            outputs[name] = tf.expand_dims(value, 0)
        return self._with_names(outputs, 1, good)

    def from_wav(self, audio: tf.Tensor) -> Outputs:
        """Answer for WAV files.

        Args:
            audio: `(batch,)` string, the bytes of each file.

        Returns:
            As `from_waveform`.
        """

        def one(contents: tf.Tensor) -> tuple[tf.Tensor, ...]:
            samples, rate, problem = decode_wav(contents)
            mono = self.down_mix(samples[None])[0]
            cancels = _loudest(mono) < CANCELLED * _loudest(samples)
            return mono, rate, tf.where(tf.logical_and(tf.equal(problem, ""), cancels), CANCELS, problem)

        return self._answer_each(one, (audio,))

    def answer_wav(self, files: Sequence[bytes]) -> dict[str, np.ndarray]:
        """Answer for WAV files as the exported model does.

        Args:
            files: The bytes of each.

        Returns:
            As `from_waveform`, in arrays; strings as str.
        """
        outputs = self._answer_wav(tf.constant(list(files), tf.string))
        return with_text({name: value.numpy() for name, value in outputs.items()})

    def _answer_each(self, sound_of: Callable[..., tuple[tf.Tensor, ...]], clips: tuple[Any, ...]) -> Outputs:
        """Answer for clips each by itself: no clip is filled up to the longest, whoever sent that.

        Args:
            sound_of: From an entry of each of `clips` to samples `(samples,)`, their rate, and what is wrong
                with them, or an empty string.
            clips: Tensors whose first axis is the batch.
        """
        count = tf.shape(clips[0])[0]
        answers = map_each(lambda *clip: self._answer(*sound_of(*clip), count), clips, self._specs())
        outputs: Outputs = {"note": tf.fill([count], self.note)}
        for name, value in answers.items():
            filler = _NO_BEAT if name == "beat_times" else 0
            outputs[name] = value.to_tensor(filler) if isinstance(value, tf.RaggedTensor) else value
        return self._with_names(outputs, count, tf.equal(outputs["error"], ""))

    def _with_names(self, outputs: Outputs, count: Any, good: tf.Tensor) -> Outputs:
        """With what probabilities are of, of so many clips; `good` where they have an answer."""
        for output, listed in self._names.items():
            names = tf.constant([*listed, ""])
            outputs[PROBABILITIES[output][1]] = tf.tile(names[None, :-1], [count, 1])
            if output == GENRE:
                likeliest = tf.argmax(outputs[served_name(output)], axis=-1, output_type=tf.int32)
                outputs[GENRE] = tf.gather(names, tf.where(good, likeliest, len(listed)))
        if self._thresholds:
            outputs[THRESHOLDS] = tf.tile(tf.constant(self._thresholds)[None], [count, 1])
        return outputs

    def _answer_one(
        self, samples: tf.Tensor, rate: tf.Tensor, problem: tf.Tensor, clips: tf.Tensor
    ) -> Outputs:
        problem = tf.where(tf.equal(problem, ""), _problem(samples, rate, clips), problem)

        def nothing() -> Outputs:
            return {
                name: tf.zeros([size or 0 for size in spec.shape], spec.dtype)
                for name, spec in self._specs().items()
            }

        outputs = tf.cond(tf.equal(problem, ""), lambda: self._answer_sound(samples, rate), nothing)
        answered = [_are_numbers(outputs[name]) for name in self._called().values()]
        # Where it is none the sound was good, so that its reason comes last.
        finite = tf.reduce_all(answered)
        problem = tf.where(finite, problem, NO_NUMBER)
        return {**tf.cond(finite, lambda: outputs, nothing), "error": problem}

    def _answer_sound(self, samples: tf.Tensor, rate: tf.Tensor) -> Outputs:
        """The outputs of one clip that has an answer."""
        samples = resample(samples, rate, self._spec.sample_rate)
        windows = cut(tf.shape(samples)[:1], self._window, whole=self._patches)
        answers = self._answer_windows(samples, windows)
        outputs: Outputs = {
            "error": tf.constant(""),
            "windows": windows.counts[0],
            "window_starts": self._seconds(windows.start),
        }
        for name, called in self._called().items():
            each = tf.reshape(answers[name], (-1, *self._sizes(name)))
            outputs |= {called: tf.reduce_mean(each, axis=0), f"window_{called}": each}
        return outputs | _beats(answers) if self._synced else outputs

    def _answer_windows(self, samples: tf.Tensor, windows: Windows) -> Outputs:
        """The model's outputs for every window, one after the other: features of hours do not fit."""

        def answer(start: tf.Tensor, size: tf.Tensor, end: tf.Tensor) -> Outputs:
            made = self.front_end([samples[start : start + size][None], size[None]])
            features, lengths = self._fitted(made["features"], made["lengths"])
            answered = self.model({"features": features, "lengths": lengths}, training=False)
            outputs = {
                name: tf.reduce_mean(tf.cast(value, tf.float32), axis=0) for name, value in answered.items()
            }
            if self._synced:
                hop = self._hop_length
                beats = made["beats"][0]
                mine = tf.boolean_mask(beats, tf.logical_and(beats >= 0, beats * hop < end - start))
                times = pad_to(self._seconds(start + mine * hop), _MOST_BEATS)
                times.set_shape([_MOST_BEATS])
                outputs |= {
                    "tempo": made["tempo"][0],
                    "beat_times": times,
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
        return dict(map_each(answer, (windows.start, windows.size, windows.end), signature))

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

    def _called(self) -> dict[str, str]:
        """By the model's outputs, what they are called among the answers."""
        return {name: served_name(name) for name in self.model.output}

    def _sizes(self, output: str) -> tuple[int, ...]:
        """The shape of a clip's answer: none for an affect target, which is a number."""
        is_number = output not in (*self._names, EMBEDDING)
        return () if is_number else self.model.output[output].shape[1:]

    def _specs(self) -> dict[str, Any]:
        """The outputs of one clip; ragged where there is an entry for each window, or for each beat."""

        def ragged(*sizes: int) -> tf.RaggedTensorSpec:
            return tf.RaggedTensorSpec([None, *sizes], tf.float32, ragged_rank=0)

        specs: dict[str, Any] = {
            "error": tf.TensorSpec([], tf.string),
            "windows": tf.TensorSpec([], tf.int32),
            "window_starts": ragged(),
        }
        for name, called in self._called().items():
            sizes = self._sizes(name)
            specs |= {called: tf.TensorSpec(sizes, tf.float32), f"window_{called}": ragged(*sizes)}
        if self._synced:
            specs |= {
                "tempo": tf.TensorSpec([], tf.float32),
                "beat_times": ragged(),
                "beat_counts": tf.TensorSpec([], tf.int32),
            }
        return specs

    def _seconds(self, samples: tf.Tensor) -> tf.Tensor:
        return tf.cast(samples, tf.float32) / self._spec.sample_rate


def _problem(samples: tf.Tensor, rate: tf.Tensor, clips: tf.Tensor) -> tf.Tensor:
    """What is wrong with one of so many clips; an empty string if nothing is."""
    problem = tf.constant("")
    for holds, message in _problems(samples, rate, clips):
        problem = tf.where(holds, message, problem)
    return problem


def _problems(samples: tf.Tensor, rate: Any, clips: Any) -> list[tuple[tf.Tensor, Any]]:
    """What may be wrong with one of so many clips: whether it is, and in words.

    The last that holds is what is to be said, so the more basic ones come last.
    """
    loudest = _loudest(samples)
    known = tf.logical_and(rate >= MIN_RATE, rate <= MAX_RATE)
    seconds = tf.cast(tf.size(samples), tf.float32) / tf.cast(tf.where(known, rate, 1), tf.float32)
    return [
        (loudest < SILENCE, "silent: there is nothing to analyse"),
        (loudest > MAX_LEVEL, _beyond(loudest)),
        (tf.logical_not(_are_numbers(samples)), "samples that are NaN or infinite"),
        (
            seconds * tf.cast(clips, tf.float32) > MAX_BATCH_SECONDS,
            "too long among so many clips: send fewer",
        ),
        (seconds > MAX_SECONDS, f"longer than {MAX_SECONDS / 60:.0f} minutes: send it in parts"),
        (seconds < MIN_SECONDS, f"shorter than {MIN_SECONDS} s: there is too little to analyse"),
        (tf.logical_not(known), f"a sample rate outside {MIN_RATE} to {MAX_RATE} Hz"),
    ]


def _beyond(loudest: tf.Tensor) -> Any:
    if is_portable():  # other runtimes write no numbers
        return f"samples above {MAX_LEVEL:.0e}, and full scale is 1"
    number = tf.strings.as_string(loudest, scientific=True, precision=0)
    return tf.strings.join(["samples of ", number, ", and full scale is 1"])


def _are_numbers(x: tf.Tensor) -> tf.Tensor:
    """Whether none is NaN or infinite; not every runtime has `is_finite`."""
    return tf.reduce_all(tf.abs(x) <= x.dtype.max)


def _loudest(samples: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.abs(tf.concat([tf.reshape(samples, [-1]), [0.0]], axis=0)))


def _beats(answers: Outputs) -> Outputs:
    """Tempo and beats of a whole clip, each window's share after the other's."""
    counts, tempo = answers["beat_counts"], answers["tempo"]
    found = tf.cast(tf.math.count_nonzero(tempo > 0), tf.float32)
    return {
        "tempo": tf.math.divide_no_nan(tf.reduce_sum(tempo), found),
        "beat_counts": tf.reduce_sum(counts),
        "beat_times": tf.boolean_mask(answers["beat_times"], tf.sequence_mask(counts, _MOST_BEATS)),
    }

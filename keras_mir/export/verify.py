"""Whether an exported model answers as the Keras model it came from, in every signature."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import soundfile
import tensorflow as tf

from keras_mir.models.audio_model import AudioModel
from keras_mir.models.outputs import PROBABILITIES, served_name
from keras_mir.models.session import SIGNATURE, plainly_named
from pipelines.errors import UserError
from pipelines.processes import Child, Died
from pipelines.spec import Spec
from pipelines.synthetic.render import render_clip

Arrays = Mapping[str, np.ndarray]

SOUND = ("waveform", "audio")  # the signatures that take it
_LARGEST = 80.0  # of features, also where larger ones are allowed
_SECONDS = 600  # for a process to import TensorFlow, load the model and answer
_DAMAGED = "damaged"  # the name of the WAV file that is cut off
_UNANSWERED = ("silence", _DAMAGED)


class FreshProcess(Child):
    """A Python process that loads an exported model as TF Serving does, and answers once.

    It takes seconds to import TensorFlow, so it pays to start it before there is anything to ask. It
    runs on the CPU: the GPU's memory belongs to the process that trained.
    """

    def __init__(self) -> None:
        # -P: the program's own folder is not on its path, so none of our modules can be imported from it.
        program = str(Path(__file__).with_name("run_alone.py"))
        super().__init__("-P", program, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

    def ask(self, path: Path, requests: Sequence[tuple[str, Arrays]]) -> list[dict[str, np.ndarray]]:
        """Load an exported model and run its signatures, one after the other; `run_alone` says in what form.

        Raises:
            UserError: If the model cannot be loaded, or a signature fails.
        """
        with plainly_named(path) as name:
            answers = self.call((name, list(requests)), _SECONDS)
        if isinstance(answers, Died):
            raise UserError(
                f"{path}: the exported model does not answer in a process of its own "
                f"({answers.reason[:300]}); export it again"
            )
        return list(answers)


@dataclass(frozen=True)
class Batch:
    """What one signature is asked.

    Attributes:
        signature: Its name.
        feed: Its inputs by name.
        names: Names of the clips in the batch.
    """

    signature: str
    feed: Arrays
    names: tuple[str, ...]


@dataclass(frozen=True)
class Check(Batch):
    """A batch, and what must come of it.

    Attributes:
        expected: The outputs of the Keras model in Python.
        tolerance: How far numbers may be from that, as a share of the output's largest or of 1.
    """

    expected: Arrays
    tolerance: float


def verify(
    path: Path,
    model: keras.Model,
    spec: Spec,
    process: FreshProcess,
    answers: AudioModel | None,
    description: Mapping[str, Any],
) -> None:
    """Compare an exported model, in a process without this package, with the Keras model it came from.

    Features are noise over the range that the spec allows and silence, clips of different lengths in one
    batch of 3, and a batch of 1. Sound is silence, noise, a tone of 440 Hz and a synthetic clip, as WAV files
    of different formats also beside a damaged one. Numbers may differ by 1e-4 of an output's largest
    (or of 1), those that come of sound by 1e-3, all by 2e-2 where the Keras model computes in half
    precision.

    Args:
        path: The folder that holds `saved_model.pb`.
        model: A model with this package's inputs and outputs.
        spec: What its features are.
        process: Answers for what was written.
        answers: What answers to sound, if the model was exported with that.
        description: What the model should say about itself.

    Raises:
        UserError: If outputs are missing, not finite, or differ.
    """
    batches = [*feature_batches(model, spec), *(sound_batches() if answers is not None else ())]
    described = _described(description)
    with ThreadPoolExecutor(1) as other:  # the two answer at the same time
        asked = [(batch.signature, batch.feed) for batch in (*batches, described)]
        served = other.submit(process.ask, path, asked)
        checks = [*expect(batches, model, answers), described]
    for check, outputs in zip(checks, served.result(), strict=True):
        compare(path, check, outputs)


def sounds() -> dict[str, tuple[np.ndarray, int]]:
    """Short clips `(samples, channels)` and their sample rates in Hz, the same ones always."""
    time = np.arange(44100) / 44100
    noise = np.random.default_rng(0).normal(0.0, 0.1, (22050, 1))
    return {
        "silence": (np.zeros((16000, 1)), 16000),
        "noise": (noise, 22050),
        "tone": (0.5 * np.sin(2 * np.pi * 440 * np.stack([time, time], axis=1)), 44100),
        "clip": (render_clip("Rock", 0, 4.0).audio[:, None], 22050),
    }


def wav_files(clips: Mapping[str, tuple[np.ndarray, int]]) -> dict[str, bytes]:
    """Those `sounds` as WAV files of different formats, and one that is cut off."""
    formats = {"silence": "PCM_U8", "noise": "PCM_24", "tone": "FLOAT", "clip": "PCM_16"}
    files = {}
    for name, (samples, rate) in clips.items():
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format="WAV", subtype=formats[name])
        files[name] = buffer.getvalue()
    return {"silence": files.pop("silence"), _DAMAGED: files["noise"][:1000], **files}


def feature_batches(model: keras.Model, spec: Spec) -> Iterator[Batch]:
    """Batches of features for the signatures `serving_default` and `embedding`."""
    _, time, bands = model.input["features"].shape
    time = time or 20
    lowest, highest = spec.limits(bands).clip(-_LARGEST, _LARGEST)
    features = np.random.default_rng(0).uniform(lowest, highest, (4, time, bands)).astype(np.float32)
    features[1] = lowest
    lengths = np.array([time, max(time // 2, 1), 1, time], np.int32)
    for rows in (slice(0, 3), slice(3, 4)):
        feed = {"features": features[rows], "lengths": lengths[rows]}
        names = ("noise", "silence", "noise")[: len(feed["lengths"])]
        yield Batch(SIGNATURE, feed, names)
        yield Batch("embedding", feed, names)


def sound_batches() -> Iterator[Batch]:
    """Batches of sound for the signatures `waveform` and `audio`."""
    clips = sounds()
    waveform = np.zeros((len(clips), max(len(samples) for samples, _ in clips.values())), np.float32)
    for row, (samples, _) in enumerate(clips.values()):
        waveform[row, : len(samples)] = samples.mean(axis=1)
    lengths = np.array([len(samples) for samples, _ in clips.values()], np.int32)
    rate = np.array([rate for _, rate in clips.values()], np.int32)
    yield Batch("waveform", {"waveform": waveform, "lengths": lengths, "rate": rate}, tuple(clips))
    files = wav_files(clips)
    yield Batch("audio", {"audio": np.array(list(files.values()), object)}, tuple(files))


def _described(description: Mapping[str, Any]) -> Check:
    """What the model says about itself, field by field, and of a field that there is not."""
    texts = [json.dumps(value, ensure_ascii=False).encode() for value in description.values()]
    return Check(
        "description",
        {"field": np.array([*(field.encode() for field in description), b"no field"], object)},
        names=(),
        expected={"description": np.array([*texts, b""], object)},
        tolerance=0.0,
    )


def expect(batches: Iterable[Batch], model: keras.Model, answers: AudioModel | None) -> list[Check]:
    """What the Keras model in Python answers to `batches`; `answers` where they are of sound."""
    outputs = {**model.output, "embedding": model.get_layer("embedding").output}
    both = keras.Model(model.input, outputs)
    half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in model.layers)

    def of_features(signature: str, features: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = both({"features": features, "lengths": lengths}, training=False)
        if signature == "embedding":
            return {"embedding": outputs["embedding"]}
        return {
            served_name(name): outputs[name] if name in PROBABILITIES else outputs[name][:, 0]
            for name in model.output
        }

    checks = []
    for batch in batches:
        signature, of_sound = batch.signature, batch.signature in SOUND
        # Of sound where the other process computes, too: a GPU's rounding might move a beat.
        with _full_float32(), tf.device("CPU:0" if of_sound else None):
            feed = {name: tf.constant(value) for name, value in batch.feed.items()}
            if answers is not None and of_sound:
                answer = answers.from_waveform if signature == "waveform" else answers.from_wav
                answered = answer(**feed)
            else:
                answered = of_features(signature, **feed)
        expected = {name: np.asarray(value.numpy()) for name, value in answered.items()}
        tolerance = 2e-2 if half else 1e-3 if of_sound else 1e-4
        checks.append(Check(**vars(batch), expected=expected, tolerance=tolerance))
    return checks


def compare(path: Path, check: Check, served: Arrays) -> float:
    """Compare what was written with what the Keras model says.

    Returns:
        The largest difference of a number, in the unit of the check's tolerance.

    Raises:
        UserError: Naming the output that is missing or differs.
    """
    place = f"{path}: signature {check.signature!r}"
    for name, value in check.expected.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise UserError(
                f"output {name!r} of the model is not a number: training diverged; lower the learning rate"
            )
        if name not in served or served[name].shape != value.shape:
            raise UserError(f"{place} has no output {name!r} of shape {value.shape}")
    for clip, error in zip(check.names, check.expected.get("error", ()), strict=False):
        if bool(error) != (clip in _UNANSWERED):
            raise UserError(f"{place} says of a clip of {clip}: {error.decode() or 'nothing'}")
    if "genre" in served:
        best = served["probabilities"].argmax(axis=1)
        for row, clip in enumerate(check.names):
            answered = clip not in _UNANSWERED or "error" not in served
            if answered and served["genre"][row] != served["classes"][row, best[row]]:
                raise UserError(f"{place}: the exported genre is not the class of highest probability")
    largest = 0.0
    # Of two equally likely genres either will do.
    for name, value in ((name, value) for name, value in check.expected.items() if name != "genre"):
        differ = f"{place}: the exported model and the Keras model differ"
        if value.dtype.kind != "f":
            if not np.array_equal(served[name], value):
                raise UserError(f"{differ} in {name!r}")
            continue
        # Not of each number: one that is near 0 as the difference of large ones has their rounding.
        scale = max(1.0, np.abs(value).max(initial=0.0))
        difference = np.abs(served[name] - value).max(initial=0.0)
        if not difference <= check.tolerance * scale:
            raise UserError(f"{differ} by {difference:.2g} in {name!r}")
        largest = max(largest, float(difference / scale))
    return largest


@contextmanager
def _full_float32() -> Iterator[None]:
    # On a GPU, matrix products round to TensorFloat-32 by default, differently in each kernel.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)

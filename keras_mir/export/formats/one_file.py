"""Formats that hold one signature of a model in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from keras_mir.export.export import Written
from keras_mir.export.graph import nodes
from keras_mir.export.signatures import signatures
from keras_mir.export.verify import (
    SOUND,
    Arrays,
    Batch,
    compare,
    expect,
    feature_batches,
    sound_batches,
    sounds,
)
from keras_mir.models.rebuild import for_converting
from keras_mir.models.servable import ServableModel
from keras_mir.models.session import SIGNATURE
from pipelines.errors import ArgumentError
from pipelines.files import write_atomically
from pipelines.ops.portable import portable

_OTHER_TIMES = (3, 33)  # steps, beside those that a SavedModel is checked with
_LONG_SECONDS = 40.0  # of a clip that is answered by the mean over windows
_A_CLIP = [
    tf.TensorSpec([1, None], tf.float32, "waveform"),
    tf.TensorSpec([1], tf.int32, "lengths"),
    tf.TensorSpec([1], tf.int32, "rate"),
]


class CannotConvert(Exception):  # noqa: N818, it is an answer rather than an error
    """A converter or a runtime gave up: it "lacks ..." operations, or "fails (...)" with what it said."""


@dataclass(frozen=True)
class OneFile:
    """A file format that holds one signature of a model.

    Attributes:
        label: What people call it.
        suffix: Suffix of its files.
        quantizations: How its weights can be quantized, by name, and how far answers may then be from the
            Keras model's, as a share of the output's largest or of 1.
        check: Raises what is to be told where an optional package is missing.
        lacks: Types of operations, of those in a graph, that the format is known to lack.
        convert: From a `tf.function`, the model's description and a quantization or an empty string to the
            content of a file. It raises `CannotConvert`.
        run: Inputs by name through such a content, one batch after the other, in the format's own
            runtime, to outputs by name; strings as object arrays of bytes. It raises `CannotConvert`.
    """

    label: str
    suffix: str
    quantizations: Mapping[str, float]
    check: Callable[[], None]
    lacks: Callable[[set[str]], set[str]]
    convert: Callable[[Any, Mapping[str, Any], str], bytes]
    run: Callable[[bytes, Sequence[Arrays]], list[Arrays]]

    def write(
        self, model: ServableModel, folder: Path, name: str, signature: str, quantization: str
    ) -> Written:
        """Write a signature, once the format's own runtime answers as the Keras model does.

        Args:
            model: The model.
            folder: Where to.
            name: Name of the file, without suffix.
            signature: Which one; empty for the default.
            quantization: Quantization of the weights; empty for none.

        Raises:
            ArgumentError: If an optional package is missing, or the format lacks the signature or the
                quantization.
            UserError: If the file does not answer as the model does.
        """
        self.check()
        if quantization and quantization not in self.quantizations:
            has = ", ".join(self.quantizations) or "none"
            raise ArgumentError("quantization", quantization, f"{self.label} has {has}; leave it out")
        signature = signature or SIGNATURE
        twin = for_converting(model.keras)
        sound = model.audio_model(twin) if signature in SOUND else None
        if signature == "waveform" and sound:
            answer, inputs = sound.from_clip, _A_CLIP
        else:
            spec = model.description.feature_spec
            answer, inputs = signatures(twin, model.names, spec, sound, model.thresholds)[signature]
        function = tf.function(_portable(answer), input_signature=inputs, autograph=False)
        if lacking := self.lacks(operations(function)):
            raise self._refusal(signature, f"lacks {', '.join(sorted(lacking))}")
        parts = [name, "" if signature == SIGNATURE else signature, quantization]
        path = folder / (".".join(filter(None, parts)) + self.suffix)
        try:
            content = self.convert(function, model.description.to_dict(), quantization)
            # Compared with the Keras model in the format's own runtime, as a SavedModel is.
            checks = expect(_batches(model, signature), model.keras, model.audio_model() if sound else None)
            answers = self.run(content, [check.feed for check in checks])
        except CannotConvert as error:
            raise self._refusal(signature, str(error)) from None
        allowed = self.quantizations.get(quantization, 0.0)
        difference = max(
            compare(path, replace(check, tolerance=max(check.tolerance, allowed)), outputs)
            for check, outputs in zip(checks, answers, strict=True)
        )
        write_atomically(path, content)
        takes = {spec.name: spec for spec in function.input_signature}
        gives = function.get_concrete_function().structured_outputs
        return Written(path, _listed(takes), _listed(gives), len(content), difference)

    def _refusal(self, signature: str, reason: str) -> ArgumentError:
        instead = {
            "audio": "convert waveform, which takes samples, or ",
            "waveform": "convert serving_default, which takes features, or ",
        }
        remedy = f"{instead.get(signature, '')}serve the SavedModel"
        return ArgumentError("signature", signature, f"{self.label} {reason}; {remedy}")


def _portable(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def traced(*inputs: tf.Tensor) -> Any:
        with portable():
            return function(*inputs)

    return traced


def operations(function: Any) -> set[str]:
    """The types of all operations in a `tf.function` and in what it calls."""
    graph = function.get_concrete_function().graph.as_graph_def()
    return {node.op for node in nodes(graph)} - {called.signature.name for called in graph.library.function}


def frozen(function: Any) -> Any:
    """The same function with all that it takes from outside made constants.

    LiteRT's converter would lose what is in variables.
    """
    concrete = function.get_concrete_function()
    constant = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    names = sorted(concrete.structured_outputs)

    def answer(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(names, constant(*inputs), strict=True))

    return tf.function(answer, input_signature=function.input_signature, autograph=False)


def _batches(model: ServableModel, signature: str) -> Iterator[Batch]:
    spec = model.description.feature_spec
    if signature == "waveform":
        yield from _clips(spec.sample_rate)
        return
    for batch in sound_batches() if signature in SOUND else feature_batches(model.keras, spec):
        if batch.signature != signature:
            continue
        yield batch
        if signature in SOUND or model.keras.input["features"].shape[1] is not None:
            continue
        # A runtime may take the first shape it sees for the only one.
        for time in _OTHER_TIMES:
            features, lengths = batch.feed["features"], batch.feed["lengths"]
            repeated = features.repeat(2, axis=1)[:, :time]
            yield replace(batch, feed={"features": repeated, "lengths": lengths.clip(max=time)})


def _clips(rate: int) -> Iterator[Batch]:
    """The clips that a SavedModel is checked with, one by one, as if they had that rate, and a longer one."""
    clips = {name: samples.mean(axis=1) for name, (samples, _) in sounds().items()}
    clips["long"] = np.tile(clips["clip"], round(_LONG_SECONDS * rate / len(clips["clip"])))
    for name, samples in clips.items():
        feed = {
            "waveform": samples[np.newaxis].astype(np.float32),
            "lengths": np.array([len(samples)], np.int32),
            "rate": np.array([rate], np.int32),
        }
        yield Batch("waveform", feed, (name,))


def _listed(tensors: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} ({', '.join('any' if size is None else str(size) for size in tensor.shape)}) "
        f"{tensor.dtype.name}"
        for name, tensor in tensors.items()
    )

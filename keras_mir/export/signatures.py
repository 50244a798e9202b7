"""The signatures of a served model: what each takes and computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_mir.models.audio_model import AudioModel
from keras_mir.models.limits import IMPOSSIBLE_LENGTH, NO_NUMBER
from keras_mir.models.outputs import GENRE, PROBABILITIES, THRESHOLDS, served_name
from keras_mir.models.session import SIGNATURE
from pipelines.spec import Spec

# From the inputs to outputs by name, and what those inputs are, in order; their names are its arguments'.
Signature = tuple[Callable[..., dict[str, tf.Tensor]], list[tf.TensorSpec]]

# What may be wrong with a clip, by number; the first is nothing.
_ERRORS = ("", "features that are NaN or beyond what the feature spec allows", IMPOSSIBLE_LENGTH, NO_NUMBER)


def signatures(
    model: keras.Model,
    names: Mapping[str, Sequence[str]],
    spec: Spec,
    answers: AudioModel | None,
    thresholds: Sequence[float] = (),
) -> dict[str, Signature]:
    """All signatures of a model by name, `serving_default` first.

    Args:
        model: A model of `keras_mir.models`.
        names: By output that is probabilities, of genres or tags, what these are of, in index order.
        spec: What its features are; those beyond its limits, which training refuses, have no answer.
        answers: What answers to sound, for `waveform` and `audio`.
        thresholds: Thresholds of tags, in index order; empty if there are none.
    """
    limits = spec.limits(model.input["features"].shape[-1])

    def serve(features: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        features, lengths, error = _checked(features, lengths, limits)
        outputs = model({"features": features, "lengths": lengths}, training=False)
        clips = tf.shape(lengths)[0]

        def for_each(values: Sequence[str] | Sequence[float]) -> tf.Tensor:
            return tf.tile(tf.constant(list(values))[tf.newaxis], [clips, 1])

        values = {
            served_name(output): value if output in names else tf.squeeze(value, -1)
            for output, value in outputs.items()
        }
        answer = _answered(error, values)
        for output, listed in names.items():
            answer[PROBABILITIES[output][1]] = for_each(listed)
        if thresholds:
            answer[THRESHOLDS] = for_each(thresholds)
        if GENRE in names:
            # Where there is no answer all are 0. By number: not every format can choose between strings.
            likeliest = tf.argmax(outputs[GENRE], axis=-1, output_type=tf.int32)
            probabilities = answer[served_name(GENRE)]
            chosen = tf.where(tf.reduce_any(probabilities > 0, axis=-1), likeliest, len(names[GENRE]))
            answer[GENRE] = tf.gather(tf.constant([*names[GENRE], ""]), chosen)
        return answer

    below = keras.Model(model.input, model.get_layer("embedding").output)

    def embed(features: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        features, lengths, error = _checked(features, lengths, limits)
        embedding = below({"features": features, "lengths": lengths}, training=False)
        return _answered(error, {"embedding": embedding})

    features = [
        tf.TensorSpec(model.input["features"].shape, tf.float32, "features"),
        tf.TensorSpec(model.input["lengths"].shape, tf.int32, "lengths"),
    ]
    by_name: dict[str, Signature] = {SIGNATURE: (serve, features), "embedding": (embed, features)}
    if answers is not None:
        waveform = [
            tf.TensorSpec([None, None], tf.float32, "waveform"),
            tf.TensorSpec([None], tf.int32, "lengths"),
            tf.TensorSpec([None], tf.int32, "rate"),
        ]
        by_name["waveform"] = answers.from_waveform, waveform
        by_name["audio"] = answers.from_wav, [tf.TensorSpec([None], tf.string, "audio")]
    return by_name


def description_signature(description: Mapping[str, Any]) -> Signature:
    """What tells a client what the served model is, by the fields of its description.

    Args:
        description: What the model says about itself; JSON.
    """
    fields = tf.constant(list(description), tf.string)
    texts = tf.constant([json.dumps(value, ensure_ascii=False) for value in description.values()] + [""])

    def describe(field: tf.Tensor) -> dict[str, tf.Tensor]:
        field = field[:, tf.newaxis]
        # The first that is the same; after all fields, where none is, the field itself.
        same = tf.concat([tf.equal(field, fields), tf.equal(field, field)], axis=-1)
        return {"description": tf.gather(texts, tf.argmax(tf.cast(same, tf.int32), axis=-1))}

    return describe, [tf.TensorSpec([None], tf.string, "field")]


def _checked(
    features: tf.Tensor, lengths: tf.Tensor, limits: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Features and lengths that a model can read, and of each clip which of `_ERRORS` holds."""
    lowest, highest = limits
    # Not one for each clip is an error of the whole request, and here of the operation.
    lengths = tf.reshape(lengths, tf.shape(features)[:1])
    possible = tf.logical_and(lengths >= 1, lengths <= tf.shape(features)[1])
    padding = tf.range(tf.shape(features)[1]) >= lengths[:, None]
    allowed = tf.reduce_all((features >= lowest) & (features <= highest), axis=-1)
    error = tf.where(possible, tf.where(tf.reduce_all(allowed | padding, axis=-1), 0, 1), 2)
    good = tf.equal(error, 0)
    return tf.where(good[:, None, None], features, 0.0), tf.where(good, lengths, 1), error


def _answered(error: tf.Tensor, values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Values by name, `(batch,)` or `(batch, n)`, 0 where there is no answer, and `error`, which says why."""
    for value in values.values():
        numbers = tf.abs(value) <= value.dtype.max  # neither NaN nor infinite; not every format has is_finite
        error = tf.where(tf.reduce_all(numbers, axis=list(range(1, value.shape.rank))), error, 3)
    good = tf.equal(error, 0)
    answers = {
        name: tf.where(good if value.shape.rank == 1 else good[:, None], value, 0.0)
        for name, value in values.items()
    }
    return {**answers, "error": tf.gather(tf.constant(_ERRORS), error)}

"""The signatures of a served model: what each takes and computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_mir.models.audio_model import AudioModel
from keras_mir.models.session import SIGNATURE
from keras_mir.recipes.outputs import GENRE, PROBABILITIES

# From the inputs to outputs by name, and what those inputs are, in order; their names are its arguments'.
Signature = tuple[Callable[..., dict[str, tf.Tensor]], list[tf.TensorSpec]]


def signatures(
    model: keras.Model, names: Sequence[str] | None, answers: AudioModel | None
) -> dict[str, Signature]:
    """All signatures of a model by name, `serving_default` first.

    Args:
        model: A model of `keras_mir.models`.
        names: Of genres or tags, in index order; None for an affect model.
        answers: What answers to sound, for `waveform` and `audio`.
    """

    def serve(features: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model({"features": features, "lengths": lengths}, training=False)
        if names is None:
            return {target: tf.squeeze(value, -1) for target, value in outputs.items()}
        ((output, probabilities),) = outputs.items()  # (batch, n)
        called, listed = PROBABILITIES[output]
        all_names = tf.constant(list(names))
        answer = {
            called: probabilities,
            listed: tf.tile(all_names[tf.newaxis], [tf.shape(probabilities)[0], 1]),
        }
        if output == GENRE:
            answer[GENRE] = tf.gather(all_names, tf.argmax(probabilities, axis=-1))
        return answer

    below = keras.Model(model.input, model.get_layer("embedding").output)

    def embed(features: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"embedding": below({"features": features, "lengths": lengths}, training=False)}

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

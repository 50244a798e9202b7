"""Requests that TF Serving runs while it loads a model, so that no caller pays for the first one.

They are `tensorflow.serving.PredictionLog` messages in a TFRecord file. Those messages come with
tensorflow-serving-api, which an export does without: the few fields needed here are written in
protobuf's wire format (https://protobuf.dev/programming-guides/encoding), numbered as in TF Serving's
`prediction_log.proto`, `predict.proto` and `model.proto`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import soundfile
import tensorflow as tf

from keras_mir.models.session import SIGNATURE
from pipelines.synthetic.render import render_clip

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
BATCH_SIZES = (1, 8)
_STEPS = 64  # of features, where the model takes any number: the beats of half a minute
# Graphs are optimised and kernels made at the first request, whatever its length; so a short clip does,
# and the file stays smaller than the model.
_CLIP_SECONDS = 2.0
_RATE = 22050


def write_warmup(folder: Path, name: str, model: keras.Model, sound: bool) -> None:
    """Write a request for each signature at each of `BATCH_SIZES`.

    Features are zeros, which features of any kind may be, of the length the model takes; sound is a
    synthetic clip.

    Args:
        folder: Folder of the exported model.
        name: The model's, as in TF Serving's URLs.
        model: A model with this package's inputs.
        sound: Whether it was exported with the signatures that take sound.
    """
    file = Path(folder) / WARMUP
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as records:
        for batch in BATCH_SIZES:
            for signature, feed in _feeds(model, batch, sound).items():
                records.write(_prediction_log(name, signature, feed))


def _feeds(model: keras.Model, batch: int, sound: bool) -> dict[str, dict[str, Any]]:
    """By signature and input, a `tensorflow.TensorProto`; a single value with a shape stands for many."""
    proto = tf.make_tensor_proto
    _, steps, bands = model.input["features"].shape
    steps = steps or _STEPS
    features = {
        "features": proto(0.0, tf.float32, (batch, steps, bands)),
        "lengths": proto(steps, tf.int32, (batch,)),
    }
    feeds = {SIGNATURE: features, "embedding": features}
    feeds["description"] = {"field": proto(["feature_spec"] * batch)}
    if sound:
        clip = render_clip("Rock", 0, _CLIP_SECONDS).audio.astype(np.float32)
        wav = io.BytesIO()
        soundfile.write(wav, clip, _RATE, format="WAV", subtype="PCM_16")
        feeds["waveform"] = {
            "waveform": proto(np.tile(clip, (batch, 1))),
            "lengths": proto(len(clip), tf.int32, (batch,)),
            "rate": proto(_RATE, tf.int32, (batch,)),
        }
        feeds["audio"] = {"audio": proto([wav.getvalue()] * batch)}
    return feeds


def _prediction_log(name: str, signature: str, feed: Mapping[str, Any]) -> bytes:
    model_spec = _field(1, name.encode()) + _field(3, signature.encode())
    request = _field(1, model_spec)
    for key, tensor in feed.items():  # a map is a repeated message of key and value
        request += _field(2, _field(1, key.encode()) + _field(2, tensor.SerializeToString()))
    return _field(6, _field(1, request))  # in a PredictLog, in a PredictionLog


def _field(number: int, value: bytes) -> bytes:
    """A field of a protobuf message whose value is bytes, text or a message."""
    length_delimited = 2
    return _varint(number << 3 | length_delimited) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """An integer in groups of seven bits, the lowest first; all but the last have the top bit set."""
    if value > 127:
        return bytes([value & 127 | 128]) + _varint(value >> 7)
    return bytes([value])

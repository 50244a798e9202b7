"""TF Serving's own messages read the warmup requests, and the model answers every one of them."""

import numpy as np
import pytest
import tensorflow as tf

from keras_mir.export.warmup import WARMUP, write_warmup
from keras_mir.models.build import build_model
from keras_mir.models.session import ServedModel
from keras_mir.recipes.model_settings import ModelSettings
from pipelines.spec import FeatureSpec

prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")


def requests(folder):
    """The file's requests, as TF Serving reads them."""
    for record in tf.data.TFRecordDataset(str(folder / WARMUP)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        yield log.predict_log.request


@pytest.mark.slow
def test_every_signature_is_asked_for_one_and_eight_and_answers(audio_models):
    folder = audio_models / "tiny" / "1"
    asked = []
    with ServedModel(folder) as model:
        for request in requests(folder):
            signature = request.model_spec.signature_name
            feed = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            assert feed.keys() == model.signatures[signature].inputs.keys()
            outputs = model.run(signature, feed)
            (size,) = {len(value) for value in outputs.values()}
            asked.append((request.model_spec.name, signature, size))
            assert not any(outputs.get("error", []))
    signatures = ("serving_default", "embedding", "description", "waveform", "audio")
    assert asked == [("tiny", signature, size) for size in (1, 8) for signature in signatures]
    assert (folder / WARMUP).stat().st_size < 4e6


def test_long_features_take_no_room(tmp_path):
    model = build_model(
        ModelSettings(kind="cnn", filters=(2,), pools=(4,), normalise="none"),
        bands=128,
        time=1293,
        classes=None,
        targets=("valence",),
        spec=FeatureSpec(),
        feature="mel",
    )
    write_warmup(tmp_path, "affect", model, sound=False)
    shapes = []
    for request in requests(tmp_path):
        if request.model_spec.signature_name == "description":
            continue
        feed = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        shapes.append(feed["features"].shape)
        assert feed["features"].dtype == np.float32
        assert feed["lengths"].tolist() == [1293] * len(feed["features"])
    assert shapes == [(1, 1293, 128)] * 2 + [(8, 1293, 128)] * 2
    assert (tmp_path / WARMUP).stat().st_size < 2000

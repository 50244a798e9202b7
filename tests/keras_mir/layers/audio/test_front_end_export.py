"""The whole way from audio to beats, where TF Serving and tf.data run it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mir.export.graph import check_graph
from keras_mir.layers import (
    STFT,
    BeatSync,
    BeatTracker,
    Decibels,
    DownMix,
    MelPower,
    Percussive,
    Resample,
)
from pipelines.synthetic.render import render_clip


@pytest.fixture(scope="module")
def batch():
    rates = np.array([44100, 16000], np.int32)
    clips = [render_clip("Rock", 5, 4.0, 44100).audio, render_clip("Pop", 1, 3.0, 16000).audio]
    audio = np.full((2, len(clips[0]), 2), np.nan, np.float32)
    for row, clip in zip(audio, clips, strict=True):
        row[: len(clip)] = clip[:, np.newaxis]
    return {"audio": audio, "lengths": np.array([len(clip) for clip in clips], np.int32), "rates": rates}


@pytest.fixture(scope="module")
def model():
    audio = keras.Input((None, None), name="audio")
    lengths = keras.Input((), dtype="int32", name="lengths")
    rates = keras.Input((), dtype="int32", name="rates")
    mono, samples = Resample()([DownMix()(audio), lengths, rates])
    spectrum = STFT()([mono, samples])
    frames = 1 + samples // 512
    mel = Decibels()([MelPower()(spectrum), frames])
    tracked = BeatTracker()([Percussive()([spectrum, samples]), samples])
    synced = BeatSync()([mel, frames, tracked["beats"]])
    return keras.Model(
        {"audio": audio, "lengths": lengths, "rates": rates},
        {"tempo": tracked["tempo"], "beats": tracked["beats"], **synced},
    )


def assert_same(answers, expected):
    assert set(answers) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(answers[name], value, atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_served_model_answers_the_same(model, batch, tmp_path):
    expected = model(batch)
    archive = keras.export.ExportArchive()
    archive.track(model)
    specs = [
        tf.TensorSpec((None, None, None), tf.float32, "audio"),
        tf.TensorSpec((None,), tf.int32, "lengths"),
        tf.TensorSpec((None,), tf.int32, "rates"),
    ]
    archive.add_endpoint(
        "serving_default",
        lambda audio, lengths, rates: model({"audio": audio, "lengths": lengths, "rates": rates}),
        input_signature=specs,
    )
    archive.write_out(tmp_path / "model", verbose=False)
    check_graph(tmp_path / "model")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "model"))
        signature = loaded.signature_def["serving_default"]
        feed = {signature.inputs[name].name: value for name, value in batch.items()}
        answers = session.run({name: info.name for name, info in signature.outputs.items()}, feed)
    assert_same(answers, expected)


@pytest.mark.slow
def test_tf_data_gives_the_same(model, batch):
    (answers,) = tf.data.Dataset.from_tensors(batch).map(model).as_numpy_iterator()
    assert_same(answers, model(batch))

"""`predict --server`: the same answers as on this machine, and what is said when there are none."""

from __future__ import annotations

import re
import shutil
import socket
from contextlib import nullcontext
from functools import partial

import pytest
import tensorflow as tf

from keras_mir.client import ServingError
from keras_mir.client.errors import Code
from keras_mir.predict.__main__ import main
from keras_mir.predict.predictor import Predictor


@pytest.fixture
def predict(monkeypatch, capsys, answer_tiny):
    """Runs the command; exit status, output, errors without the lines that a slow machine adds."""
    monkeypatch.setattr("keras_mir.predict.models.open_exported", lambda _: nullcontext(answer_tiny))

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main(list(map(str, arguments)))
        printed = capsys.readouterr()
        return status, printed.out, re.sub(r"^predicting: .*\n", "", printed.err, flags=re.MULTILINE)

    return run


@pytest.mark.slow
def test_same_output_as_on_this_machine(predict, serving, audio_models, songs, tmp_path):
    pytest.importorskip("tensorflow_serving")
    music = tmp_path / "music"
    shutil.copytree(songs, music)
    (music / "aa.mp3").write_text("no music")
    forms = (("--json", "--curve"), ("--csv",), ())
    here = {form: predict(music, "--models", audio_models, *form) for form in forms}
    with serving(audio_models) as running:
        for server in (running.server.rest_address, f"grpc://{running.server.grpc_address}"):
            for form in forms:
                there = predict(music, "--server", server, "--model", "tiny", *form)
                assert there == here[form]
                assert there[0] == 1


class Noted(tf.Module):
    """Answers every file the same, and says of itself what it was trained on."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "audio")], autograph=False)
    def audio(self, audio):
        ones = tf.ones(tf.shape(audio))
        outputs = {"windows": tf.ones_like(ones, tf.int32), "window_starts": 0 * ones[:, None], "calm": ones}
        texts = {"error": tf.fill(tf.shape(audio), ""), "note": tf.fill(tf.shape(audio), "not for you")}
        return outputs | texts | {"window_calm": ones[:, None]}


def test_what_a_served_model_says_of_itself(predict, serving, songs, tmp_path):
    pytest.importorskip("tensorflow_serving")
    noted = Noted()
    tf.saved_model.save(noted, tmp_path / "noted" / "1", signatures={"audio": noted.audio})
    with serving(tmp_path) as running:
        _, metadata = running.ask("GET", "/v1/models/noted/metadata")
        outputs = metadata["metadata"]["signature_def"]["signature_def"]["audio"]["outputs"]
        assert outputs["note"]["dtype"] == "DT_STRING"
        for server in (running.server.rest_address, f"grpc://{running.server.grpc_address}"):
            _, out, err = predict(songs, "--server", server, "--model", "noted", "--csv")
            assert out.splitlines()[1] == f"{songs}/a.flac,6.0,1.0,,0"
            assert err == "note: not for you\n3 answered\n"


def test_models_that_are_not_served(predict, serving, put_version, songs, tmp_path):
    put_version(tmp_path)
    with serving(tmp_path) as running:
        for model, reason in (
            ("jazz", "model 'jazz': answered 404"),
            ("toy/7", "answered 404"),
            ("", "--model: empty; give a value"),
            ("/1", "give the name that"),
            ("toy/", "give the name that"),
            ("toy", "version 1 has no signature 'audio'"),
        ):
            status, out, err = predict(songs, "--server", running.server.rest_address, "--model", model)
            assert (status, out) == (2, "")
            assert err.count("\n") == 1
            assert reason in err


def test_a_request_too_large_fails_alone(predict, serving, audio_models, songs):
    with serving(audio_models, request_bytes=800_000) as running:
        status, out, err = predict(songs, "--server", running.server.rest_address, "--model", "tiny", "--csv")
    assert status == 1
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == [
        str(songs / "a.flac"),
        str(songs / "deep/c.ogg"),
    ]
    assert f"error: {songs}/b.wav: http://" in err
    assert "413" in err


def test_nobody_there(predict, songs):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free_port = taken.getsockname()[1]
    for server in (f"localhost:{free_port}", f"grpc://localhost:{free_port}"):
        status, out, err = predict(songs, "--server", server, "--model", "tiny")
        assert (status, out) == (2, "")
        assert err.count("\n") == 1
        assert "check the address" in err
    assert "not an address" in predict(songs, "--server", "somewhere", "--model", "tiny")[2]


def test_a_server_that_goes_leaves_the_answers_it_gave(
    predict, answer_tiny, audio_models, songs, monkeypatch
):
    requests = []

    def ask(files):
        requests.append(files)
        if len(requests) > 1:
            raise ServingError("there", "it is gone", "see its log", code=Code.UNAVAILABLE)
        return answer_tiny(files)

    monkeypatch.setattr("keras_mir.predict.models.open_exported", lambda _: nullcontext(ask))
    monkeypatch.setattr("keras_mir.predict.songs.Predictor", partial(Predictor, batch_seconds=1))
    status, out, err = predict(songs, "--models", audio_models, "--csv")
    assert status == 2
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == [str(songs / "a.flac")]
    assert err == "error: there: it is gone; see its log\n"

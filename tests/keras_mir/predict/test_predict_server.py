"""`predict --server`: the same answers as on this machine, and what is said when there are none."""

from __future__ import annotations

import shutil
import socket
from contextlib import nullcontext
from functools import partial

import pytest

from keras_mir.client import ServingError
from keras_mir.client.errors import Code
from keras_mir.predict.__main__ import main
from keras_mir.predict.predictor import Predictor


@pytest.fixture
def predict(monkeypatch, capsys, ask_tiny):
    """Runs the command; exit status, output, errors."""
    monkeypatch.setattr("keras_mir.predict.choose.ask_model", lambda _: nullcontext(ask_tiny))

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main(list(map(str, arguments)))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_same_output_as_on_this_machine(predict, serving, hearing_models, songs, tmp_path):
    pytest.importorskip("tensorflow_serving")
    music = tmp_path / "music"
    shutil.copytree(songs, music)
    (music / "aa.mp3").write_text("no music")
    forms = (("--json", "--curve"), ("--csv",), ())
    here = {form: predict(music, "--models", hearing_models, *form) for form in forms}
    with serving(hearing_models) as running:
        for server in (running.server.rest_address, f"grpc://{running.server.grpc_address}"):
            for form in forms:
                there = predict(music, "--server", server, "--model", "tiny", *form)
                assert there == here[form]
                assert there[0] == 1


def test_models_that_are_not_served(predict, serving, put_version, songs, tmp_path):
    put_version(tmp_path)
    with serving(tmp_path) as running:
        for model, reason in (
            ("jazz", "model 'jazz': answered 404"),
            ("toy/7", "answered 404"),
            ("", "give the name that"),
            ("toy/", "give the name that"),
            ("toy", "version 1 has no signature 'audio'"),
        ):
            status, out, err = predict(songs, "--server", running.server.rest_address, "--model", model)
            assert (status, out) == (2, "")
            assert err.count("\n") == 1
            assert reason in err


def test_a_request_too_large_fails_alone(predict, serving, hearing_models, songs):
    with serving(hearing_models, request_bytes=800_000) as running:
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


def test_a_server_that_goes_leaves_the_answers_it_gave(predict, ask_tiny, hearing_models, songs, monkeypatch):
    requests = []

    def ask(files):
        requests.append(files)
        if len(requests) > 1:
            raise ServingError("there", "it is gone", "see its log", code=Code.UNAVAILABLE)
        return ask_tiny(files)

    monkeypatch.setattr("keras_mir.predict.choose.ask_model", lambda _: nullcontext(ask))
    monkeypatch.setattr("keras_mir.predict.predict_songs.Predictor", partial(Predictor, batch_seconds=1))
    status, out, err = predict(songs, "--models", hearing_models, "--csv")
    assert status == 2
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == [str(songs / "a.flac")]
    assert err == "error: there: it is gone; see its log\n"

"""Files sent to a served model, without a server."""

from __future__ import annotations

import numpy as np
import pytest

from keras_mir.client import ServingClient, ServingError
from keras_mir.client import client as module
from keras_mir.client.codec import ModelMetadata, Signature, TensorInfo
from keras_mir.client.errors import Code


class FakeTransport:
    """Answers the length of each file; what it does not like is an error of the file or the request."""

    where = "http://fake:1, model 'toy'"

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []

    def metadata(self) -> ModelMetadata:
        texts, numbers = TensorInfo("string", (None,)), TensorInfo("int32", (None,))
        outputs = {"size": numbers, "error": texts, "scale": TensorInfo("float32", ())}
        return ModelMetadata("toy", 1, {"audio": Signature({"audio": texts}, outputs)})

    def predict(
        self, name: str, signature: Signature, inputs: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        assert name == "audio"
        files = inputs["audio"].tolist()
        self.batches.append(files)
        for content, code in ((b"huge", Code.RESOURCE_EXHAUSTED), (b"deadly", Code.UNAVAILABLE)):
            if content in files:
                raise ServingError(self.where, f"{code.name} it is", "send less", code=code)
        return {
            "size": np.array([len(content) for content in files]),
            "error": np.array(["not a WAV file" if content == b"mp3" else "" for content in files]),
            "scale": np.float32(2.0) * np.ones(()),
        }

    def close(self) -> None:
        pass


@pytest.fixture
def transport(monkeypatch) -> FakeTransport:
    fake = FakeTransport()
    monkeypatch.setattr(module, "_transport", lambda *_: fake)
    return fake


@pytest.fixture
def client(transport) -> ServingClient:
    return ServingClient("fake:1", "toy", batch_size=3)


@pytest.fixture
def write(tmp_path):
    def files(**contents: bytes) -> list[str]:
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        return [str(tmp_path / name) for name in contents]

    return files


def test_answers_come_in_order_and_in_batches(client, transport, write):
    paths = write(a=b"1", b=b"22", c=b"333", d=b"4444")
    answers = list(client.predict_files(paths))
    assert [str(answer.path) for answer in answers] == paths
    assert [answer.outputs["size"].item() for answer in answers] == [1, 2, 3, 4]
    assert answers[0].outputs["size"].shape == ()
    assert answers[3].outputs["scale"] == 2.0
    assert "error" not in answers[0].outputs
    assert [len(batch) for batch in transport.batches] == [3, 1]


def test_bad_files_do_not_end_the_others(client, write, tmp_path):
    first, bad, last = write(a=b"1", b=b"mp3", c=b"333")
    paths = [first, str(tmp_path / "missing.wav"), bad, str(tmp_path), last]
    answers = list(client.predict_files(paths))
    assert [str(answer.path) for answer in answers] == paths
    assert [answer.error for answer in answers] == [
        "",
        f"{paths[1]}: cannot be read (no such file or directory)",
        f"{bad}: not a WAV file",
        f"{tmp_path}: cannot be read (is a directory)",
        "",
    ]
    assert [bool(answer.outputs) for answer in answers] == [True, False, False, False, True]


def test_a_refused_request_is_sent_file_by_file(client, transport, write):
    paths = write(a=b"1", b=b"huge", c=b"333")
    answers = list(client.predict_files(paths))
    assert [answer.error for answer in answers] == [
        "",
        f"{paths[1]}: http://fake:1, model 'toy': RESOURCE_EXHAUSTED it is; send less",
        "",
    ]
    assert [len(batch) for batch in transport.batches] == [3, 1, 1, 1]


def test_a_server_that_is_gone_ends_it(client, transport, write):
    answers = client.predict_files(write(a=b"1", b=b"22", c=b"333", d=b"deadly", e=b"5"))
    assert [next(answers).error for _ in range(3)] == ["", "", ""]
    with pytest.raises(ServingError, match="UNAVAILABLE"):
        next(answers)
    assert len(transport.batches) == 2


def test_large_files_are_not_sent_together(client, transport, write, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 10)
    list(client.predict_files(write(a=b"x" * 6, b=b"x" * 5, c=b"x" * 5, d=b"x" * 20, e=b"x")))
    assert [[len(content) for content in batch] for batch in transport.batches] == [[6], [5, 5], [20], [1]]

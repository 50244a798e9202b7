"""The gRPC client against a servicer that misbehaves on order."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_mir.client import ServingClient, ServingError, TensorInfo
from keras_mir.client.errors import Code
from pipelines.errors import UserError


class Fake(
    prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer
):
    """Gives back what it is sent; `orders` says how it misbehaves at the next predictions."""

    def __init__(self) -> None:
        self.orders: list[Callable[[Any], None]] = []
        self.requests: list[Any] = []
        self.over = threading.Event()

    def Predict(self, request, context):  # noqa: N802, the service's name
        self.requests.append(request)
        if self.orders:
            self.orders.pop(0)(context)
        response = predict_pb2.PredictResponse()
        for name in ("x", "tag"):
            response.outputs[name].CopyFrom(request.inputs[name])
        response.outputs["tag_bytes"].CopyFrom(request.inputs["tag"])
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = request.model_spec.version.value or 7
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signature = signatures.signature_def["serving_default"]
        for entries, names in ((signature.inputs, ("x", "tag")), (signature.outputs, ("x", "tag"))):
            for name, dtype, shape in zip(names, (tf.float32, tf.string), ([None, 2], [None]), strict=True):
                entries[name].dtype = dtype.as_datatype_enum
                entries[name].tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
        signature.outputs["any"].tensor_shape.unknown_rank = True
        response.metadata["signature_def"].Pack(signatures)
        return response

    def GetModelStatus(self, request, context):  # noqa: N802
        if request.model_spec.name != "toy":
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model jazz")
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=7, state=30)
        failed = response.model_version_status.add(version=6, state=50)
        failed.status.error_code, failed.status.error_message = 2, "damaged"
        return response


def abort(code: str, text: str) -> Callable[[Any], None]:
    return lambda context: context.abort(grpc.StatusCode[code], text)


def start(fake: Fake, port: int = 0) -> tuple[grpc.Server, int]:
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 100_000)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(fake, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(fake, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def address(fake) -> Iterator[str]:
    server, port = start(fake)
    yield f"127.0.0.1:{port}"
    fake.over.set()
    server.stop(0).wait()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(address, pauses) -> Iterator[ServingClient]:
    with ServingClient(address, "toy", protocol="grpc", timeout=20, sleep=pauses.append) as client:
        yield client


INPUTS = {"x": np.array([[1, 0.1], [np.nan, -np.inf], [0, 0]]), "tag": ["a", "Ρεμπέτικο", b"\xff\0"]}


def predict_fails(client: ServingClient) -> ServingError:
    with pytest.raises(ServingError) as error:
        client.predict(INPUTS)
    assert "\n" not in str(error.value)
    return error.value


def test_arrays_there_and_back(fake, client):
    outputs = client.predict(INPUTS)
    assert outputs["x"].dtype == np.float32
    np.testing.assert_array_equal(outputs["x"], INPUTS["x"].astype(np.float32))
    assert outputs["tag"].tolist() == ["a", "Ρεμπέτικο", "\N{REPLACEMENT CHARACTER}"]
    assert outputs["tag_bytes"].tolist() == [b"a", "Ρεμπέτικο".encode(), b"\xff\0"]
    spec = fake.requests[0].model_spec
    assert (spec.name, spec.signature_name, spec.HasField("version")) == ("toy", "serving_default", False)


def test_batches_and_versions(fake, address):
    with ServingClient(address, "toy", 3, protocol="grpc", batch_size=2) as client:
        np.testing.assert_array_equal(client.predict(INPUTS)["x"], INPUTS["x"].astype(np.float32))
    assert [request.inputs["tag"].tensor_shape.dim[0].size for request in fake.requests] == [2, 1]
    assert [request.model_spec.version.value for request in fake.requests] == [3, 3]


def test_status_and_metadata(client, address):
    available, failed = client.status()
    assert (available.version, available.available, available.error) == (7, True, "")
    assert (failed.version, failed.state, failed.error) == (6, "END", "damaged")
    metadata = client.metadata()
    assert (metadata.name, metadata.version) == ("toy", 7)
    signature = metadata.signatures["serving_default"]
    assert signature.inputs == {"x": TensorInfo("float32", (None, 2)), "tag": TensorInfo("string", (None,))}
    assert signature.outputs["any"].shape is None
    with (
        ServingClient(address, "jazz", protocol="grpc") as other,
        pytest.raises(ServingError, match=r"model 'jazz': NOT_FOUND, Could not find"),
    ):
        other.status()


def test_it_asks_again_while_the_server_is_busy(fake, client, pauses):
    fake.orders = [abort("UNAVAILABLE", "queue full"), abort("DEADLINE_EXCEEDED", "slow")]
    assert client.predict(INPUTS)["x"].shape == (3, 2)
    assert len(fake.requests) == 3
    assert 0.1 <= pauses[0] <= 0.2 <= pauses[1] <= 0.4


def test_it_gives_up_after_the_retries(fake, client, address):
    fake.orders = [abort("UNAVAILABLE", "queue\nfull")] * 4
    error = predict_fails(client)
    assert len(fake.requests) == 4
    assert error.code is Code.UNAVAILABLE
    assert f"{address} (gRPC), model 'toy': UNAVAILABLE, queue full (4 attempts); " in str(error)


@pytest.mark.parametrize(
    "code", ["INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "INTERNAL"]
)
def test_a_refused_request_is_not_sent_again(fake, client, code):
    fake.orders = [abort(code, "no")]
    error = predict_fails(client)
    assert error.code is Code[code]
    assert len(fake.requests) == 1


def test_a_request_too_large(client):
    with pytest.raises(ServingError, match=r"RESOURCE_EXHAUSTED, .*; send less at a time") as error:
        client.predict({"x": [[1, 2]], "tag": [b"x" * 200_000]})
    assert not error.value.retryable


def test_a_server_that_does_not_answer(fake, address):
    fake.orders = [lambda _: fake.over.wait(30)]
    with ServingClient(address, "toy", protocol="grpc", timeout=0.3) as client:
        error = predict_fails(client)
    assert error.code is Code.DEADLINE_EXCEEDED
    assert "give a longer timeout" in str(error)


def test_a_server_that_dies_in_mid_request_and_comes_back():
    fake = Fake()
    server, port = start(fake)
    comebacks = []

    def come_back(_: float) -> None:
        comebacks.append(start(fake, port)[0])

    def die(context: Any) -> None:
        server.stop(0)
        fake.over.wait(10)

    with ServingClient(f"127.0.0.1:{port}", "toy", protocol="grpc", sleep=come_back) as client:
        client.status()
        fake.orders = [die]
        assert client.predict(INPUTS)["x"].shape == (3, 2)
    assert len(comebacks) == 1
    fake.over.set()
    comebacks[0].stop(0).wait()


def test_nobody_is_there(pauses):
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with ServingClient(address, "toy", protocol="grpc", sleep=pauses.append) as client:
            error = predict_fails(client)
    assert error.code is Code.UNAVAILABLE
    assert "(4 attempts); check the address, the gRPC port" in str(error)
    assert len(pauses) == 3


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'keras-mir\[grpc\]'"):
        ServingClient("localhost:8500", "toy", protocol="grpc")

"""The gRPC services, asked with tensorflow-serving-api's own stubs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("tensorflow_serving")

import grpc
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_mir.models.session import ServedModel
from keras_mir.serve import local_server as local_server_module
from keras_mir.serve.local_server import local_server
from pipelines.errors import UserError

X = np.array([[1, 2.5, -3], [0, 0, 0]], np.float32)
TAGS = np.array([b"blues", "Ρεμπέτικο".encode()], object)
FOREVER = 10**9  # steps


class Stubs:
    def __init__(self, server):
        self.channel = grpc.insecure_channel(server.grpc_address, [("grpc.max_send_message_length", -1)])
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, request, timeout=20):
        return self.prediction.Predict(request, timeout=timeout)

    def fails(self, request, timeout=20):
        """The code and the text of a request's failure."""
        with pytest.raises(grpc.RpcError) as error:
            self.predict(request, timeout)
        return error.value.code(), error.value.details()


@pytest.fixture(scope="module")
def root(put_version, tmp_path_factory):
    """A folder with one version of the toy; not to be changed."""
    folder = tmp_path_factory.mktemp("models")
    put_version(folder)
    return folder


@pytest.fixture
def stubs(serving, root):
    with serving(root, request_bytes=150_000) as client:
        stubs = Stubs(client.server)
        yield stubs
        stubs.channel.close()


def request(signature="", name="toy", version=None, outputs=(), **inputs):
    message = predict_pb2.PredictRequest(output_filter=outputs)
    message.model_spec.name = name
    message.model_spec.signature_name = signature
    if version is not None:
        message.model_spec.version.value = version
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(value if isinstance(value, TensorProto) else proto(value))
    return message


def proto(value):
    return tf.make_tensor_proto(value)


def test_predict(stubs):
    response = stubs.predict(request(x=X, tag=TAGS))
    assert response.model_spec.name == "toy"
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    outputs = {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
    assert outputs.keys() == {"y", "greeting", "tag_bytes"}
    np.testing.assert_array_equal(outputs["y"], X * 10)
    assert outputs["y"].dtype == np.float32
    assert outputs["greeting"].tolist() == [b"hello " + tag for tag in TAGS]
    # Many clients read the fields themselves.
    assert list(response.outputs["y"].float_val) == (X * 10).ravel().tolist()
    assert stubs.predict(request(version=1, x=X, tag=TAGS)) == response


def test_signatures_dtypes_and_chosen_outputs(stubs):
    response = stubs.predict(
        request("flags", small=np.array([1, -128], np.int8), flag=np.array([True, False]))
    )
    outputs = {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
    assert {name: (array.dtype.name, array.tolist()) for name, array in outputs.items()} == {
        "flag": ("bool", [False, True]),
        "small": ("int8", [-1, -128]),
        "wide": ("float64", [1.0, -128.0]),
    }
    chosen = stubs.predict(request("flags", outputs=["wide"], small=np.int8([1]), flag=np.array([True])))
    assert list(chosen.outputs) == ["wide"]
    audio = np.array([bytes(range(256)), b"\0"], object)
    sizes = stubs.predict(request("sizes", audio=audio))
    assert list(sizes.outputs["size"].int_val) == [256, 1]
    assert tf.make_ndarray(sizes.outputs["scale"]) == np.float32(10)


def shaped(dtype, *shape, **values):
    message = TensorProto(dtype=dtype, **values)
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    return message


BAD_REQUESTS = {
    "no model": (request(name="jazz", x=X, tag=TAGS), "NOT_FOUND", r"Latest(jazz)"),
    "no version": (request(version=9, x=X, tag=TAGS), "NOT_FOUND", r"Specific(toy, 9)"),
    "no name": (request(name=""), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no signature": (request("classify", x=X), "FAILED_PRECONDITION", '"classify" not found; there is flags'),
    "no such output": (
        request(outputs=["z"], x=X, tag=TAGS),
        "INVALID_ARGUMENT",
        "not found in signature: z",
    ),
    "a missing input": (request(x=X), "INVALID_ARGUMENT", "missing tag"),
    "an unknown input": (request(x=X, tag=TAGS, z=X), "INVALID_ARGUMENT", "unknown z"),
    "a wrong dtype": (
        request(x=X.astype(np.float64), tag=TAGS),
        "INVALID_ARGUMENT",
        "float64, but the model",
    ),
    "text for numbers": (
        request(x=TAGS, tag=TAGS),
        "INVALID_ARGUMENT",
        "string, but the model takes float32",
    ),
    "a wrong shape": (request(x=X[:, :2], tag=TAGS), "INVALID_ARGUMENT", "shape (2, 2), but"),
    "an empty batch": (request(x=X[:0], tag=TAGS[:0]), "INVALID_ARGUMENT", "nothing in its batch"),
    "what the graph refuses": (request(x=X + np.float32("nan"), tag=TAGS), "INVALID_ARGUMENT", "not finite"),
    "no dtype": (request(x=TensorProto(), tag=TAGS), "INVALID_ARGUMENT", "no dtype"),
    "an unknown dtype": (request(x=shaped(99), tag=TAGS), "INVALID_ARGUMENT", "no dtype"),
    "a resource": (request(x=shaped(20, 1), tag=TAGS), "INVALID_ARGUMENT", "'x'"),
    "a shape that is not its contents'": (
        request(x=shaped(1, 2, 3, tensor_content=b"1234"), tag=TAGS),
        "INVALID_ARGUMENT",
        "tensor parsing error",
    ),
    "more values than its shape": (
        request("scalars", x=shaped(1, 1, float_val=[1, 2])),
        "INVALID_ARGUMENT",
        "tensor parsing error",
    ),
    "a value beyond its dtype": (
        request("flags", small=shaped(6, 1, int_val=[300]), flag=np.array([True])),
        "INVALID_ARGUMENT",
        "int8 cannot hold",
    ),
    "a shape beyond all memory": (
        request("scalars", x=shaped(1, 10**12, float_val=[1])),
        "INVALID_ARGUMENT",
        "shape that cannot be",
    ),
    "a string that stands for many": (
        request("sizes", audio=shaped(7, 50_000, string_val=[b""])),
        "INVALID_ARGUMENT",
        "shape that cannot be",
    ),
    "more strings than clips may be": (
        request("sizes", audio=shaped(7, 65_537, string_val=[b""] * 65_537)),
        "INVALID_ARGUMENT",
        "has 65537 strings; send at most 65536",
    ),
    "a negative shape": (request("scalars", x=shaped(1, -1)), "INVALID_ARGUMENT", "shape that cannot be"),
    "too large a message": (
        request("sizes", audio=[b"x" * 200_000]),
        "RESOURCE_EXHAUSTED",
        "larger than max",
    ),
}


def test_bad_requests_get_their_code_and_the_server_goes_on(stubs):
    for name, (message, code, text) in BAD_REQUESTS.items():
        found, details = stubs.fails(message)
        assert found is grpc.StatusCode[code], (name, found, details)
        assert text in details, (name, details)
    assert stubs.predict(request(x=X, tag=TAGS)).outputs


def test_a_label_that_no_version_has_is_refused(stubs):
    message = request(x=X, tag=TAGS)
    message.model_spec.version_label = "stable"
    code, details = stubs.fails(message)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details == "Unrecognized servable version label: stable"


def test_a_time_limit(serving, root):
    with serving(root, seconds=1) as client:
        stubs = Stubs(client.server)
        code, details = stubs.fails(request("slow", steps=[FOREVER]))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "time limit" in details
        assert stubs.predict(request(x=X, tag=TAGS)).outputs
        stubs.channel.close()


def test_the_clients_own_limit_ends_the_run(stubs):
    assert stubs.fails(request("slow", steps=[FOREVER]), timeout=0.3)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert stubs.predict(request(x=X, tag=TAGS)).outputs


def test_status_and_metadata(stubs):
    ask = get_model_status_pb2.GetModelStatusRequest()
    ask.model_spec.name = "toy"
    (version,) = stubs.model.GetModelStatus(ask, timeout=20).model_version_status
    assert version.version == 1
    assert version.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert version.status.error_code == 0
    ask.model_spec.name = "jazz"
    with pytest.raises(grpc.RpcError) as error:
        stubs.model.GetModelStatus(ask, timeout=20)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND

    about = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    about.model_spec.name = "toy"
    response = stubs.prediction.GetModelMetadata(about, timeout=20)
    assert response.model_spec.version.value == 1
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def["serving_default"].inputs) == {"x", "tag"}
    about.metadata_field.append("weights")
    with pytest.raises(grpc.RpcError) as error:
        stubs.prediction.GetModelMetadata(about, timeout=20)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_methods_that_are_left_out_say_so(stubs):
    with pytest.raises(grpc.RpcError) as error:
        stubs.prediction.Classify(classification_pb2.ClassificationRequest(), timeout=20)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_requests_at_once_on_both_protocols(serving, root):
    with serving(root) as client, ThreadPoolExecutor(8) as pool:
        stubs = Stubs(client.server)

        def by_grpc(number):
            x = np.array([number], np.float32)
            return stubs.predict(request("scalars", x=x)).outputs["y"].float_val[0]

        def by_rest(number):
            return client.predict({"signature_name": "scalars", "inputs": [number]})[1]["outputs"][0]

        expected = [10.0 * number for number in range(20)]
        assert list(pool.map(by_grpc, range(20))) == expected
        assert list(pool.map(by_rest, range(20))) == expected
        stubs.channel.close()


def test_requests_that_run_are_answered_before_the_end(serving, root, monkeypatch):
    running, go_on = threading.Event(), threading.Event()
    run = ServedModel.run

    def wait_and_run(self, *args, **kwargs):
        running.set()
        assert go_on.wait(20)
        return run(self, *args, **kwargs)

    monkeypatch.setattr(ServedModel, "run", wait_and_run)
    with ThreadPoolExecutor(1) as pool:
        with serving(root) as client:
            stubs = Stubs(client.server)
            answer = pool.submit(stubs.predict, request(x=X, tag=TAGS))
            assert running.wait(20)
            client.server.stop()
            go_on.set()
        assert answer.result().outputs
        stubs.channel.close()


def test_a_port_that_is_taken_is_named(serving, root):
    with serving(root) as client:
        port = int(client.server.grpc_address.split(":")[1])
        with (
            pytest.raises(UserError, match=f"^grpc_port {port}: cannot be had"),
            local_server(root, port=0, grpc_port=port),
        ):
            pass


def test_without_the_extra_rest_is_served_alone(serving, root, monkeypatch):
    monkeypatch.setattr(local_server_module, "_has_grpc", lambda: False)
    with serving(root) as client:
        assert client.server.grpc_address is None
        assert client.server.describe() == f"serving toy/1 at http://{client.server.rest_address} (REST)"
        assert client.ask("GET", "/v1/models/toy")[0] == 200

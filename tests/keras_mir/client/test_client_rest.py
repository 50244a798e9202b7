"""The REST client against a server that misbehaves on order."""

from __future__ import annotations

import asyncio
import base64
import http.server
import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from keras_mir.client import AsyncServingClient, ServingClient, ServingError, rest
from keras_mir.client.codec import Signature, TensorInfo
from keras_mir.client.errors import Code, Retry
from keras_mir.client.rest import parse_address
from pipelines.errors import UserError


def tensor(dtype: str, *shape: int) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in shape]
    return {"dtype": dtype, "tensor_shape": {"dim": dims, "unknown_rank": False}, "name": "t:0"}


# As TF Serving writes it: sizes are strings, and the initialiser is among the signatures.
METADATA = {
    "model_spec": {"name": "toy", "signature_name": "", "version": "7"},
    "metadata": {
        "signature_def": {
            "signature_def": {
                "serving_default": {
                    "inputs": {"x": tensor("DT_FLOAT", -1, 2), "tag": tensor("DT_STRING", -1)},
                    "outputs": {
                        "y": tensor("DT_FLOAT", -1),
                        "times": tensor("DT_FLOAT", -1, -1),
                        "count": tensor("DT_INT32", -1),
                        "names": tensor("DT_STRING", -1, -1),
                        "raw_bytes": tensor("DT_STRING", -1),
                    },
                },
                "double": {
                    "inputs": {"n": tensor("DT_INT8", -1)},
                    "outputs": {"twice": tensor("DT_INT64", -1)},
                },
                "whole": {
                    "inputs": {"n": tensor("DT_INT8", -1)},
                    "outputs": {"n": tensor("DT_INT8", -1), "sum": tensor("DT_DOUBLE")},
                },
                "__saved_model_init_op": {"inputs": {}, "outputs": {"o": tensor("DT_INVALID")}},
            }
        }
    },
}
STATUS = {
    "model_version_status": [
        {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
        {"version": "6", "state": "END", "status": {"error_code": "UNKNOWN", "error_message": "damaged"}},
    ]
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    inputs = request["inputs"]
    if request["signature_name"] == "double":
        return {"outputs": [2 * n for n in inputs["n"]]}
    if request["signature_name"] == "whole":
        return {"outputs": {"n": inputs["n"], "sum": sum(inputs["n"])}}
    x, tags = inputs["x"], [base64.b64decode(tag["b64"]) for tag in inputs["tag"]]
    counts = [int(first) for first, _ in x]
    widest = max(counts)
    return {
        "outputs": {
            "y": [first + second for first, second in x],
            # As wide as this batch needs: what a beat tracker's answers look like.
            "times": [[float(n) for n in range(count)] + [-1.0] * (widest - count) for count in counts],
            "count": counts,
            "names": [[tag.decode("utf-8", "replace")] * widest for tag in tags],
            "raw_bytes": [{"b64": base64.b64encode(tag).decode()} for tag in tags],
        }
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeServer

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.path.endswith("/metadata"):
            self.reply(200, self.server.metadata)
        elif self.path.startswith("/v1/models/toy"):
            self.reply(200, STATUS)
        else:
            self.reply(404, {"error": "Could not find any versions of model jazz"})

    def do_POST(self) -> None:
        self.server.paths.append(self.path)
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(request)
        order = self.server.orders.pop(0) if self.server.orders else None
        if order is None:
            self.reply(200, answer(request))
        elif order == "hang up":
            self.close_connection = True
        elif order == "break off":
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'{"outputs"')
            self.close_connection = True
        elif order == "never":
            self.server.over.wait(30)
        elif order == "trickle":
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            while not self.server.over.wait(0.05):
                self.wfile.write(b" ")
        else:
            self.reply(*order)

    def reply(self, status: int, body: Any, retry_after: str = "") -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class FakeServer(http.server.ThreadingHTTPServer):
    """Answers; `orders` says how it misbehaves at the next predictions."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.orders: list[Any] = []
        self.requests: list[Any] = []
        self.paths: list[str] = []
        self.connections = 0
        self.metadata: Any = METADATA
        self.over = threading.Event()

    def handle_error(self, *_: Any) -> None:
        pass  # clients that have gone


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    thread = threading.Thread(target=fake.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    fake.over.set()
    fake.shutdown()
    thread.join()
    fake.server_close()


class Pauses(list[float]):
    """Stands in for sleeping."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def client(server: FakeServer, pauses: Pauses) -> Iterator[ServingClient]:
    with ServingClient(server.address, "toy", sleep=pauses, timeout=20) as client:
        yield client


INPUTS = {"x": np.array([[1, 0.5], [3, -1], [0, 0], [2, 2]]), "tag": ["a", "Ρεμπέτικο", b"\xff", ""]}


def predict_fails(client: ServingClient) -> ServingError:
    with pytest.raises(ServingError) as error:
        client.predict(INPUTS)
    assert "\n" not in str(error.value)
    return error.value


def test_outputs_have_the_signatures_dtypes_and_strings_are_text(client):
    outputs = client.predict(INPUTS)
    assert {name: array.dtype.kind for name, array in outputs.items()} == {
        "y": "f",
        "times": "f",
        "count": "i",
        "names": "U",
        "raw_bytes": "O",
    }
    assert outputs["y"].dtype == np.float32
    assert outputs["count"].dtype == np.int32
    np.testing.assert_array_equal(outputs["y"], np.float32([1.5, 2, 0, 4]))
    assert outputs["names"][:, 0].tolist() == ["a", "Ρεμπέτικο", "\N{REPLACEMENT CHARACTER}", ""]
    assert outputs["raw_bytes"].tolist() == [b"a", "Ρεμπέτικο".encode(), b"\xff", b""]


def test_a_single_output_comes_without_its_name(server):
    with ServingClient(server.address, "toy", signature="double") as client:
        twice = client.predict({"n": [1, -128]})["twice"]
    assert twice.dtype == np.int64
    assert twice.tolist() == [2, -256]


def test_long_inputs_go_in_batches_and_narrow_answers_are_filled_up(server):
    with ServingClient(server.address, "toy", batch_size=3) as client:
        outputs = client.predict(INPUTS)
    assert [len(request["inputs"]["x"]) for request in server.requests] == [3, 1]
    nan = np.nan
    expected = [[0, -1, -1], [0, 1, 2], [-1, -1, -1], [0, 1, nan]]
    np.testing.assert_array_equal(outputs["times"], np.float32(expected))
    assert outputs["names"][3].tolist() == ["", "", ""]
    assert outputs["count"].tolist() == [1, 3, 0, 2]


def test_an_output_without_a_batch_axis_cannot_be_joined(server):
    with ServingClient(server.address, "toy", signature="whole", batch_size=2) as client:
        assert client.predict({"n": [1, 2]})["sum"] == 3
        with pytest.raises(UserError, match=r"'whole': output 'sum' .*batch_size of at least 3"):
            client.predict({"n": [1, 2, 3]})


def test_it_asks_again_while_the_server_is_busy(server, client, pauses, caplog):
    busy = (503, {"error": "The batch scheduling queue is full"})
    server.orders = [busy, busy]
    with caplog.at_level(logging.INFO, "keras_mir.client"):
        assert client.predict(INPUTS)["count"].tolist() == [1, 3, 0, 2]
    assert len(server.requests) == 3
    assert len(pauses) == 2
    assert 0.1 <= pauses[0] <= 0.2 <= pauses[1] <= 0.4
    assert "queue is full" in caplog.text


def test_it_asks_again_when_the_server_says(server, client, pauses):
    date = "Fri, 31 Dec 1999 23:59:59 GMT"  # is over
    server.orders = [(503, {}, "7"), (429, {}, "8"), (503, {}, date), (503, {}, "soon")]
    predict_fails(client)
    assert pauses[:2] == [7, 8]
    assert 0.4 <= pauses[2] <= 0.8
    assert len(server.requests) == 4
    server.orders = [(503, {"error": "down for the night"}, "3600")]
    error = predict_fails(client)  # it has 20 s
    assert "answered 503, down for the night; try again later" in str(error)
    assert len(pauses) == 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_it_gives_up_after_the_retries(server, client, status):
    server.orders = [(status, b"<html>proxy</html>")] * 4
    error = predict_fails(client)
    assert len(server.requests) == 4
    assert error.retryable
    assert f"http://{server.address}, model 'toy': answered {status}, " in str(error)
    assert "(4 attempts); " in str(error)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.INVALID_ARGUMENT),
        (401, Code.UNAUTHENTICATED),
        (404, Code.NOT_FOUND),
        (413, Code.RESOURCE_EXHAUSTED),
        (422, Code.INVALID_ARGUMENT),
        (500, Code.INTERNAL),
        (599, Code.INTERNAL),
    ],
)
def test_a_refused_request_is_not_sent_again(server, client, pauses, status, code):
    server.orders = [(status, {"error": "input must be\n  4-dimensional;"})]
    error = predict_fails(client)
    assert error.code is code
    assert f"answered {status}, input must be 4-dimensional; " in str(error)
    assert len(server.requests) == 1
    assert pauses == []


@pytest.mark.parametrize("order", ["hang up", "break off"])
def test_a_server_that_dies_in_mid_request(server, client, order):
    server.orders = [order, order]
    assert client.predict(INPUTS)["count"].tolist() == [1, 3, 0, 2]
    server.orders = [order] * 9
    error = predict_fails(client)
    assert error.code is Code.UNAVAILABLE
    assert "the connection broke off before the answer was there (4 attempts); see the server" in str(error)


@pytest.mark.parametrize("order", ["never", "trickle"])
def test_a_server_that_does_not_answer(server, pauses, order):
    with ServingClient(server.address, "toy", timeout=0.3, sleep=pauses) as client:
        server.orders = [order]
        error = predict_fails(client)
        assert error.code is Code.DEADLINE_EXCEEDED
        assert "no answer within 0.3 s; give a longer timeout" in str(error)
        assert client.predict(INPUTS)["count"].tolist() == [1, 3, 0, 2]
    assert len(server.requests) == 2


def test_sending_may_take_longer_than_connecting(monkeypatch):
    monkeypatch.setattr(rest, "_CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        address = parse_address(f"127.0.0.1:{listener.getsockname()[1]}")

        def read_late() -> int:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as file:
                threading.Event().wait(0.5)
                lengths = [
                    int(line.split()[1]) for line in iter(file.readline, b"\r\n") if b"-Length" in line
                ]
                got = len(file.read(lengths[0]))
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"outputs": 1}')
                return got

        got = threads.submit(read_late)
        transport = rest.RestTransport(address, "toy", None, Retry(retries=0))
        info = TensorInfo("float32", None)
        outputs = transport.predict("s", Signature({"x": info}, {"y": info}), {"x": np.zeros(4_000_000)})
        assert outputs["y"] == 1
        assert got.result() > 16_000_000
        transport.close()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<html>hello</html>", "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        ({"predictions": [1]}, "does not have the outputs count, names"),
        ({"outputs": {"y": [1]}}, "does not have the outputs count, names"),
    ],
)
def test_an_answer_that_is_not_tf_servings(server, client, body, text):
    server.orders = [(200, body)]
    error = predict_fails(client)
    assert error.code is Code.UNKNOWN
    assert text in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("count", [1.5]),
        ("count", [2**40]),
        ("count", [True]),
        ("y", ["1.5"]),
        ("y", [None]),
        ("times", [[1.0], [1.0, 2.0]]),
        ("names", [[1]]),
        ("raw_bytes", [{"b64": "?"}]),
    ],
)
def test_outputs_of_another_dtype(server, client, output, value):
    outputs = answer({"signature_name": "", "inputs": {"x": [[1, 1]], "tag": [{"b64": ""}]}})["outputs"]
    server.orders = [(200, {"outputs": {**outputs, output: value}})]
    with pytest.raises(ServingError, match=rf"output '{output}' that is not"):
        client.predict({"x": [[1, 1]], "tag": [""]})


def test_values_json_lacks(server, client):
    server.orders = [
        (
            200,
            b'{"outputs": {"y": [NaN, -Infinity, 2], "times": [[],[],[]], "count": [1,2,3],'
            b' "names": [["\xff"],["b"],["c"]], "raw_bytes": ["a", "b", "c"]}}',
        )
    ]
    outputs = client.predict(INPUTS)
    np.testing.assert_array_equal(outputs["y"], [np.nan, -np.inf, 2])
    assert outputs["times"].shape == (3, 0)
    assert outputs["names"][0, 0] == "\N{REPLACEMENT CHARACTER}"
    assert outputs["raw_bytes"].tolist() == [b"a", b"b", b"c"]


BAD_INPUTS = {
    "without tag; give tag, x": {"x": [[1, 2]]},
    "with z; give tag, x": {"x": [[1, 2]], "tag": ["a"], "z": [1]},
    r"input 'x': shape \(1, 3\) where the model takes \(any, 2\); reshape it": {
        "x": [[1, 2, 3]],
        "tag": ["a"],
    },
    r"input 'x': nothing in the batch": {"x": np.zeros((0, 2)), "tag": []},
    r"input 'x': ragged": {"x": [[1, 2], [1]], "tag": ["a", "b"]},
    r"input 'x': complex128 where the model takes float32": {"x": [[1j, 2]], "tag": ["a"]},
    r"input 'x': has numbers that float32 cannot hold": {"x": [[1e300, 2]], "tag": ["a"]},
    r"input 'tag': int where the model takes bytes or text": {"x": [[1, 2]], "tag": [1]},
    r"different lengths \(tag 1, x 40\)": {"x": np.zeros((40, 2)), "tag": ["a"]},
}


@pytest.mark.parametrize("text", BAD_INPUTS)
def test_inputs_that_do_not_fit_are_not_sent(server, client, text):
    with pytest.raises(UserError, match="signature 'serving_default': .*" + text):
        client.predict(BAD_INPUTS[text])
    assert server.requests == []


@pytest.mark.parametrize("values", [[1.0], [200], [-129]])
def test_whole_numbers_stay_what_they_are(server, values):
    with (
        ServingClient(server.address, "toy", signature="double") as client,
        pytest.raises(UserError, match="input 'n'"),
    ):
        client.predict({"n": values})


def test_a_signature_that_is_not_there(server):
    with ServingClient(server.address, "toy", signature="waveform") as client:
        error = predict_fails(client)
    assert "version 7 has no signature 'waveform'; use one of double, serving_default, whole" in str(error)


def test_after_a_failure_it_asks_anew_what_the_model_takes(server, client):
    client.predict(INPUTS)
    client.predict(INPUTS)
    assert server.paths.count("/v1/models/toy/metadata") == 1
    changed = json.loads(json.dumps(METADATA).replace('"size": "2"', '"size": "1"'))
    server.metadata = changed
    server.orders = [(400, {"error": "shape"})]
    predict_fails(client)
    with pytest.raises(UserError, match=r"takes \(any, 1\)"):
        client.predict(INPUTS)


def test_status_metadata_and_versions(server):
    with ServingClient(f"http://{server.address}/", "toy", version=7) as client:
        available, failed = client.status()
        metadata = client.metadata()
        client.predict(INPUTS)
    assert (available.version, available.available, available.error) == (7, True, "")
    assert (failed.version, failed.state, failed.available, failed.error) == (6, "END", False, "damaged")
    assert (metadata.name, metadata.version) == ("toy", 7)
    assert metadata.signatures["serving_default"].inputs["x"] == TensorInfo("float32", (None, 2))
    assert set(server.paths) == {
        "/v1/models/toy/versions/7",
        "/v1/models/toy/versions/7/metadata",
        "/v1/models/toy/versions/7:predict",
    }


def test_a_model_that_is_not_there(server):
    with (
        ServingClient(server.address, "jazz") as client,
        pytest.raises(
            ServingError, match=r"model 'jazz': answered 404, Could not find .*; check the model's"
        ),
    ):
        client.status()


def test_a_closed_client_says_so(server):
    client = ServingClient(server.address, "toy")
    client.close()
    for ask in (client.status, client.metadata, lambda: client.predict(INPUTS)):
        with pytest.raises(UserError, match="this client is closed; make another"):
            ask()

    async def ask_late():
        async with AsyncServingClient(server.address, "toy") as client:
            await client.status()
        await client.status()

    with pytest.raises(UserError, match="this client is closed; make another"):
        asyncio.run(ask_late())


def test_nobody_is_there(pauses):
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with ServingClient(address, "toy", sleep=pauses, retries=2) as client:
            error = predict_fails(client)
    assert error.code is Code.UNAVAILABLE
    assert "cannot be reached: connection refused (3 attempts); check the address" in str(error)
    assert len(pauses) == 2


def test_a_port_that_speaks_something_else():
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"\x00\x00\x18\x04\x00\x00\x00\x00\x00\r\n\r\n")

        pool.submit(greet)
        with ServingClient(f"127.0.0.1:{listener.getsockname()[1]}", "toy") as client:
            error = predict_fails(client)
    assert "what answers is not HTTP; give the REST port" in str(error)


def test_a_connection_serves_many_requests_and_threads_share_a_client(server, client):
    for _ in range(5):
        client.predict(INPUTS)
    assert server.connections == 1
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: client.predict({"x": [[n, n]], "tag": ["a"]})["y"][0], range(20)))
    assert answers == [2 * n for n in range(20)]
    assert server.connections <= 5


def test_a_connection_closed_while_it_rested_is_replaced_without_a_pause(server, client, pauses):
    client.predict(INPUTS)
    server.orders = ["hang up"]
    client.predict(INPUTS)
    assert server.connections == 2
    assert pauses == []


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("localhost:8501", ("localhost", 8501, False, "")),
        ("[::1]:8501", ("::1", 8501, False, "")),
        ("http://gpu.example:80/tf/", ("gpu.example", 80, False, "/tf")),
        ("https://gpu.example", ("gpu.example", 443, True, "")),
    ],
)
def test_addresses(server, expected):
    address = parse_address(server)
    assert (address.host, address.port, address.encrypted, address.path) == expected


@pytest.mark.parametrize(
    "server",
    ["", "localhost", ":8501", "host:99999", "host:x", "ftp://host:21", "http://h:1/?q=1", "a..b:80"],
)
def test_what_is_not_an_address(server):
    said = r"not an address; give HOST:PORT, such as localhost:8501, or an http\(s\) URL$"
    with pytest.raises(UserError, match=said):
        ServingClient(server, "toy")


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": ""},
        {"version": -1},
        {"timeout": 0},
        {"retries": -1},
        {"batch_size": 0},
        {"protocol": "soap"},
    ],
)
def test_wrong_arguments_are_named(wrong):
    (name,) = wrong
    with pytest.raises(UserError, match=f"^{name} "):
        ServingClient(**{"server": "localhost:8501", "model": "toy", **wrong})


def test_rest_needs_no_tensorflow(server):
    script = f"""
import sys
for heavy in ("tensorflow", "keras", "librosa", "grpc", "pandas"):
    sys.modules[heavy] = None
from keras_mir.client import ServingClient
with ServingClient({server.address!r}, "toy", signature="double") as client:
    print(client.predict({{"n": [21]}})["twice"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[42]\n", "")

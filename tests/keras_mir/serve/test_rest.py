"""The REST interface over a real socket, compared with TF Serving's documented one."""

from __future__ import annotations

import base64
import http.client
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import keras
import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from keras_mir.models.session import ServedModel
from keras_mir.serve.__main__ import main
from keras_mir.serve.local_server import local_server
from keras_mir.serve.registry import Registry
from pipelines.errors import UserError

ROWS = [{"x": [1, 2.5, -3], "tag": "blues"}, {"x": [0, 0, 0], "tag": "Ρεμπέτικο"}]
COLUMNS = {"x": [row["x"] for row in ROWS], "tag": [row["tag"] for row in ROWS]}
FOREVER = 10**9  # steps


@pytest.fixture(scope="module")
def root(put_version, tmp_path_factory):
    """A folder with one version of the toy; not to be changed."""
    folder = tmp_path_factory.mktemp("models")
    put_version(folder)
    return folder


@pytest.fixture
def client(serving, root):
    with serving(root, request_bytes=300_000) as client:
        yield client


def test_rows(client):
    def tag_bytes(text):
        return {"b64": base64.b64encode(text.encode()).decode()}

    status, answer = client.predict({"instances": ROWS})
    assert status == 200
    assert answer == {
        "predictions": [
            {"greeting": "hello blues", "tag_bytes": tag_bytes("blues"), "y": [10.0, 25.0, -30.0]},
            {"greeting": "hello Ρεμπέτικο", "tag_bytes": tag_bytes("Ρεμπέτικο"), "y": [0.0, 0.0, 0.0]},
        ]
    }
    for path in ("toy/versions/1", "%74oy"):
        assert client.predict({"signature_name": "serving_default", "instances": ROWS}, path) == (200, answer)


def test_columns(client):
    status, answer = client.predict({"inputs": COLUMNS})
    assert status == 200
    assert answer["outputs"].keys() == {"y", "greeting", "tag_bytes"}
    assert answer["outputs"]["y"] == [[10.0, 25.0, -30.0], [0.0, 0.0, 0.0]]
    assert answer["outputs"]["greeting"] == ["hello blues", "hello Ρεμπέτικο"]


def test_an_answer_says_how_long_its_steps_took(client):
    with closing(http.client.HTTPConnection(client.server.rest_address, timeout=30)) as connection:
        connection.request("POST", "/v1/models/toy:predict", json.dumps({"inputs": COLUMNS}))
        timing = connection.getresponse().getheader("server-timing")
    assert re.findall(r"(\w+);dur=\d+\.\d", timing) == ["arrive", "read", "model", "write"]


def test_a_single_input_and_a_single_output_need_no_name(client):
    for key, answer in (("instances", "predictions"), ("inputs", "outputs")):
        request = {"signature_name": "scalars", key: [0.02, 1]}
        # In float32, 10 times 0.02 is the neighbour of 0.2; float64 would show it at greater length.
        assert client.predict(request) == (200, {answer: [0.19999999, 10.0]})
    named = {"signature_name": "scalars", "instances": [{"x": 1}, {"x": 2}]}
    assert client.predict(named) == (200, {"predictions": [10.0, 20.0]})


def test_bytes_come_in_base64(client):
    data = bytes(range(256))
    encoded = {"b64": base64.b64encode(data).decode()}
    unpadded = {"b64": encoded["b64"].rstrip("=")}
    request = {"signature_name": "sizes", "inputs": [encoded, unpadded, "four"]}
    status, answer = client.predict(request)
    assert (status, answer["outputs"]["size"]) == (200, [256, 256, 4])
    assert client.predict({"inputs": {"x": [[0, 0, 0]], "tag": [encoded]}})[1]["outputs"]["tag_bytes"] == [
        encoded
    ]


def test_values_that_json_lacks(client):
    body = b'{"signature_name": "scalars", "instances": [NaN, Infinity, -Infinity, 1e-6]}'
    status, answer = client.predict(body)
    assert status == 200
    np.testing.assert_equal(answer["predictions"], [np.nan, np.inf, -np.inf, 1e-5])
    request = {"signature_name": "flags", "inputs": {"small": [1, -128], "flag": [True, False]}}
    assert client.predict(request) == (
        200,
        {"outputs": {"flag": [False, True], "small": [-1, -128], "wide": [1.0, -128.0]}},
    )


def test_status(client):
    status = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    expected = {"model_version_status": [status]}
    assert client.ask("GET", "/v1/models/toy") == (200, expected)
    assert client.ask("GET", "/v1/models/toy/versions/1") == (200, expected)
    assert client.ask("GET", "/v1/models") == (200, {"models": [{"name": "toy", **expected}]})


def test_metadata_is_the_signatures_in_protobuf_json(client):
    status, answer = client.ask("GET", "/v1/models/toy/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "toy", "signature_name": "", "version": "1"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures.keys() >= {"serving_default", "scalars", "sizes", "flags", "slow"}
    assert signatures["serving_default"]["inputs"] == {
        "tag": {
            "dtype": "DT_STRING",
            "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
            "name": "serving_default_tag:0",
        },
        "x": {
            "dtype": "DT_FLOAT",
            "tensor_shape": {
                "dim": [{"size": "-1", "name": ""}, {"size": "3", "name": ""}],
                "unknown_rank": False,
            },
            "name": "serving_default_x:0",
        },
    }
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"
    assert client.ask("GET", "/v1/models/toy/versions/1/metadata") == (200, answer)


BAD_REQUESTS = {
    "not JSON": (b"instances = [1, 2]", "JSON Parse error"),
    "nothing": (b"", "JSON Parse error"),
    "not UTF-8": (b'{"instances": ["\xff"]}', "JSON Parse error"),
    "nested too deeply to parse": (b'{"inputs": ' + b"[" * 49_000, "JSON Parse error"),
    "nested too deeply": ({"signature_name": "scalars", "inputs": json.loads("[" * 40 + "]" * 40)}, "deeply"),
    "not an object": (b"[1, 2]", "not a JSON object"),
    "neither rows nor columns": ({"x": [1]}, "either 'instances' or 'inputs'"),
    "rows and columns": ({"instances": [1], "inputs": [1]}, "either 'instances' or 'inputs'"),
    "no such signature": (
        {"signature_name": "classify", "instances": ROWS},
        '"classify" not found; there is flags',
    ),
    "a signature that is no name": ({"signature_name": 3, "instances": ROWS}, "must be a string"),
    "a signature without inputs": (
        {"signature_name": "__saved_model_init_op", "instances": [1]},
        "takes no inputs",
    ),
    "an empty batch of rows": ({"instances": []}, "'instances' is empty"),
    "rows that are no list": ({"instances": {"x": 1}}, "must be a list"),
    "an empty batch of columns": ({"inputs": {"x": [], "tag": []}}, r"shape \(0\)|nothing in its batch"),
    "more clips than a server has memory for": (
        {"signature_name": "sizes", "inputs": [""] * 65_537},
        "'audio' has 65537 in its batch; send at most 65536",
    ),
    "an empty batch of values": ({"signature_name": "scalars", "inputs": []}, "nothing in its batch"),
    "a row without an input": ({"instances": [ROWS[0], {"x": [1, 2, 3]}]}, "item 1 .* object with tag, x"),
    "an unknown input": ({"inputs": {**COLUMNS, "z": [1]}}, "object with tag, x"),
    "rows without names": ({"instances": [[1, 2, 3]]}, "object with tag, x"),
    "columns without names": ({"inputs": [[1, 2, 3]]}, "object with tag, x"),
    "a missing input": ({"inputs": {"x": [[1, 2, 3]]}}, "object with tag, x"),
    "a wrong shape": ({"inputs": {"x": [[1, 2]], "tag": ["a"]}}, r"shape \(1, 2\), but .* takes \(any, 3\)"),
    "a wrong rank": ({"inputs": {"x": [1, 2, 3], "tag": ["a"]}}, r"shape \(3\), but"),
    "ragged columns": ({"inputs": {"x": [[1, 2, 3], [1, 2]], "tag": ["a", "b"]}}, "'x' is ragged"),
    "lists among values": ({"inputs": {"x": [[1, 2, [3]]], "tag": ["a"]}}, "'x' is ragged"),
    "ragged rows": ({"signature_name": "scalars", "instances": [1, [2]]}, "'x' is ragged"),
    "text for a number": (
        {"signature_name": "scalars", "instances": ["1"]},
        'has "1", .* not of type float32',
    ),
    "null for a number": ({"signature_name": "scalars", "instances": [None]}, "has null"),
    "true for a number": ({"signature_name": "scalars", "instances": [True]}, "has true"),
    "a number for text": ({"signature_name": "sizes", "instances": [1]}, "has 1, which is neither a string"),
    "a fraction for a whole number": ({"signature_name": "slow", "inputs": [1.5]}, "has 1.5"),
    "a number too large for int8": (
        {"signature_name": "flags", "inputs": {"small": [200], "flag": [True]}},
        "int8 cannot hold",
    ),
    "a number too large for float32": (
        {"signature_name": "scalars", "instances": [1e300]},
        "float32 cannot hold",
    ),
    "a whole number that would be rounded": (
        {"signature_name": "scalars", "instances": [2**24 + 1]},
        "float32 cannot hold",
    ),
    "bad base64": ({"signature_name": "sizes", "instances": [{"b64": "§§"}]}, "not standard base64"),
    "half a character": (b'{"signature_name": "sizes", "instances": ["\\ud800"]}', "not Unicode text"),
    "what the graph refuses": (
        {"inputs": {"x": [[1, 2, float("nan")]], "tag": ["a"]}},
        "x has values that are not finite",
    ),
    "rows where outputs have no batch": (
        {"signature_name": "sizes", "instances": ["a", "b"]},
        "no batch in common .scale a scalar, size 2.",
    ),
}


def test_bad_requests_get_an_error_and_the_server_goes_on(client):
    for name, (body, message) in BAD_REQUESTS.items():
        status, answer = client.predict(body)
        assert status == 400, name
        assert answer.keys() == {"error"}, name
        assert re.search(message, answer["error"]), (name, answer)
        assert "\n" not in answer["error"], name
    assert client.predict({"instances": ROWS})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/models/jazz:predict", 404, r"Servable not found for request: Latest\(jazz\)"),
        ("POST", "/v1/models/toy/versions/9:predict", 404, r"Servable not found .* Specific\(toy, 9\)"),
        ("POST", f"/v1/models/toy/versions/{10**30}:predict", 404, "Servable not found"),
        ("GET", f"/v1/models/toy/versions/{'9' * 5000}", 404, "Malformed request"),
        ("GET", f"/v1/models/toy/versions/{'9' * 5000}/metadata", 404, "Malformed request"),
        ("POST", f"/v1/models/toy/versions/{'9' * 5000}:predict", 404, "Malformed request"),
        ("GET", "/v1/models/jazz", 404, "Could not find any versions of model jazz"),
        ("GET", "/v1/models/ja%0Azz", 404, r"^Could not find any versions of model ja\\nzz$"),
        ("GET", "/v1/models/toy/versions/9", 404, "Could not find version 9 of model toy"),
        ("GET", "/v1/models/jazz/metadata", 404, "Servable not found"),
        ("GET", "/v1/nothing", 404, "Malformed request: GET /v1/nothing"),
        ("POST", "/v1/models/toy:classify", 405, "Method Not Allowed"),
        ("POST", "/v1/models/toy/versions/one:predict", 404, "Malformed request"),
        ("GET", "/v1/models/toy/", 404, "Malformed request"),
        ("DELETE", "/v1/models/toy", 405, "Method Not Allowed"),
    ],
)
def test_what_is_not_there(client, method, path, status, message):
    found, answer = client.ask(method, path, {"instances": ROWS} if method == "POST" else None)
    assert found == status
    assert re.search(message, answer["error"])


def test_a_request_over_the_limit_is_refused_before_it_is_read(client):
    host, port = client.server.rest_address.split(":")
    head = "POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\n"
    for headers, body in (
        (f"Content-Length: {10**12}\r\n", b""),  # nothing of it is ever sent
        (f"Content-Length: {10**12}\r\nExpect: 100-continue\r\n", b""),
        ("Transfer-Encoding: chunked\r\n", b"493E1\r\n" + b" " * 300_001 + b"\r\n"),  # and no end
    ):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"{head}{headers}\r\n".encode() + body)
            with closing(http.client.HTTPResponse(connection)) as response:
                response.begin()
                assert response.status == 413
                assert response.getheader("connection") == "close"
    assert client.ask("GET", "/v1/models/toy")[0] == 200


def test_a_client_that_sends_all_of_a_large_request_reads_why_it_is_refused(client):
    status, answer = client.predict(b" " * 5_000_000)
    assert status == 413
    assert answer == {"error": "the request is larger than the limit of 0.286102 MiB"}


def test_a_compressed_request_is_refused(client):
    status, answer = client.ask("POST", "/v1/models/toy:predict", b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert (status, answer) == (415, {"error": "send the request uncompressed"})


def test_a_client_that_goes_in_mid_request_harms_nobody(client, caplog):
    host, port = client.server.rest_address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"
        )
    assert client.predict({"instances": ROWS})[0] == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_request_that_takes_too_long_is_given_up(serving, root):
    with serving(root, seconds=0.3) as client:
        status, answer = client.predict({"signature_name": "slow", "inputs": [FOREVER]})
        assert status == 504
        assert "time limit" in answer["error"]
        host, port = client.server.rest_address.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(
                b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
            )
            with closing(http.client.HTTPResponse(connection)) as response:
                response.begin()
                assert response.status == 408
        assert client.ask("GET", "/v1/models/toy")[0] == 200


def test_more_requests_than_places_are_told_to_try_again(serving, root, monkeypatch):
    running, go_on = threading.Semaphore(0), threading.Event()
    run = ServedModel.run

    def wait_and_run(self, *args, **kwargs):
        running.release()
        assert go_on.wait(20)
        return run(self, *args, **kwargs)

    monkeypatch.setattr(ServedModel, "run", wait_and_run)
    with serving(root, requests=2, threads=2) as client, ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(client.predict, {"instances": ROWS}) for _ in range(2)]
        for _ in answers:
            assert running.acquire(timeout=20)
        too_many = {"error": "2 requests are being answered; try again"}
        assert client.predict({"instances": ROWS}) == (503, too_many)
        assert client.ask("GET", "/v1/models/toy")[0] == 200  # which needs no place
        go_on.set()
        assert [answer.result()[0] for answer in answers] == [200, 200]
        assert client.predict({"instances": ROWS})[0] == 200


def test_who_sends_slowly_takes_no_place_from_others(serving, root):
    head = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"
    with serving(root, requests=2) as client, ExitStack() as slow:
        host, port = client.server.rest_address.split(":")
        for _ in range(5):
            slow.enter_context(socket.create_connection((host, int(port)), timeout=20)).sendall(head)
        assert client.predict({"instances": ROWS})[0] == 200


def test_all_that_is_arriving_is_bounded(serving, root):
    head = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n"
    with serving(root, requests=1, request_bytes=1000) as client:
        host, port = client.server.rest_address.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            slow.sendall(head + b" " * 800)
            until = time.monotonic() + 20
            body = json.dumps({"instances": ROWS}).encode() + b" " * 300
            while (status := client.predict(body)[0]) == 200 and time.monotonic() < until:
                time.sleep(0.05)
            assert status == 503
        while client.predict(body)[0] == 503 and time.monotonic() < until:
            time.sleep(0.05)
        assert client.predict(body)[0] == 200


def test_requests_at_once_and_a_new_version_among_them(serving, put_version, tmp_path):
    put_version(tmp_path)
    results = []
    done = threading.Event()
    with serving(tmp_path) as client:

        def ask(number):
            while not done.is_set():
                body = {"signature_name": "scalars", "instances": [number]}
                results.append((number, *client.predict(body)))

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(ask, number) for number in range(1, 5)]
            put_version(tmp_path, version=2)
            until = time.monotonic() + 20
            while client.ask("GET", "/v1/models/toy/versions/1") != (
                200,
                {
                    "model_version_status": [
                        {"version": "1", "state": "END", "status": {"error_code": "OK", "error_message": ""}}
                    ]
                },
            ):
                assert time.monotonic() < until
            assert client.predict({"signature_name": "scalars", "instances": [1]}) == (
                200,
                {"predictions": [20.0]},
            )
            done.set()
            for future in futures:
                future.result()
        assert {status for _, status, _ in results} == {200}
        factors = {answer["predictions"][0] / number for number, _, answer in results}
        assert factors <= {10.0, 20.0}
        assert client.predict({"instances": ROWS}, "toy/versions/1")[0] == 404


def test_a_bug_is_an_internal_error_and_the_server_goes_on(client, monkeypatch):
    def names(self):
        raise ZeroDivisionError

    monkeypatch.setattr(Registry, "names", names)
    assert client.ask("GET", "/v1/models") == (500, {"error": "internal error (ZeroDivisionError)"})
    assert client.predict({"instances": ROWS})[0] == 200


def test_each_request_leaves_one_line(serving, root, caplog):
    caplog.set_level("INFO", "keras_mir.serve")
    with serving(root) as client:
        client.ask("GET", "/v1/models/%0Atoy?x=1")
    (line,) = [record.getMessage() for record in caplog.records if record.name.endswith("rest")]
    assert re.fullmatch(r"GET /v1/models/%0Atoy 404, \d+ ms", line)


def test_a_port_that_is_taken_is_named(root):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = "cannot be had on 127.0.0.1, another program may use it; choose another"
        with (
            pytest.raises(UserError, match=f"^port {port}: {said}$"),
            local_server(root, port=port, grpc_port=0),
        ):
            pass


def test_a_host_that_is_none_of_this_machines_is_named(root, capsys):
    for host, reason in (("no-such-host.invalid", ""), ("192.0.2.1", "Cannot assign requested address")):
        assert main(["--models", str(root), "--host", host, "--port", "0"]) == 2
        line = capsys.readouterr().err
        assert re.fullmatch(rf"error: --host {host}: {reason}.* at port 0; choose others\n", line)


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_what_serving_needs_is_named(module, root, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find(name))
    assert main(["--models", str(root)]) == 2
    assert capsys.readouterr().err == (
        f"error: {module} is not installed; install it with: pip install 'keras-mir[serve]'\n"
    )


@pytest.mark.slow
def test_a_real_export_answers_as_its_model(serving, tmp_path):
    from keras_mir.export.savedmodel import export_savedmodel
    from keras_mir.models.build import build_model
    from keras_mir.recipes.model_settings import ModelSettings
    from pipelines.spec import FeatureSpec

    keras.utils.set_random_seed(0)
    classes = ("Blues", "Ρεμπέτικο")
    model = build_model(
        ModelSettings(kind="cnn-any-length", filters=(3,), pools=(2,)),
        bands=4,
        time=None,
        classes=classes,
        targets=(),
        spec=FeatureSpec(n_mels=4),
        feature="mel",
        band_mean=np.full(4, -80.0),
        band_variance=np.full(4, 80.0**2),
    )
    export_savedmodel(
        model, tmp_path, "genre", description={}, names={"genre": classes}, spec=FeatureSpec(n_mels=4)
    )
    features = np.random.default_rng(0).uniform(-80, 0, (3, 6, 4)).astype(np.float32)
    lengths = np.array([6, 3, 1], np.int32)
    expected = np.asarray(model({"features": features, "lengths": lengths})["genre"])
    rows = [
        {"features": clip.tolist(), "lengths": int(length)}
        for clip, length in zip(features, lengths, strict=True)
    ]
    with serving(tmp_path) as client:
        status, answer = client.predict({"instances": rows}, "genre")
    assert status == 200
    for prediction, probabilities in zip(answer["predictions"], expected, strict=True):
        np.testing.assert_allclose(prediction["probabilities"], probabilities, atol=1e-5)
        assert prediction["classes"] == list(classes)
        assert prediction["genre"] == classes[probabilities.argmax()]


@pytest.mark.parametrize(
    ("sent", "exit_status"), [(signal.SIGTERM, 0), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_the_command_says_where_it_listens_and_ends_cleanly(root, sent, exit_status):
    command = [
        sys.executable,
        "-m",
        "keras_mir.serve",
        "--models",
        str(root),
        "--port",
        "0",
        "--grpc-port",
        "0",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            lines = []
            while not lines or "serving" not in lines[-1]:
                lines.append(process.stderr.readline())
                assert lines[-1], lines
            where = re.search(r" serving toy/1 at http://(127\.0\.0\.1:\d+) ", lines[-1])
            assert where is not None, lines
            host, port = where[1].split(":")
            body = json.dumps({"instances": ROWS}).encode()
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                head = f"Host: localhost\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
                connection.sendall(f"POST /v1/models/toy:predict HTTP/1.1\r\n{head}".encode())
                assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")  # the request has begun
                process.send_signal(sent)
                connection.sendall(body)
                with closing(http.client.HTTPResponse(connection)) as response:
                    response.begin()
                    assert response.status == 200
            rest = process.stderr.read()
        finally:
            process.kill()
    assert process.returncode == exit_status, rest
    assert "Traceback" not in rest


def test_help_is_there_without_tensorflow():
    code = (
        "import sys; from keras_mir.serve import __main__ as serve\n"
        "try: serve.main(['--help'])\n"
        "except SystemExit: print('tensorflow' in sys.modules, 'starlette' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert result.stdout.endswith("False False\n")
    assert "stand-in" in result.stdout

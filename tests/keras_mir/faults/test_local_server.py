"""The local server under a flood, slow clients, and requests by schemathesis from its OpenAPI document."""

from __future__ import annotations

import json
import random
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mir.embed.table import Row, table_of, write_table
from keras_mir.models.embedding import Maker
from keras_mir.serve.connections import MOST_CONNECTIONS
from keras_mir.serve.similar import SimilarSongs
from keras_mir.similar.similar import Similar

OPENAPI = Path(__file__).parents[3] / "docs" / "openapi.json"
ROWS = [{"x": [1, 2.5, -3], "tag": "blues"}]
HEAD = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\n"
GOOD = {"instances": ROWS}
# What a program may send: good requests, nonsense, and what is too large.
REQUESTS = (
    ("POST", "/v1/models/toy:predict", GOOD, {200}),
    ("POST", "/v1/models/toy:predict", {"signature_name": "scalars", "inputs": [1, 2]}, {200}),
    ("GET", "/v1/models/toy/metadata", None, {200}),
    ("GET", "/v1/models", None, {200}),
    ("POST", "/v1/models/toy:predict", b"\xff{", {400}),
    ("POST", "/v1/models/toy:predict", {"instances": [[1]] * 1000}, {400}),
    ("POST", "/v1/models/none:predict", GOOD, {404}),
    ("POST", "/v1/models/toy:predict", b" " * 400_000, {413}),
)


@pytest.fixture(scope="module")
def root(put_version, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    put_version(folder)
    return folder


def connections(client: Any, stack: ExitStack, number: int, sent: bytes) -> list[socket.socket]:
    """Open connections on which so much is sent, and no more."""
    host, port = client.server.rest_address.split(":")
    opened = []
    for _ in range(number):
        opened.append(stack.enter_context(socket.create_connection((host, int(port)), timeout=20)))
        opened[-1].sendall(sent)
    return opened


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_flood(cases, serving, root):
    total, memory = cases.number(200), 0
    with serving(root, request_bytes=300_000, requests=4) as client:

        def ask(number: int) -> int:
            method, path, body, statuses = REQUESTS[random.Random(number).randrange(len(REQUESTS))]
            status, answer = client.ask(method, path, body)
            assert status in {*statuses, 503}, answer
            assert status < 400 or (answer.keys() == {"error"} and "\n" not in answer["error"])
            return status

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(ask, range(50)))
            files, threads = open_files(), threading.active_count()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for status in pool.map(ask, range(50, total)):
                cases.count("requests of a flood", f"answered {status}")
        assert client.predict(GOOD)[0] == 200
        assert open_files() <= files + 20
        assert threading.active_count() <= threads
        # In KiB; 300 kB each of what arrives at once, and what Python keeps.
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HEAD[:50],
        HEAD + b"Content-Length: 99\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",  # the beginning of TLS
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "another protocol"],
)
def test_slow_clients(cases, serving, root, sent):
    number = MOST_CONNECTIONS + 20 if not cases.are_few else 40
    with serving(root) as client, ExitStack() as slow:
        for opened in range(0, number, 20):
            connections(client, slow, 20, sent)
            cases.count("slow clients", "others are answered", 20)
            began = time.monotonic()
            assert client.predict(GOOD)[0] == 200, opened
            assert time.monotonic() - began < 10
    assert client.server.should_exit


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    schemathesis = pytest.importorskip("schemathesis")
    schema = schemathesis.openapi.from_dict(json.loads(OPENAPI.read_text("utf-8")))
    return {each.ok().label: each.ok() for each in schema.get_all_operations()}


@pytest.fixture
def similar(tmp_path, monkeypatch) -> SimilarSongs:
    """Three songs of two numbers each, by a model to which all sounds are the first."""
    songs = [
        Row(str(tmp_path / f"{number}.wav"), 1.0, None, vector, 1, 1, str(number))
        for number, vector in enumerate(np.eye(3, 2, dtype=np.float32))
    ]
    write_table(table_of(songs, Maker("toy", "f" * 64, {})), tmp_path / "vectors.parquet")
    (tmp_path / "0.wav").write_bytes(bytes(1000))
    outputs = {"error": np.array([""]), "embedding": np.eye(1, 2), "windows": np.array([1])}
    monkeypatch.setattr(Similar, "embedder", SimpleNamespace(answer_wav=lambda _: outputs))
    return SimilarSongs(tmp_path / "vectors.parquet", tmp_path, [tmp_path])


def test_the_server_is_as_its_openapi_says(cases, serving, root, operations, similar):
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi import checks

    checked = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
        checks.negative_data_rejection,
        checks.unsupported_method,
    ]
    with serving(root, request_bytes=300_000, similar=similar) as client:
        address = f"http://{client.server.rest_address}"

        def check(case: Any) -> str:
            response = case.call(base_url=address, timeout=30)
            case.validate_response(response, checks=checked)
            return f"answered {response.status_code}"

        for operation in operations.values():
            names = st.sampled_from([None, "toy", "toy", "toy"])
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                if mode is GenerationMode.NEGATIVE and operation.method == "get":
                    continue

                def known(name: str | None, operation: Any = operation, mode: Any = mode) -> Any:
                    given = {"path_parameters": {"name": name, "version": 1}} if name else {}
                    return operation.as_strategy(generation_mode=mode, **given)

                cases.try_all("requests by schemathesis", 2, names.flatmap(known), check)
        assert client.predict(GOOD)[0] == 200

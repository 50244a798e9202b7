"""Connections on which no request comes are closed, and however many there are, others are answered."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from keras_mir.serve import connections

HALF_A_HEAD = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\n"
A_REQUEST = b"GET /v1/models/toy HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def root(put_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    put_version(folder)
    return folder


def is_closed(connection):
    """Whether the other side has closed it within 20 seconds."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, A_REQUEST + HALF_A_HEAD])
def test_a_connection_on_which_no_request_comes_is_closed(serving, root, monkeypatch, sent):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with serving(root) as client:
        host, port = client.server.rest_address.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(sent)
            for byte in b"X-Slow: 1":  # a byte now and then does not help
                time.sleep(0.1)
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    break
            assert is_closed(connection)


def test_a_request_that_is_there_has_its_time(serving, root, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with serving(root) as client:
        host, port = client.server.rest_address.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            body = b'{"signature_name": "scalars", "inputs": [1]}'
            connection.sendall(HALF_A_HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
            time.sleep(0.6)
            connection.sendall(body)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_many_connections_keep_nobody_from_an_answer(serving, root, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60)
    with serving(root) as client, ExitStack() as others:
        host, port = client.server.rest_address.split(":")
        opened = []
        for number in range(8):
            opened.append(others.enter_context(socket.create_connection((host, int(port)), timeout=20)))
            opened[-1].sendall(HALF_A_HEAD + b"Content-Length: 9\r\n\r\n" * (number % 2))
        assert client.ask("GET", "/v1/models/toy")[0] == 200
        assert all(is_closed(connection) for connection in opened[:4])

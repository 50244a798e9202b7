"""Programs and the server's own page may ask; pages of other sites may not, by whatever road they come."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def root(put_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    put_version(folder)
    return folder


def test_who_may_ask(serving, root):
    body = b'{"signature_name": "scalars", "inputs": [1]}'
    with serving(root) as client:
        own = client.server.rest_address
        port = own.rpartition(":")[2]

        def status(method, path, **headers):
            return client.ask(method, path, body if method == "POST" else None, **headers)

        predict = "/v1/models/toy:predict"
        for headers in (
            {},
            {"Host": f"localhost:{port}"},
            {"Host": "localhost"},
            {"Host": f"LOCALHOST:{port}"},
            {"Host": f"[::1]:{port}"},
            {"Host": "192.168.1.5:80"},
            {"Origin": f"http://{own}"},
            {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"},
        ):
            assert status("POST", predict, **headers)[0] == 200, headers
        for method, path in (("GET", "/v1/models"), ("POST", predict), ("GET", "/")):
            for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "[", "", "a@b c"):
                found, answer = status(method, path, Host=host)
                assert (found, answer.keys()) == (403, {"error"}), host
            for origin in ("https://evil.example", "null", f"http://localhost:{port}", f"http://{own}0", "["):
                found, answer = status(method, path, Origin=origin)
                assert (found, answer.keys()) == (403, {"error"}), origin

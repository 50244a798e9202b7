"""A tiny model with several signatures, and a local server that serves it."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

PutVersion = Callable[..., Path]


class Toy(tf.Module):
    """Multiplies by `scale`; spends as much time as it is told to."""

    def __init__(self, scale: float) -> None:
        self.scale = tf.Variable(scale)

    def default(self, x: tf.Tensor, tag: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.debugging.assert_all_finite(x, "x has values that are not finite")
        return {"y": x * self.scale, "greeting": tf.strings.join(["hello ", tag]), "tag_bytes": tag}

    def scalars(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x * self.scale}

    def sizes(self, audio: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"size": tf.strings.length(audio), "scale": self.scale + 0.0}

    def flags(self, small: tf.Tensor, flag: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"flag": tf.logical_not(flag), "small": -small, "wide": tf.cast(small, tf.float64)}

    def slow(self, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        def step(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, tf.tanh(x @ x)

        _, x = tf.while_loop(lambda i, _: i < steps[0], step, [0, tf.eye(64)])
        return {"steps": steps, "x": x[:1, 0]}


def _save(scale: float, folder: Path) -> Path:
    toy = Toy(scale)

    def signature(function: Callable[..., Any], **inputs: tuple[tuple[int | None, ...], tf.DType]) -> Any:
        specs = [tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in inputs.items()]
        return tf.function(function, input_signature=specs, autograph=False)

    signatures = {
        "serving_default": signature(toy.default, x=((None, 3), tf.float32), tag=((None,), tf.string)),
        "scalars": signature(toy.scalars, x=((None,), tf.float32)),
        "sizes": signature(toy.sizes, audio=((None,), tf.string)),
        "flags": signature(toy.flags, small=((None,), tf.int8), flag=((None,), tf.bool)),
        "slow": signature(toy.slow, steps=((1,), tf.int32)),
    }
    tf.saved_model.save(toy, folder, signatures=signatures)
    return folder


@pytest.fixture(scope="session")
def put_version(tmp_path_factory: pytest.TempPathFactory) -> PutVersion:
    """Put the toy into `root/name/version`, at once, as the export does.

    Odd versions multiply by 10, even ones by 20.
    """
    saved = [_save(scale, tmp_path_factory.mktemp("toy")) for scale in (20.0, 10.0)]

    def put(root: Path, name: str = "toy", version: int = 1) -> Path:
        (root / name).mkdir(parents=True, exist_ok=True)
        hidden = root / f".{name}-tmp"
        shutil.copytree(saved[version % 2], hidden)
        return hidden.rename(root / name / str(version))

    return put


class Client:
    """Sends requests to one server."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status, and the JSON that came back; anything but bytes is sent as JSON."""
        connection = http.client.HTTPConnection(self.server.rest_address, timeout=30)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def predict(self, body: Any, path: str = "toy") -> tuple[int, Any]:
        return self.ask("POST", f"/v1/models/{path}:predict", body)


@pytest.fixture
def serving() -> Callable[..., AbstractContextManager[Client]]:
    """A server of a folder on free ports, running in a thread."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("starlette")
    from keras_mir.serving.server.local_server import ServerSettings, local_server
    from keras_mir.serving.server.workers import Limits

    @contextmanager
    def serve(root: Path, poll_seconds: float = 0.05, **limits: Any) -> Iterator[Client]:
        settings = ServerSettings(
            root, port=0, grpc_port=0, poll_seconds=poll_seconds, limits=Limits(**{"seconds": 20.0, **limits})
        )
        with local_server(settings) as server:
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                yield Client(server)
            finally:
                server.stop()
                thread.join()

    return serve

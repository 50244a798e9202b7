"""A stand-in for TF Serving on one machine: REST and a page, gRPC where it is installed, a clean end."""

from __future__ import annotations

import errno
import importlib.util
import math
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from keras_mir.serve.connections import Connection
from keras_mir.serve.registry import Labels, Registry, State
from keras_mir.serve.rest import rest_app
from keras_mir.serve.similar import SimilarSongs
from keras_mir.serve.workers import Limits, Workers
from pipelines.errors import ArgumentError

_LIMITS = Limits()
_TAKEN = "cannot be had on {}, another program may use it; choose another"


class LocalServer(uvicorn.Server):
    """A running server; made by `local_server`.

    Attributes:
        registry: The models.
        rest_address: `HOST:PORT`.
        grpc_address: `HOST:PORT`, or None where `tensorflow-serving-api` is not installed.
    """

    def __init__(
        self,
        registry: Registry,
        workers: Workers,
        host: str,
        listener: socket.socket,
        grpc: tuple[Any, int] | None,
        similar: SimilarSongs | None = None,
    ) -> None:
        self.registry = registry
        self.rest_address = _address(host, listener.getsockname()[1])
        self.grpc_address = None if grpc is None else _address(host, grpc[1])
        self._listener = listener
        self._grpc = None if grpc is None else grpc[0]
        # Requests that run are given their time, and a little to be answered.
        self._grace = workers.limits.seconds + 1
        config = uvicorn.Config(
            rest_app(registry, workers, host, similar),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http=Connection,
            loop="asyncio",
            server_header=False,
            timeout_graceful_shutdown=math.ceil(self._grace),
        )
        super().__init__(config)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until Ctrl-C, SIGTERM or `stop`; requests that run are answered first.

        Raises:
            KeyboardInterrupt: After Ctrl-C.
        """
        # The web server catches both signals, ends, and then raises them again for whoever was
        # there before it; for SIGTERM that is to be nobody.
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGTERM, lambda *_: None) if in_main else None
        try:
            super().run(sockets or [self._listener])
        finally:
            if (stopped := self._stop_grpc()) is not None:
                stopped.wait()
            if in_main:
                signal.signal(signal.SIGTERM, before)

    def stop(self) -> None:
        """Ask `run`, in another thread, to end."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let both servers end together."""
        self._stop_grpc()
        await super().shutdown(sockets)

    def _stop_grpc(self) -> threading.Event | None:
        return None if self._grpc is None else self._grpc.stop(self._grace)

    def describe(self) -> str:
        """One line: what is served, and where."""
        served = [
            f"{name}/{version.version}"
            for name in self.registry.names()
            for version in self.registry.status(name)
            if version.state is State.AVAILABLE
        ]
        where = f"http://{self.rest_address} (REST)"
        if self.grpc_address is not None:
            where += f" and {self.grpc_address} (gRPC)"
        return f"serving {', '.join(served) or f'nothing yet from {self.registry.root}'} at {where}"


@contextmanager
def local_server(
    models: Path,
    *,
    labels: Labels | None = None,
    host: str = "127.0.0.1",
    port: int = 8501,
    grpc_port: int = 8500,
    poll_seconds: float = 2.0,
    limits: Limits = _LIMITS,
    similar: SimilarSongs | None = None,
) -> Iterator[LocalServer]:
    """Bind the ports and load the models; afterwards give everything back.

    Args:
        models: Root of the models, in TF Serving's layout.
        labels: As `Registry` takes them.
        host: Address to listen on.
        port: For REST; 0 for any that is free.
        grpc_port: For gRPC; 0 for any that is free.
        poll_seconds: Pause between looks for new versions.
        limits: On requests.
        similar: The songs of a table of vectors; None for none.

    Yields:
        A server to `run`.

    Raises:
        ArgumentError: If the folder is not one of models, or a port cannot be had.
    """
    with (
        closing(Registry(models, labels)) as registry,
        closing(_listen(host, port)) as listener,
        closing(Workers(limits)) as workers,
    ):
        grpc = _bind_grpc(registry, workers, host, grpc_port) if _has_grpc() else None
        try:
            registry.poll()
            registry.start(poll_seconds)
            if grpc is not None:
                grpc[0].start()
            yield LocalServer(registry, workers, host, listener, grpc, similar)
        finally:
            if grpc is not None:
                grpc[0].stop(0).wait()


def _bind_grpc(registry: Registry, workers: Workers, host: str, wanted: int) -> tuple[Any, int]:
    from keras_mir.serve.grpc_service import grpc_server

    server = grpc_server(registry, workers)
    try:
        port = server.add_insecure_port(_address(host, wanted))
    except RuntimeError:
        port = 0
    if port == 0:
        raise ArgumentError("grpc_port", wanted, _TAKEN.format(host))
    return server, port


def _has_grpc() -> bool:
    return all(importlib.util.find_spec(module) is not None for module in ("grpc", "tensorflow_serving"))


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ArgumentError("port", port, _TAKEN.format(host)) from None
        raise ArgumentError("host", host, f"{error.strerror} at port {port}; choose others") from None


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

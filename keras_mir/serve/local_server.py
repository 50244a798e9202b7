"""A stand-in for TF Serving on one machine: REST and a page, gRPC where it is installed, a clean end."""

from __future__ import annotations

import errno
import importlib.util
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from keras_mir.serve.page import page_routes
from keras_mir.serve.registry import Registry, State
from keras_mir.serve.rest import rest_app
from keras_mir.serve.workers import Limits, Workers
from pipelines.errors import UserError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServerSettings:
    """What a local server serves, and where.

    Attributes:
        models: Root of the models, in TF Serving's layout.
        host: Address to listen on.
        port: For REST; 0 for any that is free.
        grpc_port: For gRPC; 0 for any that is free.
        poll_seconds: Pause between looks for new versions.
        limits: On requests.
    """

    models: Path
    host: str = "127.0.0.1"
    port: int = 8501
    grpc_port: int = 8500
    poll_seconds: float = 2.0
    limits: Limits = field(default_factory=Limits)


class LocalServer:
    """A running server; made by `local_server`.

    Attributes:
        registry: The models.
        rest_address: `HOST:PORT`.
        grpc_address: `HOST:PORT`, or None where `tensorflow-serving-api` is not installed.
    """

    def __init__(
        self,
        settings: ServerSettings,
        registry: Registry,
        workers: Workers,
        listener: socket.socket,
        grpc: Any,
    ) -> None:
        self.registry = registry
        self.rest_address = _address(settings.host, listener.getsockname()[1])
        self.grpc_address = grpc.address if grpc is not None else None
        self._listener = listener
        self._grpc = grpc
        # Requests that run are given their time, and a little to be answered.
        self._grace = settings.limits.seconds + 1
        config = uvicorn.Config(
            rest_app(registry, workers, page_routes()),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            server_header=False,
            timeout_graceful_shutdown=math.ceil(self._grace),
        )
        self._web = _Web(config, before_shutdown=self._stop_grpc)

    def run(self) -> None:
        """Serve until Ctrl-C, SIGTERM or `stop`; requests that run are answered first.

        Raises:
            KeyboardInterrupt: After Ctrl-C.
        """
        # The web server catches both signals, ends, and then raises them again for whoever was
        # there before it; for SIGTERM that is to be nobody.
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGTERM, lambda *_: None) if in_main else None
        try:
            self._web.run(sockets=[self._listener])
        finally:
            if (stopped := self._stop_grpc()) is not None:
                stopped.wait()
            if in_main:
                signal.signal(signal.SIGTERM, before)

    def stop(self) -> None:
        """Ask `run`, in another thread, to end."""
        self._web.should_exit = True

    def _stop_grpc(self) -> threading.Event | None:
        return None if self._grpc is None else self._grpc.server.stop(self._grace)

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


class _Web(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, before_shutdown: Callable[[], object]) -> None:
        super().__init__(config)
        self._before_shutdown = before_shutdown

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_shutdown()
        await super().shutdown(sockets)


@contextmanager
def local_server(settings: ServerSettings) -> Iterator[LocalServer]:
    """Bind the ports and load the models; afterwards give everything back.

    Args:
        settings: What to serve, and where.

    Yields:
        A server to `run`.

    Raises:
        UserError: If the folder is not one of models, or a port cannot be had.
    """
    registry = Registry(settings.models)
    with closing(_listen(settings.host, settings.port)) as listener:
        workers = Workers(settings.limits)
        grpc = _Grpc(settings, registry, workers) if _has_grpc() else None
        try:
            registry.poll()
            registry.start(settings.poll_seconds)
            if grpc is not None:
                grpc.server.start()
            yield LocalServer(settings, registry, workers, listener, grpc)
        finally:
            if grpc is not None:
                grpc.server.stop(0).wait()
            workers.close()
            registry.close()


class _Grpc:
    def __init__(self, settings: ServerSettings, registry: Registry, workers: Workers) -> None:
        from keras_mir.serve.grpc_service import grpc_server

        self.server = grpc_server(registry, workers)
        try:
            port = self.server.add_insecure_port(_address(settings.host, settings.grpc_port))
        except RuntimeError:
            port = 0
        if port == 0:
            raise _port_error("--grpc-port", settings.host, settings.grpc_port)
        self.address = _address(settings.host, port)


def _has_grpc() -> bool:
    return all(importlib.util.find_spec(module) is not None for module in ("grpc", "tensorflow_serving"))


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _port_error("--port", host, port) from None
        raise UserError(f"--host {host}, --port {port}: {error.strerror}; choose others") from None


def _port_error(option: str, host: str, port: int) -> UserError:
    return UserError(f"{option} {port}: cannot be had on {host}, another program may use it; choose another")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def serve(settings: ServerSettings) -> int:
    """Serve until stopped, with a log on standard error.

    Returns:
        The exit status: 0, after SIGTERM.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
        UserError: As `local_server`.
    """
    # What matters comes as an exception; read when gRPC is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    logger = logging.getLogger("keras_mir.serving")
    logger.setLevel(logging.INFO)
    with local_server(settings) as server:
        if server.grpc_address is None:
            logger.info("no gRPC: tensorflow-serving-api is not installed (pip install 'keras-mir[grpc]')")
        if settings.host not in _LOOPBACK:
            logger.warning(
                "--host %s: other machines can reach this, and nobody is asked who they are", settings.host
            )
        logger.info(
            "%s; a stand-in for TF Serving, with a page to try it at http://%s/; Ctrl-C stops it",
            server.describe(),
            server.rest_address,
        )
        server.run()
    return 0

"""A tf.data service: its dispatcher here or elsewhere, and workers in processes of their own."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn, Self

from pipelines.errors import ArgumentError
from pipelines.input.service import address_of, workers_of
from pipelines.processes import Child

_START_SECONDS = 60.0  # for workers to join
_LOOK_SECONDS = 0.5  # between looks at them
_HEARTBEAT_MS = 1000
_FORGET_MS = 5000  # what nobody reads any more, such as the validation examples of the last epoch

_servers: list[Any] = []  # of a worker's process, which lasts as long as it does


def serve(workers: int, port: int, host: str | None = None) -> NoReturn:
    """Run a dispatcher and workers until Ctrl-C.

    Args:
        workers: How many.
        port: The dispatcher's; 0 for any free one.
        host: By which other machines reach this one; without, only this machine does.

    Raises:
        ArgumentError: If the port is taken, or a worker does not start.
        KeyboardInterrupt: After Ctrl-C or SIGTERM.
    """
    if _taken(port):
        raise ArgumentError("port", port, "taken; choose another one, or 0 for any that is free")
    import tensorflow as tf

    service = tf.data.experimental.service
    dispatcher = service.DispatchServer(
        service.DispatcherConfig(port=port, job_gc_check_interval_ms=_FORGET_MS, job_gc_timeout_ms=_FORGET_MS)
    )
    host = host or "127.0.0.1"
    target = f"grpc://{host}:{str(dispatcher.target).rpartition(':')[2]}"
    _run_workers(target, "host", host, workers, f"tf.data service at {target}")


def join(target: str, workers: int, host: str | None = None) -> NoReturn:
    """Run workers for a dispatcher that runs elsewhere, until Ctrl-C.

    Args:
        target: Its address, `grpc://host:port`.
        workers: How many.
        host: By which other machines reach this one; without, the address from which it reaches the
            dispatcher.

    Raises:
        ArgumentError: If there is no dispatcher, or a worker does not start.
        KeyboardInterrupt: After Ctrl-C or SIGTERM.
    """
    workers_of(target, "join")  # refuses where there is no dispatcher
    host = host or _own_address(target)
    _run_workers(target, "join", host, workers, f"joined {target}")


def _run_workers(target: str, argument: str, host: str, count: int, what: str) -> NoReturn:
    dispatcher = address_of(target, argument)
    with _ended_by_sigterm(), contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_Worker(dispatcher, host)) for _ in range(count)]
        _wait_for(workers, target, argument)
        print(f"{what}, {count} {'worker' if count == 1 else 'workers'}; Ctrl-C stops it", flush=True)
        while True:
            time.sleep(_LOOK_SECONDS)
            for worker in workers:
                if (reason := worker.child.ended()) is not None:
                    print(f"worker {worker.address}: {reason}; started again", file=sys.stderr, flush=True)
                    worker.start_again()


def _wait_for(workers: Sequence[_Worker], target: str, argument: str) -> None:
    """Return when the dispatcher knows all workers."""
    deadline = time.monotonic() + _START_SECONDS
    missing = {worker.address for worker in workers}
    while missing := missing - set(workers_of(target, argument)):
        for worker in workers:
            if (reason := worker.child.ended()) is not None:
                raise ArgumentError(argument, target, f"worker {worker.address} does not start: {reason}")
        if time.monotonic() > deadline:
            raise ArgumentError(
                argument, target, f"worker {min(missing)} does not join it; is that its address?"
            )
        time.sleep(_LOOK_SECONDS)


class _Worker:
    """A worker in a process of its own, at an address that it keeps when it is started again.

    Those who use a worker that has died wait for it to be back at its address.
    """

    def __init__(self, dispatcher: str, host: str) -> None:
        self._port = _free_port()
        self._dispatcher = dispatcher
        self.address = f"{host}:{self._port}"
        self.child = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.stop()

    def start_again(self) -> None:
        self.child.stop()
        self.child = self._start()

    def _start(self) -> Child:
        child = Child.applying(_work)
        child.send((self._dispatcher, self.address, self._port))
        return child


def _work(worker: tuple[str, str, int]) -> None:
    """Start a worker in its process."""
    import tensorflow as tf

    dispatcher, address, port = worker
    service = tf.data.experimental.service
    config = service.WorkerConfig(
        dispatcher_address=dispatcher,
        worker_address=address,
        port=port,
        heartbeat_interval_ms=_HEARTBEAT_MS,
    )
    _servers.append(service.WorkerServer(config))


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, which service managers send, end the program as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _taken(port: int) -> bool:
    """Whether another program listens at a port; gRPC would share it with that program."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _own_address(target: str) -> str:
    """This machine's address in the network where the dispatcher is."""
    host, _, port = address_of(target, "join").rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port))) as connection:
        return str(connection.getsockname()[0])

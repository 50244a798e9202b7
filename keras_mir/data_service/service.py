"""A tf.data service: its dispatcher here or elsewhere, and workers in processes of their own."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn, Self

from pipelines.errors import ArgumentError
from pipelines.input.dispatcher import address_of, workers_of
from pipelines.processes import Child

_START_SECONDS = 60.0  # for workers to join
_LOOK_SECONDS = 0.5  # between looks at them
_HEARTBEAT_MS = 1000
_FORGET_MS = 5000  # what nobody reads any more, such as the validation examples of the last epoch

_servers: list[Any] = []  # of a worker's process, which lasts as long as it does


def serve(count: int, port: int, host: str | None = None, join: str | None = None) -> NoReturn:
    """Run workers until Ctrl-C, with a dispatcher of their own or for one that runs elsewhere.

    Args:
        count: How many.
        port: The dispatcher's; 0 for any free one.
        host: By which other machines reach this one; without, only this machine does, or the dispatcher
            at the address from which it is reached.
        join: Address of a dispatcher that runs elsewhere, `grpc://host:port`.

    Raises:
        ArgumentError: If the port is taken, there is no dispatcher to join, or a worker does not start.
        KeyboardInterrupt: After Ctrl-C or SIGTERM.
    """
    if join:
        workers_of(join, "join")  # refuses where there is no dispatcher
        argument, target, what = "join", join, f"joined {join}"
        host = host or _own_address(join)
    else:
        dispatcher = _dispatcher(port)
        host = host or "127.0.0.1"
        argument, target = "host", f"grpc://{host}:{str(dispatcher.target).rpartition(':')[2]}"
        what = f"tf.data service at {target}"
    with contextlib.ExitStack() as stack:
        # SIGTERM, which service managers send, ends the program as Ctrl-C does.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        stack.callback(signal.signal, signal.SIGTERM, before)
        address = address_of(target, argument)
        workers = [stack.enter_context(_Worker(address, host)) for _ in range(count)]
        _wait_for(workers, target, argument)
        print(f"{what}, {count} {'worker' if count == 1 else 'workers'}; Ctrl-C stops it", flush=True)
        while True:
            time.sleep(_LOOK_SECONDS)
            for worker in workers:
                if (reason := worker.child.ended()) is not None:
                    print(f"worker {worker.address}: {reason}; started again", file=sys.stderr, flush=True)
                    worker.start_again()


def _dispatcher(port: int) -> Any:
    try:
        with socket.socket() as probe:  # gRPC would share the port with another program
            probe.bind(("", port))
    except OSError:
        problem = "taken; choose another one, or 0 for any that is free"
        raise ArgumentError("port", port, problem) from None
    import tensorflow as tf

    service = tf.data.experimental.service
    return service.DispatchServer(
        service.DispatcherConfig(port=port, job_gc_check_interval_ms=_FORGET_MS, job_gc_timeout_ms=_FORGET_MS)
    )


def _own_address(target: str) -> str:
    """This machine's address in the network where the dispatcher is."""
    host, _, port = address_of(target, "join").rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port))) as connection:
        return str(connection.getsockname()[0])


def _wait_for(workers: Sequence[_Worker], target: str, argument: str) -> None:
    """Return when the dispatcher knows all workers."""
    deadline = time.monotonic() + _START_SECONDS
    while missing := {worker.address for worker in workers} - set(workers_of(target, argument)):
        for worker in workers:
            if (reason := worker.child.ended()) is not None:
                raise ArgumentError(argument, target, f"worker {worker.address} does not start: {reason}")
        if time.monotonic() > deadline:
            problem = f"worker {min(missing)} does not join it; is that its address?"
            raise ArgumentError(argument, target, problem)
        time.sleep(_LOOK_SECONDS)


class _Worker:
    """A worker in a process of its own, at an address that it keeps when it is started again.

    Those who use a worker that has died wait for it to be back at its address.
    """

    def __init__(self, dispatcher: str, host: str) -> None:
        with socket.socket() as probe:
            probe.bind(("", 0))  # any that is free
            port = int(probe.getsockname()[1])
        self.address = f"{host}:{port}"
        self._told = (dispatcher, self.address, port)
        self._start()

    def _start(self) -> None:
        self.child = Child.applying(_work)
        self.child.send(self._told)

    def start_again(self) -> None:
        self.child.stop()
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.stop()


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

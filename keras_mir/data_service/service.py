"""A tf.data service: its dispatcher here or elsewhere, and workers in processes of their own."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from pipelines.errors import ArgumentError
from pipelines.input.service import address_of, workers_of
from pipelines.processes import Child
from pipelines.wording import counted

_START_SECONDS = 60.0  # for workers to join
_LOOK_SECONDS = 0.5  # between looks at them
_HEARTBEAT_MS = 1000
_FORGET_MS = 5000  # what nobody reads any more, such as the validation examples of the last epoch

_servers: list[Any] = []  # of a worker's process, which lasts as long as it does


def serve(count: int, port: int, host: str | None = None, join: str | None = None) -> NoReturn:
    """Run workers until Ctrl-C, with a dispatcher of their own or for one that runs elsewhere.

    TensorFlow lets them listen on every interface, whatever the host, and they do what they are told:
    their graphs read and write files.

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
        what = f"tf.data service at {target}, open on every interface of this machine"
    address = address_of(target, argument)
    workers: dict[str, Child] = {}  # by the addresses that they keep when they are started again
    # SIGTERM, which service managers send, ends the program as Ctrl-C does.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for _ in range(count):
            worker = f"{host}:{_free_port()}"
            workers[worker] = _started(address, worker)
        _wait_for(workers, target, argument)
        print(f"{what}, {counted(count, 'worker')}; Ctrl-C stops it", flush=True)
        while True:
            time.sleep(_LOOK_SECONDS)
            for worker, child in workers.items():
                if (reason := child.ended()) is not None:
                    print(f"worker {worker}: {reason}; started again", file=sys.stderr, flush=True)
                    child.stop()
                    workers[worker] = _started(address, worker)  # whoever uses it waits for that
    finally:
        for child in workers.values():
            child.stop()
        signal.signal(signal.SIGTERM, before)


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


def _wait_for(workers: Mapping[str, Child], target: str, argument: str) -> None:
    """Return when the dispatcher knows all workers."""
    deadline = time.monotonic() + _START_SECONDS
    while missing := workers.keys() - set(workers_of(target, argument)):
        for worker, child in workers.items():
            if (reason := child.ended()) is not None:
                raise ArgumentError(argument, target, f"worker {worker} does not start: {reason}")
        if time.monotonic() > deadline:
            problem = f"worker {min(missing)} does not join it; is that its address?"
            raise ArgumentError(argument, target, problem)
        time.sleep(_LOOK_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _started(dispatcher: str, worker: str) -> Child:
    """A process of a worker that is to be at that address."""
    child = Child.applying(_work)
    child.send((dispatcher, worker))
    return child


def _work(addresses: tuple[str, str]) -> None:
    """Start a worker in its process."""
    import tensorflow as tf

    dispatcher, worker = addresses
    service = tf.data.experimental.service
    config = service.WorkerConfig(
        dispatcher_address=dispatcher,
        worker_address=worker,
        port=int(worker.rpartition(":")[2]),
        heartbeat_interval_ms=_HEARTBEAT_MS,
    )
    _servers.append(service.WorkerServer(config))

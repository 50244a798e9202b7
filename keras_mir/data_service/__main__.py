"""Workers that load examples for `fit`, here and elsewhere: `python -m keras_mir.data_service`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from keras_mir.command_line.options import command_parser, count, port
from keras_mir.command_line.run import run
from pipelines.errors import UserError
from pipelines.input.dispatcher import address_of, workers_of

_WORK = "from keras_mir.data_service.__main__ import work; work()"
_START_SECONDS = 60.0  # for workers to join
_LOOK_SECONDS = 0.5  # between looks at them
_HEARTBEAT_MS = 1000
_FORGET_MS = 5000  # what nobody reads any more, such as the validation examples of the last epoch


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return run(parser(), lambda given: _join(given) if given.join else _serve(given), argv)


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "data_service",
        description="Start a tf.data service: a dispatcher, and workers that load and change examples for "
        "fit --data-service. It runs until Ctrl-C. Whoever reaches its ports can use it, and through it "
        "read this machine's files: keep them inside a network that you trust.",
    )
    parser.add_argument(
        "--workers",
        type=count,
        default=1,
        metavar="N",
        help="processes here (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=5050,
        metavar="N",
        help="0 for any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        help="name or address of this machine, by which the others reach it (default: 127.0.0.1; with "
        "--join, the address from which it reaches the dispatcher)",
    )
    parser.add_argument(
        "--join", metavar="grpc://HOST:PORT", help="start only workers, for a dispatcher that runs elsewhere"
    )
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    if _taken(arguments.port):
        raise UserError(f"--port {arguments.port}: taken; choose another one, or 0 for any that is free")
    import tensorflow as tf

    service = tf.data.experimental.service
    dispatcher = service.DispatchServer(
        service.DispatcherConfig(
            port=arguments.port, job_gc_check_interval_ms=_FORGET_MS, job_gc_timeout_ms=_FORGET_MS
        )
    )
    host = arguments.host or "127.0.0.1"
    target = f"grpc://{host}:{str(dispatcher.target).rpartition(':')[2]}"
    return _run_workers(target, "--host", host, arguments.workers, f"tf.data service at {target}")


def _join(arguments: argparse.Namespace) -> int:
    workers_of(arguments.join, "--join")  # refuses where there is no dispatcher
    host = arguments.host or _own_address(arguments.join)
    return _run_workers(arguments.join, "--join", host, arguments.workers, f"joined {arguments.join}")


def _run_workers(target: str, option: str, host: str, count: int, what: str) -> int:
    """Keep workers running until Ctrl-C."""
    dispatcher = address_of(target, option)
    with _ended_by_sigterm(), contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_Worker(dispatcher, host)) for _ in range(count)]
        _wait_for(workers, target, option)
        print(f"{what}, {count} {'worker' if count == 1 else 'workers'}; Ctrl-C stops it", flush=True)
        while True:
            time.sleep(_LOOK_SECONDS)
            for worker in workers:
                if (reason := worker.ended()) is not None:
                    print(f"worker {worker.address}: {reason}; started again", file=sys.stderr, flush=True)
                    worker.start()


def _wait_for(workers: Sequence[_Worker], target: str, option: str) -> None:
    """Return when the dispatcher knows all workers."""
    deadline = time.monotonic() + _START_SECONDS
    missing = {worker.address for worker in workers}
    while missing := missing - set(workers_of(target, option)):
        for worker in workers:
            if (reason := worker.ended()) is not None:
                raise UserError(f"{option} {target}: worker {worker.address} does not start: {reason}")
        if time.monotonic() > deadline:
            raise UserError(
                f"{option} {target}: worker {min(missing)} does not join it; is that its address?"
            )
        time.sleep(_LOOK_SECONDS)


class _Worker:
    """A worker in a process of its own, at an address that it keeps when it is started again.

    Those who use a worker that has died wait for it to be back at its address.
    """

    def __init__(self, dispatcher: str, host: str) -> None:
        self._port = _free_port()
        self._arguments = (dispatcher, host, str(self._port))
        self.address = f"{host}:{self._port}"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the worker ends)

    def __enter__(self) -> _Worker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def start(self) -> None:
        self._process = subprocess.Popen(
            # -P: this process may have been started beside another package called pipelines.
            [sys.executable, "-P", "-c", _WORK, *self._arguments],
            stdin=subprocess.PIPE,  # it ends when this process does, however that ends
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
            start_new_session=True,  # Ctrl-C is for this process, which then stops the workers
        )

    def ended(self) -> str | None:
        """Why it has ended; `None` while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self._errors.truncate(0)
        return lines[-1] if status > 0 and lines else f"its process ended with status {status}"


def work() -> None:
    """A worker's life, in its process: serve until standard input ends."""
    dispatcher, host, port = sys.argv[1:]
    import tensorflow as tf

    service = tf.data.experimental.service
    server = service.WorkerServer(
        service.WorkerConfig(
            dispatcher_address=dispatcher,
            worker_address=f"{host}:{port}",
            port=int(port),
            heartbeat_interval_ms=_HEARTBEAT_MS,
        )
    )
    sys.stdin.read()
    os._exit(0 if server else 1)  # at once: a server waits for the work in hand


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
    host, _, port = address_of(target, "--join").rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port))) as connection:
        return str(connection.getsockname()[0])


if __name__ == "__main__":
    raise SystemExit(main())

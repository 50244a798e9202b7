"""Run a function over many items in worker processes, any of which may die alone.

A decoder in C can bring its process down on one damaged file, or eat all memory; a process pool
then gives up on everything. Here the item in hand is reported and a new process goes on. The
processes speak over pipes: they need no shared memory, no `__main__` guard, and end by
themselves when this process is gone, however it went.
"""

from __future__ import annotations

import os
import pickle
import selectors
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Generic, TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")

# One process a core is the parallelism; threads on top of it only get in each other's way.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Died:
    """Stands for the result of an item whose process died, or whose function raised.

    Attributes:
        reason: One line, the last the process wrote to standard error or how it ended.
    """

    reason: str


def map_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Generator[tuple[Item, Result | Died], None, None]:
    """Call `function` on every item; pairs come as they are finished, in any order.

    Closing the iterator, or an exception such as Ctrl-C's, ends the processes at once.

    Args:
        function: A module's function, or a `functools.partial` of one.
        items: Its arguments; these and the results are pickled.
        jobs: Number of processes.
    """
    waiting = deque(items)
    workers: list[_Worker[Item, Result]] = []
    try:
        with selectors.DefaultSelector() as selector:

            def start() -> None:
                if waiting:
                    worker = _Worker(function)
                    workers.append(worker)
                    selector.register(worker.replies, selectors.EVENT_READ, worker)
                    worker.send(waiting.popleft())

            for _ in range(jobs):
                start()
            while selector.get_map():
                for key, _ in selector.select():
                    worker: _Worker[Item, Result] = key.data
                    result = worker.receive()
                    yield worker.item, result
                    if isinstance(result, Died) or not waiting:
                        selector.unregister(worker.replies)
                        worker.stop()
                        workers.remove(worker)
                        start()
                    else:
                        worker.send(waiting.popleft())
    finally:
        for worker in workers:
            worker.stop()


class _Worker(Generic[Item, Result]):
    """A process that applies one function to one item after the other."""

    item: Item

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from pipelines.extraction.workers import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C is for this process, which then stops the workers
        )
        self._requests = cast(IO[bytes], self._process.stdin)
        self.replies = cast(IO[bytes], self._process.stdout)
        self._write(function)

    def send(self, item: Item) -> None:
        self.item = item
        self._write(item)

    def receive(self) -> Result | Died:
        try:
            result: Result = pickle.load(self.replies)
        except (EOFError, pickle.UnpicklingError):
            return Died(self._last_words())
        return result

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self.replies.close()
        self._errors.close()
        with suppress(BrokenPipeError):  # what was still to be sent has no reader any more
            self._requests.close()

    def _write(self, message: object) -> None:
        with suppress(BrokenPipeError):  # it died; receive says why
            pickle.dump(message, self._requests)
            self._requests.flush()

    def _last_words(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        if status > 0 and lines:
            return lines[-1]
        return f"its process ended with status {status}" + (" (killed)" if status == -9 else "")


def serve() -> None:
    """A worker's life: read a function, then items until there are no more, and write the results.

    Standard input and output are kept for that alone: libraries that print, or start programs
    that read, must not meddle.
    """
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    function = pickle.load(requests)
    while True:
        try:
            item = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(function(item), replies)
        replies.flush()

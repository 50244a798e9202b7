"""Python processes of ours, any of which may die alone.

They speak over pipes: they need no shared memory and no `__main__` guard, and end by themselves when
this process is gone, however it went.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import IO, Any, Self, cast


@dataclass(frozen=True)
class Died:
    """Stands for the answer of a process that died.

    Attributes:
        reason: One line, the last it wrote to standard error or how it ended.
    """

    reason: str


class Child:
    """A Python process that is sent pickled messages, and may answer each with one.

    Args:
        command: What follows `python` on the command line.
        environment: What it has beside this process's environment.

    Attributes:
        answers: Where they come from, for `selectors`.
    """

    def __init__(self, *command: str, **environment: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C is for this process, which then stops its children
        )
        self._messages = cast(IO[bytes], self._process.stdin)
        self.answers = cast(IO[bytes], self._process.stdout)

    @classmethod
    def applying(cls, function: Callable[[Any], object], **environment: str) -> Self:
        """A process that calls a module's function, or a `functools.partial` of one, on every message."""
        path = os.pathsep.join(filter(None, sys.path))
        program = "from pipelines.processes import answer_messages; answer_messages()"
        # -P: this process may have been started beside another package called pipelines.
        child = cls("-P", "-c", program, PYTHONPATH=path, **environment)
        child.send(function)
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def send(self, message: object) -> None:
        """Send a message, whether or not there is anybody to read it."""
        with suppress(BrokenPipeError):  # it died; receive says why
            pickle.dump(message, self._messages)
            self._messages.flush()

    def receive(self) -> Any:
        """Wait for an answer; `Died` if none comes."""
        try:
            return pickle.load(self.answers)
        except (EOFError, pickle.UnpicklingError):
            self._process.wait()
            return Died(self.ended() or "")

    def call(self, message: object, seconds: float) -> Any:
        """Send a message and wait for its answer; `Died` if none comes in that time."""
        started = time.monotonic()
        timer = Timer(seconds, self._process.kill)
        timer.start()
        try:
            self.send(message)
            answer = self.receive()
        finally:
            timer.cancel()
        if isinstance(answer, Died) and time.monotonic() - started >= seconds:
            return Died(f"no answer in {seconds:g} s")
        return answer

    def ended(self) -> str | None:
        """Why it has ended; `None` while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        if status > 0 and lines:
            return lines[-1]
        return f"its process ended with status {status}" + (" (killed)" if status == -9 else "")

    def stop(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self.answers.close()
        self._errors.close()
        with suppress(BrokenPipeError):  # what was still to be sent has no reader any more
            self._messages.close()


def answer_messages() -> None:
    """The life of `Child.applying`: read a function, then messages until there are no more.

    Standard input and output are kept for that alone: libraries that print, or start programs
    that read, must not meddle.
    """
    messages, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    function = pickle.load(messages)
    while True:
        try:
            message = pickle.load(messages)
        except EOFError:
            os._exit(0)  # at once, whatever threads are about
        pickle.dump(function(message), answers)
        answers.flush()

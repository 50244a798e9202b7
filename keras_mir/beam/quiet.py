"""What Beam says that is of no use to who runs a command: kept off the screen, but for what ends a run."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

from pipelines.errors import UserError

_WORKER = "run_worker"  # the thread of Beam's that waits for a worker process on this machine
_READER = "beam_control_read"  # which listens to that process, and fails with it
_KILLED = ("-9", "137")  # by the system for one, which had no memory left
_INTERRUPTED = ("-2", "130")
_OF_A_PLACE = re.compile(r"^\w+Error: \[Errno (\d+)\] ([^:\n]*)(?:: '([^\n]*)')?", re.MULTILINE)


def of_beam() -> None:
    """Let Beam warn of what a user gave, and not of itself."""
    logging.basicConfig(format="warning: %(message)s", level=logging.WARNING)
    logging.getLogger().addFilter(lambda record: "apitools" not in record.getMessage())
    logging.getLogger("apache_beam.options").setLevel(logging.ERROR)  # `check_options` says it
    logging.getLogger("apache_beam.runners").setLevel(logging.CRITICAL)  # what is raised says it again


@contextmanager
def of_workers(stop: Callable[[], None]) -> Iterator[None]:
    """Keep off the screen what processes that start meanwhile write to standard error.

    Args:
        stop: Called when one of Beam's on this machine has ended before its work; lets the others end, too.

    Raises:
        UserError: If one has ended so; Beam would wait for it for ever.
        OSError: That which ended a worker's work, a full disk for one.
    """
    from apache_beam.runners.portability.fn_api_runner.worker_handlers import SubprocessSdkWorkerHandler

    handlers: list[Any] = []
    ended: list[str] = []
    start, hook = SubprocessSdkWorkerHandler.start_worker, threading.excepthook

    def started(handler: Any) -> None:
        handlers.append(handler)
        start(handler)

    def note(problem: threading.ExceptHookArgs) -> None:
        if problem.thread is not None and problem.thread.name == _WORKER:
            ended.append(str(problem.exc_value).rpartition(" ")[2])
            stop()
            for handler in handlers:  # as Beam does where workers are containers
                handler.control_conn.abort(problem.exc_value)
        elif problem.thread is None or problem.thread.name != _READER:
            hook(problem)

    sys.stderr.flush()
    with tempfile.TemporaryFile() as unread, os.fdopen(os.dup(2), "w", errors="backslashreplace") as screen:
        os.dup2(unread.fileno(), 2)
        SubprocessSdkWorkerHandler.start_worker, threading.excepthook = started, note
        try:
            with redirect_stderr(screen):
                yield
        except Exception as error:
            if ended:
                if ended[0] in _INTERRUPTED:  # Ctrl-C is for all of us
                    raise KeyboardInterrupt from None
                unread.seek(0)
                written = unread.read().decode(errors="replace")
                raise UserError(_problem(ended[0], written)) from None
            if places := _OF_A_PLACE.findall(str(error)):
                number, reason, place = places[-1]
                raise OSError(int(number), reason, place or None) from error
            raise
        finally:
            SubprocessSdkWorkerHandler.start_worker, threading.excepthook = start, hook
            os.dup2(screen.fileno(), 2)


def _problem(status: str, written: str) -> str:
    """How a worker came to its end, and what to do, in one line."""
    last = written.strip().rpartition("\n")[2]
    why = f" ({last})" if last else ""
    how = "was killed" if status in _KILLED else f"ended with status {status}{why}"
    return f"a worker process of Beam's {how}; what is done is kept, run it again"

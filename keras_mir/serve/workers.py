"""Threads that run the models, and how much is taken on at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from keras_mir.client.errors import Code
from keras_mir.models.session import ModelError


@dataclass(frozen=True)
class Limits:
    """What a server takes on.

    Attributes:
        request_bytes: The largest request.
        seconds: The longest a request may take, from its arrival to its answer.
        requests: How many may be taken on at once, waiting and running.
        threads: How many run at once; TensorFlow spreads each over the cores.
    """

    request_bytes: int = 100 * 2**20
    seconds: float = 60.0
    requests: int = 32
    threads: int = 4


class Workers(ThreadPoolExecutor):
    """A pool of threads, for all protocols of a server together."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits.threads, thread_name_prefix="predict")
        self.limits = limits
        self._places = threading.BoundedSemaphore(limits.requests)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold one of the places for a request.

        Raises:
            ModelError: UNAVAILABLE if all are taken.
        """
        if not self._places.acquire(blocking=False):
            raise ModelError(
                Code.UNAVAILABLE, f"{self.limits.requests} requests are being answered; try again"
            )
        try:
            yield
        finally:
            self._places.release()

    def too_late(self) -> ModelError:
        """What a request gets that was not answered in its time."""
        limit = self.limits.seconds
        return ModelError(Code.DEADLINE_EXCEEDED, f"not answered within the time limit of {limit:g} s")

    def close(self) -> None:
        """Wait for what runs; what waits for a thread is cancelled."""
        self.shutdown(cancel_futures=True)

"""Sending a request again when it failed for a reason that may pass."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from keras_mir.client.errors import ServingError

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with jitter, under one deadline.

    The pause before retry n, from 0, is between half and all of `first_pause * 2 ** n` seconds: as
    much as half, so that a busy server is left alone, and at random, so that clients which failed
    together do not come back together (M. Brooker, "Exponential Backoff And Jitter", 2015, "equal
    jitter").

    Attributes:
        retries: How often a request is sent again.
        timeout: Seconds for all attempts and the pauses between them.
        first_pause: In seconds.
        longest_pause: In seconds.
        sleep: Pauses for so many seconds.
        clock: Seconds from any starting point.
    """

    retries: int = 3
    timeout: float = 60.0
    first_pause: float = 0.2
    longest_pause: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def call(self, attempt: Callable[[float], T]) -> T:
        """Try until it works, or sending again is of no use.

        Args:
            attempt: Is given the seconds left for it.

        Raises:
            ServingError: What the last attempt raised, with the number of attempts.
        """
        deadline = self.clock() + self.timeout
        number = 0
        while True:
            try:
                return attempt(deadline - self.clock())
            except ServingError as error:
                most = min(self.first_pause * 2**number, self.longest_pause)
                pause = random.uniform(most / 2, most)
                hopeless = not error.retryable or number == self.retries
                if hopeless or self.clock() + pause >= deadline:
                    raise error.after(number + 1) from error.__cause__
                logger.info("%s; trying again in %.1f s", error, pause)
            self.sleep(pause)
            number += 1

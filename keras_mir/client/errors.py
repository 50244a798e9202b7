"""What went wrong with a request, in the codes that gRPC, TensorFlow and REST share, and trying again."""

from __future__ import annotations

import enum
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from pipelines.errors import UserError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LONGEST = 500  # characters of a server's own message
_SHARE_SENT_AGAIN, _SENT_AGAIN_AT_ONCE = 0.1, 10


class Code(enum.IntEnum):
    """The canonical status codes: numbers and names are those of gRPC and `tf.errors`."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# What TF Serving and proxies before it answer with. Where several mean the same, TF Serving's is the last.
_CODES: dict[int, Code] = {
    HTTPStatus.BAD_REQUEST: Code.INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: Code.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: Code.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT: Code.DEADLINE_EXCEEDED,
    HTTPStatus.CONFLICT: Code.ABORTED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.TOO_MANY_REQUESTS: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.NOT_IMPLEMENTED: Code.UNIMPLEMENTED,
    HTTPStatus.BAD_GATEWAY: Code.UNAVAILABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: Code.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: Code.DEADLINE_EXCEEDED,
}
_STATUSES: dict[int, int] = {
    **{code: status for status, code in _CODES.items()},
    Code.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    Code.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    Code.ALREADY_EXISTS: HTTPStatus.CONFLICT,
}
_ABOUT_THE_REQUEST = (
    Code.INVALID_ARGUMENT,
    Code.OUT_OF_RANGE,
    Code.RESOURCE_EXHAUSTED,
    Code.DEADLINE_EXCEEDED,
    Code.INTERNAL,
)


def code_of(status: int) -> Code:
    """The code of an HTTP status: other 4xx than those known are the request's fault, others the server's."""
    return _CODES.get(status, Code.INVALID_ARGUMENT if 400 <= status < 500 else Code.INTERNAL)


def http_status(code: int) -> int:
    """The HTTP status of a code; 500 for those that are nobody's request's fault."""
    return _STATUSES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)


class ServingError(UserError):
    """A server could not be reached, refused a request, or answered with something else.

    The message is one line: the server and model, what is wrong, what to do.

    Attributes:
        code: The kind of failure, for both protocols in the codes of gRPC: UNAVAILABLE where there was
            no server or it is too busy, DEADLINE_EXCEEDED, NOT_FOUND for a model that is not there,
            INVALID_ARGUMENT for inputs it refuses, RESOURCE_EXHAUSTED for a request too large, and
            UNKNOWN for an answer that is not TF Serving's.
        retryable: Whether the same request may be answered if it is sent again.
        retry_after: Seconds the server asks to be left alone for, before that.
        attempts: How often the request was sent.
    """

    def __init__(
        self,
        where: str,
        problem: str,
        remedy: str,
        *,
        code: Code,
        retryable: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(where, problem, remedy)
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self.attempts = 1

    def __str__(self) -> str:
        where, problem, remedy = self.args
        tried = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{where}: {problem}{tried}; {remedy}"

    @property
    def about_the_request(self) -> bool:
        """Whether it may come from what was sent; after any other, the next request would fail as well."""
        return self.code in _ABOUT_THE_REQUEST


def one_line(text: str) -> str:
    """A server's message, fit to stand in ours."""
    return " ".join(text.split())[:_LONGEST].rstrip(".;")


class Budget:
    """How many requests may be sent again: in the long run a tenth of all, so that clients do not keep a
    server down that fails under its load (B. Beyer et al., "Site Reliability Engineering", 2016, ch. 21).

    Args:
        most: How many may be sent again at once, after a time without failures.
    """

    def __init__(self, most: float) -> None:
        self._most = self._left = most
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Add what a new request brings."""
        with self._lock:
            self._left = min(self._left + _SHARE_SENT_AGAIN, self._most)

    def spend(self) -> bool:
        """Take what sending a request again costs; False if it is not there."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with jitter, under one deadline, and within a budget.

    The pause before retry n, from 0, is between half and all of `first_pause * 2 ** n` seconds: as
    much as half, so that a busy server is left alone, and at random, so that clients which failed
    together do not come back together (M. Brooker, "Exponential Backoff And Jitter", 2015, "equal
    jitter"). A server that asks for more is given it.

    Attributes:
        retries: How often a request is sent again.
        timeout: Seconds for all attempts and the pauses between them.
        first_pause: In seconds.
        longest_pause: In seconds.
        sleep: Pauses for so many seconds.
        clock: Seconds from any starting point.
        budget: Budget of all calls together.
    """

    retries: int = 3
    timeout: float = 60.0
    first_pause: float = 0.2
    longest_pause: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    budget: Budget = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", Budget(max(self.retries, _SENT_AGAIN_AT_ONCE)))

    def call(self, attempt: Callable[[float], T]) -> T:
        """Try until it works, or sending again is of no use.

        Args:
            attempt: Is given the seconds left for it.

        Raises:
            ServingError: What the last attempt raised, with the number of attempts.
        """
        deadline = self.clock() + self.timeout
        number = 0
        self.budget.earn()
        while True:
            try:
                return attempt(deadline - self.clock())
            except ServingError as error:
                most = min(self.first_pause * 2**number, self.longest_pause)
                pause = max(random.uniform(most / 2, most), error.retry_after)
                hopeless = not error.retryable or number == self.retries
                if hopeless or self.clock() + pause >= deadline or not self.budget.spend():
                    error.attempts = number + 1
                    raise
                logger.info("%s; trying again in %.1f s", error, pause)
            self.sleep(pause)
            number += 1

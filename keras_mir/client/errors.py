"""What went wrong with a request, in the codes that gRPC, TensorFlow and TF Serving's REST API share."""

from __future__ import annotations

import enum
from http import HTTPStatus

from pipelines.errors import UserError

_LONGEST = 500  # characters of a server's own message


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
        attempts: int = 1,
    ) -> None:
        tried = f" ({attempts} attempts)" if attempts > 1 else ""
        super().__init__(f"{where}: {problem}{tried}; {remedy}")
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self._parts = (where, problem, remedy)

    @property
    def about_the_request(self) -> bool:
        """Whether it may come from what was sent; after any other, the next request would fail as well."""
        return self.code in _ABOUT_THE_REQUEST

    def after(self, attempts: int) -> ServingError:
        """The same, saying how often it was tried."""
        return ServingError(*self._parts, code=self.code, retryable=self.retryable, attempts=attempts)


def one_line(text: str) -> str:
    """A server's message, fit to stand in ours."""
    return " ".join(text.split())[:_LONGEST].rstrip(".;")

"""What a client raises when a server does not answer as asked."""

from __future__ import annotations

from keras_mir.client.status import Code
from pipelines.errors import UserError

_LONGEST = 500  # characters of a server's own message

_ABOUT_THE_REQUEST = (
    Code.INVALID_ARGUMENT,
    Code.OUT_OF_RANGE,
    Code.RESOURCE_EXHAUSTED,
    Code.DEADLINE_EXCEEDED,
    Code.INTERNAL,
)


class ServingError(UserError):
    """A server could not be reached, refused a request, or answered with something else.

    The message is one line: the server and model, what is wrong, what to do.

    Attributes:
        code: The kind of failure, for both protocols in the codes of gRPC: UNAVAILABLE where there was
            no server or it is too busy, DEADLINE_EXCEEDED, NOT_FOUND for a model that is not there,
            INVALID_ARGUMENT for inputs it refuses, RESOURCE_EXHAUSTED for a request too large, and
            UNKNOWN for an answer that is not TF Serving's.
        retryable: Whether the same request may be answered if it is sent again.
    """

    def __init__(
        self,
        where: str,
        problem: str,
        remedy: str,
        *,
        code: Code,
        retryable: bool = False,
        attempts: int = 1,
    ) -> None:
        tried = f" ({attempts} attempts)" if attempts > 1 else ""
        super().__init__(f"{where}: {problem}{tried}; {remedy}")
        self.code = code
        self.retryable = retryable
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

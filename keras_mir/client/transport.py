"""What both protocols share: where a server is, and how to go about failures that may pass."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import quote, urlsplit

from keras_mir.client.codec import Arrays, ModelMetadata, Signature, VersionStatus
from keras_mir.client.errors import ServingError
from pipelines.errors import UserError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_PORTS = {"http": 80, "https": 443}


class Transport(Protocol):
    """How one protocol asks about one model.

    Attributes:
        where: The server and the model, for messages.
    """

    where: str

    def status(self) -> list[VersionStatus]: ...

    def metadata(self) -> ModelMetadata: ...

    def predict(self, name: str, signature: Signature, inputs: Arrays) -> Arrays: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Address:
    """A server's address; made by `parse_address`.

    Attributes:
        host: A name or an IP address, without brackets.
        port: From 1 to 65535.
        encrypted: Whether to speak TLS.
        path: What comes before `/v1`, where a proxy adds something; otherwise empty.
    """

    host: str
    port: int
    encrypted: bool = False
    path: str = ""

    @property
    def host_and_port(self) -> str:
        """`HOST:PORT`, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(server: str) -> Address:
    """Read a server's address.

    Args:
        server: `HOST:PORT`, or a URL beginning with http:// or https://.

    Raises:
        UserError: If it is neither.
    """
    try:
        parts = urlsplit(server if "://" in server else f"//{server}")
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        host, port = "", 0
    if not host or not port or parts.scheme not in ("", *_PORTS) or parts.query or parts.username:
        raise UserError(
            f"server {server!r}: not an address; give HOST:PORT, such as localhost:8501, or an http(s) URL"
        )
    return Address(host, port, parts.scheme == "https", quote(parts.path.rstrip("/"), safe="/%"))


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with jitter, under one deadline.

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
                pause = max(random.uniform(most / 2, most), error.retry_after)
                hopeless = not error.retryable or number == self.retries
                if hopeless or self.clock() + pause >= deadline:
                    raise error.after(number + 1) from error.__cause__
                logger.info("%s; trying again in %.1f s", error, pause)
            self.sleep(pause)
            number += 1

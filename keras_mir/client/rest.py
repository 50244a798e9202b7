"""TF Serving's REST API, asked; see https://www.tensorflow.org/tfx/serving/api_rest."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, ProtocolError, SSLError

from keras_mir.client.codec import (
    Arrays,
    CodecError,
    ModelMetadata,
    Signature,
    VersionStatus,
    parse_answer,
    parse_metadata,
    parse_status,
    write_request,
)
from keras_mir.client.errors import Code, Retry, ServingError, code_of, one_line
from pipelines.errors import UserError

T = TypeVar("T")

_PORTS = {"http": 80, "https": 443}
_CONNECT_SECONDS = 5.0  # a host that is up answers sooner; one that is not is tried again
_CHUNK = 2**16
_MOST_CONNECTIONS = 64  # that are kept open

_MAY_PASS = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_REMEDIES = {
    Code.INVALID_ARGUMENT: "check the inputs, and the version's label if you gave one",
    Code.NOT_FOUND: "check the model's name and version, and that the server has loaded it",
    Code.UNAVAILABLE: "try again later",
    Code.DEADLINE_EXCEEDED: "send less at a time, or give the server more time",
    Code.UNAUTHENTICATED: "ask whoever runs the server for access",
    Code.PERMISSION_DENIED: "ask whoever runs the server for access",
}


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


class RestTransport:
    """Requests about one model; threads may share it.

    Args:
        address: Address of the server; certificates are checked if it is encrypted.
        model: Its name.
        version: A number or a label; without, the version the server prefers.
        retry: How to go about failures.
    """

    def __init__(self, address: Address, model: str, version: int | str | None, retry: Retry) -> None:
        scheme = "https" if address.encrypted else "http"
        self.where = f"{scheme}://{address.host_and_port}{address.path}, model {model!r}"
        self._path = f"{address.path}/v1/models/{quote(model, safe='')}"
        if version is not None:
            kind = "versions" if isinstance(version, int) else "labels"
            self._path += f"/{kind}/{quote(str(version), safe='')}"
        pool = urllib3.HTTPSConnectionPool if address.encrypted else urllib3.HTTPConnectionPool
        self._pool = pool(address.host, address.port, maxsize=_MOST_CONNECTIONS)
        self._pool.ConnectionCls = _EncryptedConnection if address.encrypted else _Connection
        self._retry = retry

    def status(self) -> list[VersionStatus]:
        """How the model's versions are."""
        return self._ask(parse_status, "GET", self._path)

    def metadata(self) -> ModelMetadata:
        """What its signatures take and give."""
        return self._ask(parse_metadata, "GET", self._path + "/metadata")

    def predict(self, name: str, signature: Signature, inputs: Arrays) -> Arrays:
        """Run a signature on one batch."""
        parse = partial(parse_answer, signature=signature)
        return self._ask(parse, "POST", self._path + ":predict", write_request(name, inputs))

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()

    def _ask(
        self, parse: Callable[[dict[str, Any]], T], method: str, path: str, body: bytes | None = None
    ) -> T:
        try:
            return parse(self._retry.call(partial(self._attempt, method, path, body)))
        except CodecError as error:
            raise ServingError(
                self.where,
                f"the answer {error}",
                "check that the address is TF Serving's REST port",
                code=Code.UNKNOWN,
            ) from None

    def _attempt(self, method: str, path: str, body: bytes | None, seconds: float) -> dict[str, Any]:
        try:
            response, content = self._exchange(method, path, body, time.monotonic() + seconds)
        except (HTTPError, TimeoutError) as error:
            raise self._broken(error) from error
        # TF Serving passes text on without a look whether it is UTF-8.
        text = content.decode("utf-8", "replace")
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if response.status != HTTPStatus.OK:
            raise self._refused(
                response, str(answer.get("error", text)) if isinstance(answer, dict) else text
            )
        if not isinstance(answer, dict):
            raise CodecError("is not a JSON object")
        return answer

    def _exchange(
        self, method: str, path: str, body: bytes | None, deadline: float
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        """Send a request, anew where a connection that rested turns out to be closed."""
        while True:
            opened = self._pool.num_connections
            try:
                response = self._pool.urlopen(
                    method,
                    path,
                    body,
                    headers={} if body is None else {"Content-Type": "application/json"},
                    retries=False,
                    redirect=False,
                    timeout=urllib3.Timeout(total=_left(deadline)),
                    preload_content=False,
                )
                return response, _content(response, deadline)
            except ProtocolError as error:
                rested = self._pool.num_connections == opened
                if not rested or not isinstance(_reason(error), ConnectionError):
                    raise

    def _broken(self, error: Exception) -> ServingError:
        unreachable = "check the address, and that the server runs"
        code, reason = Code.UNAVAILABLE, _reason(error)
        if isinstance(reason, TimeoutError) and not isinstance(error, ConnectTimeoutError):
            code = Code.DEADLINE_EXCEEDED
            problem = f"no answer within {self._retry.timeout:g} s"
            remedy = "give a longer timeout, or send less at a time"
        elif isinstance(reason, ConnectionResetError | BrokenPipeError | http.client.IncompleteRead):
            problem, remedy = "the connection broke off before the answer was there", "see the server's log"
        elif isinstance(reason, http.client.HTTPException):
            code = Code.UNKNOWN
            problem, remedy = "what answers is not HTTP", "give the REST port, 8501 for most servers"
        elif isinstance(reason, ssl.SSLError):
            code = Code.UNKNOWN
            problem = f"no encrypted connection: {one_line(str(reason))}"
            remedy = "check its certificate, or give http://"
        elif isinstance(reason, socket.gaierror):
            problem, remedy = "the host's name is not known", unreachable
        else:
            said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
            problem, remedy = f"cannot be reached: {one_line(said.lower())}", unreachable
        return ServingError(self.where, problem, remedy, code=code, retryable=code is Code.UNAVAILABLE)

    def _refused(self, response: urllib3.BaseHTTPResponse, said: str) -> ServingError:
        status = response.status
        code = code_of(status)
        remedy = _REMEDIES.get(code, "see the server's log")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            remedy = "try again later"
        elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            remedy = "send less at a time, with a smaller batch_size"
        try:
            retry_after = urllib3.Retry().get_retry_after(response) or 0.0
        except InvalidHeader:
            retry_after = 0.0
        return ServingError(
            self.where,
            f"answered {status}, {one_line(said)}" if said.strip() else f"answered {status}",
            remedy,
            code=code,
            retryable=status in _MAY_PASS,
            retry_after=retry_after,
        )


class _Connection(HTTPConnection):
    """Gives up soon where nobody is there; what follows has all the time that is left."""

    def connect(self) -> None:
        self.socket = _connect(self, super().connect)


class _EncryptedConnection(HTTPSConnection):
    def connect(self) -> None:
        self.socket = _connect(self, super().connect)


def _connect(connection: HTTPConnection, connect: Callable[[], None]) -> socket.socket:
    left = connection.timeout
    connection.timeout = _CONNECT_SECONDS if left is None else min(left, _CONNECT_SECONDS)
    try:
        connect()
    except (ConnectTimeoutError, TimeoutError) as error:  # the one before, the other in TLS's handshake
        if not isinstance(_reason(error), TimeoutError):
            raise
        raise ConnectTimeoutError(f"no connection within {connection.timeout:.1f} s") from None
    connection.timeout = left
    # Kept, because a response that ends the connection takes the socket along.
    sock: socket.socket = connection.sock
    sock.settimeout(left)
    return sock


def _content(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    chunks = []
    # A chunk at a time, or a server that sends a byte now and then would never run out of time.
    while chunk := response.read1(_CHUNK):
        chunks.append(chunk)
        connection = response.connection  # None once all is read, and the next request may have it
        if isinstance(connection, _Connection | _EncryptedConnection):
            try:
                connection.socket.settimeout(_left(deadline))
            except TimeoutError:
                response.close()
                raise
    return b"".join(chunks)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: Exception) -> BaseException:
    """What Python raised, under what urllib3 made of it."""
    if isinstance(error, ProtocolError | SSLError) and isinstance(error.args[-1], Exception):
        return error.args[-1]
    return error.__cause__ or error

"""HTTP requests to one server, over connections that are kept open, each within a time limit.

`http.client` is enough for one server: what a library would add is the pool below, and none lets the
limit cover sending a large body, waiting and reading together.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import suppress

from keras_mir.client.address import Address

_CONNECT_SECONDS = 5.0  # a host that is up answers sooner; one that is not is tried again
_CHUNK = 2**16


class Connections:
    """Threads may share it.

    Args:
        address: Of the server; certificates are checked if it is encrypted.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._tls = ssl.create_default_context() if address.encrypted else None
        self._idle: list[http.client.HTTPConnection] = []  # appending and popping are atomic

    def request(self, method: str, path: str, body: bytes | None, seconds: float) -> tuple[int, bytes]:
        """Send a request and read all of its answer.

        It may be sent twice, if the server has closed a connection that rested.

        Returns:
            The status and the body.

        Raises:
            TimeoutError: If it took too long.
            OSError: If the server cannot be reached, or the connection broke.
            http.client.HTTPException: If it broke within the answer, or that is not HTTP.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                connection, rested = self._idle.pop(), True
            except IndexError:
                connection, rested = self._connect(deadline), False
            try:
                return self._exchange(connection, method, path, body, deadline)
            except ConnectionError:
                if not rested:
                    raise

    def close(self) -> None:
        """Close the connections that rest."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        seconds = min(_left(deadline), _CONNECT_SECONDS)
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=seconds)
        try:
            connection.connect()
        except TimeoutError:
            connection.close()
            raise ConnectionAbortedError(f"no connection within {seconds:.1f} s") from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        deadline: float,
    ) -> tuple[int, bytes]:
        try:
            # Kept, because a response that ends the connection takes the socket along.
            sock: socket.socket = connection.sock
            sock.settimeout(_left(deadline))
            headers = {} if body is None else {"Content-Type": "application/json"}
            # A server that refuses a large body may hang up before it has all of it, and have said why.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers)
            sock.settimeout(_left(deadline))
            response = connection.getresponse()
            content = _read(response, sock, deadline)
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return response.status, content


def _read(response: http.client.HTTPResponse, sock: socket.socket, deadline: float) -> bytes:
    chunks = []
    # A chunk at a time, or a server that sends a byte now and then would never run out of time.
    while chunk := response.read1(_CHUNK):
        chunks.append(chunk)
        sock.settimeout(_left(deadline))
    if response.length:
        raise http.client.IncompleteRead(b"".join(chunks), response.length)
    response.close()
    return b"".join(chunks)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left

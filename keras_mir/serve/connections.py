"""Connections of the local server: bounded in number, and closed where a request does not come."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 256  # a process may have 1,024 files open, as a rule
HEAD_SECONDS = 10.0  # for a request's first line and headers to arrive


class Connection(H11Protocol):
    """uvicorn's, which waits for a request's headers for ever, and takes any number of connections."""

    _head_due: asyncio.TimerHandle | None = None
    _began = 0.0  # when it began to wait for the request that it is at

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()
        others: Any = [other for other in self.connections - {self} if not other.transport.is_closing()]
        if len(others) >= MOST_CONNECTIONS:
            # Who has been sending a request for the longest time makes room; then who is being answered.
            min(others, key=lambda other: (other.is_answered, other._began)).transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head_due is None:  # the next request of a connection that was kept
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def is_answered(self) -> bool:
        """Whether all of a request is here."""
        return bool(self.conn.their_state not in (h11.IDLE, h11.SEND_BODY))

    def _wait_for_head(self) -> None:
        self._began = self.loop.time()
        self._head_due = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

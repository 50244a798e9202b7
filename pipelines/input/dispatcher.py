"""Ask after a tf.data service and its workers; without TensorFlow, which waits for hours."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Literal

from pipelines.errors import ArgumentError

_SECONDS = 5.0  # to wait for an answer


def workers_of(target: str, argument: str = "data_service") -> list[str]:
    """The addresses of a dispatcher's workers, those that have died too.

    Args:
        target: `grpc://host:port` of the dispatcher.
        argument: What the user gave it as, for messages.

    Raises:
        ArgumentError: If the address is malformed, or no dispatcher answers there.
    """
    import grpc

    # From TensorFlow's dispatcher.proto, which has no Python of its own.
    with grpc.insecure_channel(address_of(target, argument)) as channel:
        ask = channel.unary_unary("/tensorflow.data.DispatcherService/GetWorkers")
        try:
            answer = bytes(ask(b"", timeout=_SECONDS))
        except grpc.RpcError:
            raise ArgumentError(
                argument,
                target,
                "no tf.data service answers there; start one with python -m keras_mir.data_service",
            ) from None
    # message GetWorkersResponse { repeated WorkerInfo workers = 1; }
    # message WorkerInfo { string address = 1; }
    return [str(address, "utf-8") for worker in _first_fields(answer) for address in _first_fields(worker)]


def _first_fields(message: bytes) -> Iterator[bytes]:
    """The values of field 1, bytes shorter than 128, of a message that has no other fields."""
    while message:
        length = message[1]
        yield message[2 : 2 + length]
        message = message[2 + length :]


def worker_state(address: str) -> Literal["answers", "gone", "mute"]:
    """How a worker at `host:port` is: mute if it is there, takes a connection, and says nothing."""
    import grpc

    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except OSError:
        return "gone"
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_SECONDS)
        except grpc.FutureTimeoutError:
            return "mute"
    return "answers"


def address_of(target: str, argument: str) -> str:
    """`host:port` of `grpc://host:port`.

    Raises:
        ArgumentError: If it is not of that form.
    """
    found = re.fullmatch(r"grpc://([^/\s:]+:\d+|\[[^/\s]+\]:\d+)/?", target)
    if not found:
        raise ArgumentError(argument, target, "give the address as grpc://HOST:PORT")
    return found[1]

"""Work on examples in the workers of a tf.data service, and get them back in order.

A service hands every example to whichever worker is free, so they come back in any order, and
those a worker was busy with when it died do not come at all. Therefore examples are numbered;
the numbers put them back in order, and an example that does not come is read here. What a model
sees is the same whatever the number of workers, and none is ever left out.

TensorFlow, which waits for hours for a service that is not there, is imported only to work with one
that was seen to answer.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from pipelines.errors import ArgumentError, UserError, reason_of

if TYPE_CHECKING:
    import tensorflow as tf

    from pipelines.input.order import Load

_LOOKS = 10  # in vain, before a service counts as lost
_SECONDS = 5.0  # to wait for an answer


class DataService:
    """A tf.data service that was seen to answer.

    Attributes:
        target: Where it is, `grpc://host:port`.
    """

    def __init__(self, target: str) -> None:
        import tensorflow as tf

        self.target = target
        with tf.device("CPU:0"):
            self._read_here = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def read_here(self) -> int:
        """Examples so far that did not come from the service and were read in this process."""
        return int(self._read_here.numpy())

    def map(self, numbers: range, load: Load) -> tf.data.Dataset:
        """Load examples in the service's workers.

        Args:
            numbers: Numbers of the examples, without gaps.
            load: From a number, int64, to tensors whose types and ranks do not depend on it. Runs
                in other processes, on other machines: in the graph, with the files it names there.

        Returns:
            The examples in the order of their numbers: the same as `Dataset.map` gives.

        Raises:
            ArgumentError: If the service does not take the work.
        """
        import tensorflow as tf

        from pipelines.input.order import WINDOW, empty_example, in_order

        nothing = empty_example(tf.data.Dataset.range(0).map(load).element_spec)

        def load_numbered(number: tf.Tensor) -> tuple[tf.Tensor, Any]:
            return number, tf.cond(number < numbers.stop, lambda: load(number), lambda: nothing)

        # Empty examples follow the last one. When they come and it has not, it is lost, which the end of
        # the stream does not tell: TensorFlow waits there for workers that have died to come back.
        numbered = tf.data.Dataset.range(numbers.start, numbers.stop + 2 * WINDOW).map(
            load_numbered, tf.data.AUTOTUNE
        )
        # What a worker fails at is read here and so fails here, in its place and with its message.
        numbered = numbered.ignore_errors()
        service = tf.data.experimental.service
        try:
            arriving = numbered.apply(service.distribute(service.ShardingPolicy.DYNAMIC, self.target))
        except tf.errors.OpError as error:
            problem = f"it refuses the work: {reason_of(error)}"
            raise ArgumentError("data_service", self.target, problem) from None

        def load_here(number: tf.Tensor) -> Any:
            self._read_here.assign_add(1)
            return load(number)

        return in_order(arriving, numbers, load_here)

    @contextlib.contextmanager
    def watched(self, lost: Callable[[str], object], pause: float = 3.0) -> Iterator[None]:
        """Look after the service while it is worked with.

        TensorFlow waits for a service that is gone, deaf even to Ctrl-C; so another thread looks.
        Workers that have died are none of its business as long as one is left; one that is there
        and does not answer is, because the dispatcher waits for it whenever a stream begins.

        Args:
            lost: Called once, in that thread, with a message when the service has not been well
                for ten looks on end; it, or a worker, may be starting again.
            pause: Between looks, in seconds.
        """
        stop = threading.Event()

        def look() -> None:
            in_vain = 0
            while not stop.wait(pause):
                trouble = self._trouble()
                in_vain = in_vain + 1 if trouble else 0
                if in_vain == _LOOKS:
                    lost(f"tf.data service {self.target}: {trouble}")
                    return

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _trouble(self) -> str:
        try:
            workers = workers_of(self.target)
        except UserError:
            return "its dispatcher does not answer any more"
        states = {worker: worker_state(worker) for worker in workers}
        mute = [worker for worker, state in states.items() if state == "mute"]
        if mute:
            return f"its worker {mute[0]} does not answer any more"
        return "" if "answers" in states.values() else "none of its workers is there any more"


def connect(target: str) -> DataService:
    """Make sure that a service answers, and has workers.

    TensorFlow itself waits for a service for an hour, and for workers for ever.

    Args:
        target: `grpc://host:port` of its dispatcher.

    Raises:
        ArgumentError: If it does not answer, or has no workers.
    """
    if not workers_of(target):
        remedy = f"start one with python -m keras_mir.data_service --expose --join {target}"
        raise ArgumentError("data_service", target, f"it has no workers; {remedy}")
    return DataService(target)


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
                "no tf.data service answers there; start one with python -m keras_mir.data_service --expose",
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

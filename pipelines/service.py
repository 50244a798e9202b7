"""Work on examples in the workers of a tf.data service, and get them back in order.

A service hands every example to whichever worker is free, so they come back in any order, and
those a worker was busy with when it died do not come at all. Therefore examples are numbered;
the numbers put them back in order, and an example that does not come is read here. What a model
sees is the same whatever the number of workers, and none is ever left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipelines.errors import UserError

Load = Callable[[tf.Tensor], Any]  # number of an example -> its tensors

# How far ahead of an overdue example others may be, and how many are held back: more than all
# workers have in hand at a time. It is what tells an example that comes late from one that is lost.
_WINDOW = 256
_SECONDS = 5.0  # to wait for an answer

# Whose turn it is; the number that waits in each place of the ring, or -1; a ring for each tensor.
_State = tuple[tf.Tensor, tf.Tensor, tuple[tf.Tensor, ...]]


class DataService:
    """A tf.data service that was seen to answer.

    Attributes:
        target: Where it is, ``grpc://host:port``.
    """

    def __init__(self, target: str) -> None:
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
            numbers: Of the examples, without gaps.
            load: From a number, int64, to tensors whose types and ranks do not depend on it. Runs
                in other processes, on other machines: in the graph, with the files it names there.

        Returns:
            The examples in the order of their numbers: the same as ``Dataset.map`` gives.

        Raises:
            UserError: If the service does not take the work.
        """
        numbered = tf.data.Dataset.range(numbers.start, numbers.stop).map(
            lambda number: (number, load(number)), tf.data.AUTOTUNE
        )
        # What a worker fails at is read here and so fails here, in its place and with its message.
        numbered = numbered.ignore_errors()
        service = tf.data.experimental.service
        try:
            arriving = numbered.apply(service.distribute(service.ShardingPolicy.DYNAMIC, self.target))
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0]
            raise UserError(f"--data-service {self.target}: it refuses the work: {reason}") from None

        def load_here(number: tf.Tensor) -> Any:
            self._read_here.assign_add(1)
            return load(number)

        return in_order(arriving, numbers, load_here)


def connect(target: str) -> DataService:
    """Make sure that a service answers, and has workers.

    TensorFlow itself waits for a service for an hour, and for workers for ever.

    Args:
        target: ``grpc://host:port`` of its dispatcher.

    Raises:
        UserError: If it does not answer, or has no workers.
    """
    if not ask_dispatcher(target, "GetWorkers", "--data-service"):
        raise UserError(
            f"--data-service {target}: it has no workers; start some with --workers, or --join it"
        )
    return DataService(target)


def ask_dispatcher(target: str, method: str, option: str) -> bytes:
    """The answer of a dispatcher to a request without content, as it came.

    Args:
        target: ``grpc://host:port``.
        method: Of ``tensorflow.data.DispatcherService`` (TensorFlow's dispatcher.proto).
        option: The user's, for the message.

    Raises:
        UserError: If the address is malformed, or no dispatcher answers there.
    """
    import grpc

    address = split_target(target, option)
    with grpc.insecure_channel(address) as channel:
        try:
            answer = channel.unary_unary(f"/tensorflow.data.DispatcherService/{method}")(
                b"", timeout=_SECONDS
            )
        except grpc.RpcError:
            raise UserError(
                f"{option} {target}: no tf.data service answers there; "
                f"start one with python -m keras_mir.data_service"
            ) from None
    return bytes(answer)


def split_target(target: str, option: str) -> str:
    """``host:port`` of ``grpc://host:port``.

    Raises:
        UserError: If it is not of that form.
    """
    found = re.fullmatch(r"grpc://([^/\s:]+:\d+|\[[^/\s]+\]:\d+)/?", target)
    if not found:
        raise UserError(f"{option} {target}: give the address as grpc://HOST:PORT")
    return found[1]


@dataclass(frozen=True)
class _Ring:
    """Places for tensors of one kind, as a tensor: a ``tf.TensorArray`` is none outside of a graph."""

    spec: tf.TensorSpec

    @property
    def shape(self) -> tf.Tensor:
        return tf.constant([-1 if size is None else size for size in self.spec.shape], tf.int32)

    def empty(self) -> tf.Tensor:
        return tf.raw_ops.TensorListReserve(
            element_shape=self.shape, num_elements=_WINDOW + 1, element_dtype=self.spec.dtype
        )

    def put(self, held: tf.Tensor, place: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.TensorListSetItem(input_handle=held, index=place, item=value)

    def get(self, held: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        value = tf.raw_ops.TensorListGetItem(
            input_handle=held, index=place, element_shape=self.shape, element_dtype=self.spec.dtype
        )
        return tf.ensure_shape(value, self.spec.shape)

    def nothing(self) -> tf.Tensor:
        return tf.zeros([size or 0 for size in self.spec.shape], self.spec.dtype)


def in_order(arriving: tf.data.Dataset, numbers: range, load: Load) -> tf.data.Dataset:
    """Put numbered examples back in order, and fill in those that are missing.

    Those that are ahead of their turn wait in a ring. One that is still missing when another
    arrives that is a whole ring ahead, or when no more come, is loaded; should it come after all,
    it is dropped. The ring is a state of ``Dataset.scan``: what it holds are references, so nothing
    is copied, and each arrival gives a data set of those whose turn it is now.

    Args:
        arriving: Pairs of a number and an example, each number at most once.
        numbers: Of all examples.
        load: Gives the example of a number that is missing.

    Returns:
        The examples, one for each of ``numbers``.
    """
    spec = arriving.element_spec[1]
    rings = [_Ring(part) for part in tf.nest.flatten(spec)]

    @tf.autograph.experimental.do_not_convert
    def arrive(state: _State, arrived: tuple[tf.Tensor, Any]) -> tuple[_State, tf.data.Dataset]:
        turn, waiting, held = state
        number, example = arrived

        def give(due: tf.Tensor) -> Any:
            place = tf.cast(due % _WINDOW, tf.int32)

            def held_back() -> Any:
                parts = [ring.get(part, place) for ring, part in zip(rings, held, strict=True)]
                return tf.nest.pack_sequence_as(spec, parts)

            return tf.cond(tf.equal(waiting[place], due), held_back, lambda: load(due))

        overdue = tf.maximum(turn, number - _WINDOW + 1)  # what comes before it is due, there or not
        # A number whose turn is over goes to the place behind the ring, where nobody looks.
        place = tf.where(number < turn, _WINDOW, tf.cast(number % _WINDOW, tf.int32))
        now_waiting = tf.tensor_scatter_nd_update(waiting, [[place]], [number])
        now_held = tuple(
            ring.put(part, place, value)
            for ring, part, value in zip(rings, held, tf.nest.flatten(example), strict=True)
        )
        ahead = overdue + tf.range(_WINDOW, dtype=tf.int64)
        there = tf.equal(tf.gather(now_waiting, ahead % _WINDOW), ahead)
        end = overdue + tf.reduce_sum(tf.math.cumprod(tf.cast(there, tf.int64)))
        given = tf.data.Dataset.range(turn, end).map(
            lambda due: tf.cond(tf.equal(due, number), lambda: example, lambda: give(due))
        )
        return (end, now_waiting, now_held), given

    start: _State = (
        tf.constant(numbers.start, tf.int64),
        tf.fill([_WINDOW + 1], tf.constant(-1, tf.int64)),
        tuple(ring.empty() for ring in rings),
    )
    # A last arrival, a whole ring past the end, brings out all that are still waited for.
    past_the_end = tf.constant(numbers.stop + _WINDOW - 1, tf.int64)
    nothing = tf.nest.pack_sequence_as(spec, [ring.nothing() for ring in rings])
    arriving = arriving.take(len(numbers)).concatenate(tf.data.Dataset.from_tensors((past_the_end, nothing)))
    return arriving.scan(start, arrive).flat_map(lambda given: given)


def read_in_turn(
    examples: tf.data.Dataset, use: Callable[[Callable[[], Any]], tf.data.Dataset]
) -> tf.data.Dataset:
    """Let nested data sets read one stream in turn, each from where the last one stopped.

    Args:
        examples: The stream; it is begun anew for each iteration of the result.
        use: Makes a data set with a function that gives the next example of the stream.
    """

    def begin(_: tf.Tensor) -> tf.data.Dataset:
        stream = iter(examples)
        return use(lambda *_: stream.get_next())

    return tf.data.Dataset.from_tensors(0).flat_map(begin)

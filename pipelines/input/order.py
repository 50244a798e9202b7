"""Numbered examples that arrive in any order, put back in order in the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

Load = Callable[[tf.Tensor], Any]  # number of an example -> its tensors

# How far ahead of an overdue example others may be, and how many are held back: more than all
# workers have in hand at a time. It is what tells an example that comes late from one that is lost.
WINDOW = 256

# Whose turn it is; the number that waits in each place of the ring, or -1; a ring for each tensor.
_State = tuple[tf.Tensor, tf.Tensor, tuple[tf.Tensor, ...]]


def in_order(arriving: tf.data.Dataset, numbers: range, load: Load) -> tf.data.Dataset:
    """Put numbered examples back in order, and fill in those that are missing.

    Those that are ahead of their turn wait in a ring. One that is still missing when another
    arrives that is a whole ring ahead, or when no more come, is loaded; should it come after all,
    it is dropped. The ring is a state of `Dataset.scan`: what it holds are references, so nothing
    is copied, and each arrival gives a data set of those whose turn it is now.

    Args:
        arriving: Pairs of a number and an example, each number at most once. Numbers past the end
            are taken as a sign that those before them are overdue, and dropped.
        numbers: Numbers of all examples.
        load: Gives the example of a number that is missing.

    Returns:
        The examples, one for each of `numbers`.
    """
    spec = arriving.element_spec[1]
    rings = [_Ring(part) for part in tf.nest.flatten(spec)]

    @tf.autograph.experimental.do_not_convert
    def arrive(
        state: _State, arrived: tuple[tf.Tensor, Any]
    ) -> tuple[_State, tuple[tf.Tensor, tf.data.Dataset]]:
        turn, waiting, held = state
        number, example = arrived

        def give(due: tf.Tensor) -> Any:
            place = tf.cast(due % WINDOW, tf.int32)

            def held_back() -> Any:
                parts = [ring.get(part, place) for ring, part in zip(rings, held, strict=True)]
                return tf.nest.pack_sequence_as(spec, parts)

            return tf.cond(tf.equal(waiting[place], due), held_back, lambda: load(due))

        overdue = tf.maximum(turn, number - WINDOW + 1)  # what comes before it is due, there or not
        # A number whose turn is over goes to the place behind the ring, where nobody looks.
        place = tf.where(number < turn, WINDOW, tf.cast(number % WINDOW, tf.int32))
        now_waiting = tf.tensor_scatter_nd_update(waiting, [[place]], [number])
        now_held = tuple(
            ring.put(part, place, value)
            for ring, part, value in zip(rings, held, tf.nest.flatten(example), strict=True)
        )
        ahead = overdue + tf.range(WINDOW, dtype=tf.int64)
        there = tf.equal(tf.gather(now_waiting, ahead % WINDOW), ahead)
        run = tf.reduce_sum(tf.math.cumprod(tf.cast(there, tf.int64)))
        end = tf.minimum(overdue + run, numbers.stop)
        given = tf.data.Dataset.range(turn, end).map(
            lambda due: tf.cond(tf.equal(due, number), lambda: example, lambda: give(due))
        )
        return (end, now_waiting, now_held), (turn, given)

    start: _State = (
        tf.constant(numbers.start, tf.int64),
        tf.fill([WINDOW + 1], tf.constant(-1, tf.int64)),
        tuple(ring.empty() for ring in rings),
    )
    # Should the stream end, a last arrival, a whole ring past the end, brings out all that are still
    # waited for. As a rule all have come out before, and nobody waits for the end of the stream, which
    # comes when the last worker has said so.
    past_the_end = tf.constant(numbers.stop + WINDOW - 1, tf.int64)
    last = tf.data.Dataset.from_tensors((past_the_end, empty_example(spec)))
    arriving = arriving.concatenate(last)
    given = arriving.scan(start, arrive).take_while(lambda turn, _: turn < numbers.stop)
    return given.flat_map(lambda _, given: given).take(len(numbers))


def empty_example(spec: Any) -> Any:
    """Zeros of the given types and shapes, with none where a size is not given."""
    return tf.nest.map_structure(lambda part: tf.zeros([size or 0 for size in part.shape], part.dtype), spec)


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


@dataclass(frozen=True)
class _Ring:
    """Places for tensors of one kind, as a tensor: a `tf.TensorArray` is none outside of a graph."""

    spec: tf.TensorSpec

    @property
    def shape(self) -> tf.Tensor:
        return tf.constant([-1 if size is None else size for size in self.spec.shape], tf.int32)

    def empty(self) -> tf.Tensor:
        return tf.raw_ops.TensorListReserve(
            element_shape=self.shape, num_elements=WINDOW + 1, element_dtype=self.spec.dtype
        )

    def put(self, held: tf.Tensor, place: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.TensorListSetItem(input_handle=held, index=place, item=value)

    def get(self, held: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        value = tf.raw_ops.TensorListGetItem(
            input_handle=held, index=place, element_shape=self.shape, element_dtype=self.spec.dtype
        )
        return tf.ensure_shape(value, self.spec.shape)

"""Run a function over many items in worker processes, any of which may die alone.

A decoder in C can bring its process down on one damaged file, or eat all memory; a process pool
then gives up on everything. Here the item in hand is reported and a new process goes on.
"""

from __future__ import annotations

import selectors
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, Self, TypeVar

from pipelines.processes import Child, Died

Item = TypeVar("Item")
Result = TypeVar("Result")

# One process a core is the parallelism; threads on top of it only get in each other's way.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Workers(Generic[Item, Result]):
    """So many of these processes; leaving the context ends them at once.

    Args:
        function: A module's function, or a `functools.partial` of one.
        jobs: Number of processes.
    """

    def __init__(self, function: Callable[[Item], Result], jobs: int) -> None:
        self._function, self._jobs = function, jobs
        self._idle: list[Child] = []
        self._in_hand: dict[Child, Item] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in (*self._idle, *self._in_hand):
            child.stop()

    def start(self, most: int, item: Item) -> list[Result | Died]:
        """Start all, or so many, and call the function in each on the same item, for what it loads."""
        children = [self._new() for _ in range(min(self._jobs, most))]
        self._idle += children
        for child in children:
            child.send(item)
        answers = [child.receive() for child in children]
        for child, answer in zip(children, answers, strict=True):
            if isinstance(answer, Died):
                self._idle.remove(child)
                child.stop()
        return answers

    def map(self, items: Sequence[Item]) -> Generator[tuple[Item, Result | Died], None, None]:
        """Call the function on every item; pairs come as they are finished, in any order.

        Args:
            items: The function's arguments; these and the results are pickled.
        """
        waiting = deque(items)
        with selectors.DefaultSelector() as selector:

            def start() -> None:
                if waiting:
                    child = self._idle.pop() if self._idle else self._new()
                    selector.register(child.answers, selectors.EVENT_READ, child)
                    give(child)

            def give(child: Child) -> None:
                self._in_hand[child] = waiting.popleft()
                child.send(self._in_hand[child])

            for _ in range(min(self._jobs, len(items))):
                start()
            while self._in_hand:
                for key, _ in selector.select():
                    child: Child = key.data
                    result = child.receive()
                    yield self._in_hand[child], result
                    if isinstance(result, Died) or not waiting:
                        selector.unregister(child.answers)
                        child.stop()
                        del self._in_hand[child]
                        start()
                    else:
                        give(child)

    def _new(self) -> Child:
        return Child.applying(self._function, **_ONE_THREAD)


def map_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Generator[tuple[Item, Result | Died], None, None]:
    """Call `function` on every item, as `Workers` do; closing the iterator ends the processes at once."""
    with Workers(function, jobs) as workers:
        yield from workers.map(items)


class Worker(Generic[Item, Result]):
    """One such process, kept for items that come one by one; it starts with the first.

    Args:
        function: As of `map_in_processes`.
    """

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._function = function
        self._child: Child | None = None

    def apply(self, item: Item) -> Result | Died:
        """Call the function on an item; the process that dies of it is replaced at the next."""
        child = self._child = self._child or Child.applying(self._function, **_ONE_THREAD)
        child.send(item)
        result: Any = child.receive()
        if isinstance(result, Died):
            self.stop()
        return result

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._child is not None:
            self._child.stop()
            self._child = None

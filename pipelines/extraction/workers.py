"""Run a function over many items in worker processes, any of which may die alone.

A decoder in C can bring its process down on one damaged file, or eat all memory; a process pool
then gives up on everything. Here the item in hand is reported and a new process goes on.
"""

from __future__ import annotations

import selectors
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, TypeVar

from pipelines.processes import Child, Died

Item = TypeVar("Item")
Result = TypeVar("Result")

# One process a core is the parallelism; threads on top of it only get in each other's way.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def map_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Generator[tuple[Item, Result | Died], None, None]:
    """Call `function` on every item; pairs come as they are finished, in any order.

    Closing the iterator, or an exception such as Ctrl-C's, ends the processes at once.

    Args:
        function: A module's function, or a `functools.partial` of one.
        items: Its arguments; these and the results are pickled.
        jobs: Number of processes.
    """
    waiting = deque(items)
    in_hand: dict[Child, Item] = {}
    try:
        with selectors.DefaultSelector() as selector:

            def start() -> None:
                if waiting:
                    child = Child.applying(function, **_ONE_THREAD)
                    in_hand[child] = waiting.popleft()
                    selector.register(child.answers, selectors.EVENT_READ, child)
                    child.send(in_hand[child])

            for _ in range(min(jobs, len(items))):
                start()
            while in_hand:
                for key, _ in selector.select():
                    child: Child = key.data
                    result = child.receive()
                    yield in_hand[child], result
                    if isinstance(result, Died) or not waiting:
                        selector.unregister(child.answers)
                        child.stop()
                        del in_hand[child]
                        start()
                    else:
                        in_hand[child] = waiting.popleft()
                        child.send(in_hand[child])
    finally:
        for child in in_hand:
            child.stop()


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

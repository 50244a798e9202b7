"""Worker processes: results, deaths and clean ends."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
from contextlib import closing

from pipelines.extraction.workers import Worker, Workers, map_in_processes
from pipelines.processes import Died


def children() -> str:
    """The live children of this process, one line each."""
    listing = subprocess.run(["ps", "-eo", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    return "\n".join(
        line for line in listing.splitlines() if line.split()[0] == str(os.getpid()) and "processes" in line
    )


def test_every_item_gets_its_result() -> None:
    assert dict(map_in_processes(operator.neg, range(7), jobs=3)) == {item: -item for item in range(7)}
    assert children() == ""


def test_more_jobs_than_items_and_no_items() -> None:
    assert list(map_in_processes(operator.neg, [1], jobs=10**30)) == [(1, -1)]
    assert list(map_in_processes(operator.neg, [], jobs=4)) == []


def test_a_process_that_dies_costs_only_its_item() -> None:
    results = list(map_in_processes(signal.raise_signal, [0, 0, signal.SIGKILL, 0, 0], jobs=2))
    assert len(results) == 5
    assert (signal.SIGKILL, Died("its process ended with status -9 (killed)")) in results
    assert results.count((0, None)) == 4


def test_an_exception_is_reported_by_its_last_line() -> None:
    results = dict(map_in_processes(int, ["1", "x", "2"], jobs=1))
    assert results == {"1": 1, "2": 2, "x": Died("ValueError: invalid literal for int() with base 10: 'x'")}


def test_closing_early_leaves_no_process() -> None:
    with closing(map_in_processes(operator.neg, range(50), jobs=2)) as results:
        next(results)
        assert children() != ""
    assert children() == ""


def test_all_are_ready_before_there_is_work():
    this = "__import__('os').getpid()"
    with Workers(eval, jobs=2) as workers:
        ready = workers.start(9, this)
        assert len(set(ready)) == 2
        assert {pid for _, pid in workers.map([this] * 5)} <= set(ready)
        assert workers.start(1, "1 + 1") == [2]
        assert children() != ""
    assert children() == ""


def test_one_that_dies_getting_ready_says_so():
    with Workers(int, jobs=2) as workers:
        died = Died("ValueError: invalid literal for int() with base 10: 'x'")
        assert workers.start(2, "x") == [died, died]
        assert dict(workers.map(["1", "2", "3"])) == {"1": 1, "2": 2, "3": 3}


def test_one_worker_keeps_what_it_has_until_it_dies():
    worker = Worker(eval)
    assert [worker.apply("__import__('os').getpid()") == worker.apply("__import__('os').getpid()")] == [True]
    assert worker.apply("__import__('os').kill(__import__('os').getpid(), 9)") == Died(
        "its process ended with status -9 (killed)"
    )
    assert worker.apply("1 + 1") == 2
    worker.stop()
    assert children() == ""

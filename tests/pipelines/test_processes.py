"""A process of ours: what it says of its end, and that it ends."""

from __future__ import annotations

import operator
import time

from pipelines.processes import Child, Died


def test_an_answer_has_its_time() -> None:
    with Child.applying(operator.neg) as child:
        assert child.call(3, seconds=60) == -3
        assert child.ended() is None
    started = time.monotonic()
    with Child.applying(time.sleep) as child:
        assert child.call(600, seconds=0.5) == Died("no answer in 0.5 s")
    assert time.monotonic() - started < 60


def test_a_program_of_its_own_that_fails_says_why_in_one_line() -> None:
    with Child("-c", "import os; raise ValueError(os.environ['WHY'])", WHY="no reason") as child:
        assert child.receive() == Died("ValueError: no reason")
        assert child.ended() == "ValueError: no reason"
    with Child("-c", "raise SystemExit(3)") as child:
        assert child.call(bytes(10**7), seconds=60) == Died("its process ended with status 3")

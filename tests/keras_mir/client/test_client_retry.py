"""Backoff under a deadline, on a clock of its own."""

import pytest

from keras_mir.client.errors import Code, Retry, ServingError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def failing(clock: Clock, seconds: float = 0.0, *, retryable: bool = True):
    """An attempt that takes so long to fail, and the time that each was given."""
    given: list[float] = []

    def attempt(left: float) -> None:
        given.append(left)
        clock.now += seconds
        raise ServingError("here", "busy", "wait", code=Code.UNAVAILABLE, retryable=retryable)

    return attempt, given


def test_pauses_double_up_to_the_longest():
    clock = Clock()
    attempt, given = failing(clock)
    retry = Retry(retries=6, timeout=100, first_pause=1, longest_pause=8, sleep=clock.sleep, clock=clock)
    with pytest.raises(ServingError, match=r"^here: busy \(7 attempts\); wait$"):
        retry.call(attempt)
    assert len(given) == 7
    for pause, most in zip(clock.pauses, (1, 2, 4, 8, 8, 8), strict=True):
        assert most / 2 <= pause <= most
    assert len({pause / most for pause, most in zip(clock.pauses, (1, 2, 4, 8, 8, 8), strict=True)}) > 1


def test_the_deadline_is_for_all_attempts():
    clock = Clock()
    attempt, given = failing(clock, seconds=4)
    with pytest.raises(ServingError, match="2 attempts"):
        Retry(retries=9, timeout=9, first_pause=1, sleep=clock.sleep, clock=clock).call(attempt)
    assert given[0] == 9
    assert given[1] == pytest.approx(5 - clock.pauses[0])
    assert clock.now - 100 < 9


def test_what_will_not_pass_is_not_tried_again():
    clock = Clock()
    attempt, given = failing(clock, retryable=False)
    with pytest.raises(ServingError, match=r"^here: busy; wait$"):
        Retry(sleep=clock.sleep, clock=clock).call(attempt)
    assert len(given) == 1


def test_success_after_failures():
    clock = Clock()
    failures = iter([True, True, False])

    def attempt(_: float) -> str:
        if next(failures):
            raise ServingError("here", "busy", "wait", code=Code.UNAVAILABLE, retryable=True)
        return "done"

    assert Retry(sleep=clock.sleep, clock=clock).call(attempt) == "done"


def test_where_most_requests_fail_few_are_sent_again():
    clock = Clock()
    attempt, given = failing(clock)
    retry = Retry(sleep=clock.sleep, clock=clock)
    for _ in range(200):
        with pytest.raises(ServingError):
            retry.call(attempt)
    sent_again = len(given) - 200
    assert 25 <= sent_again <= 30  # a tenth of 200, and the 10 there were at first
    for _ in range(200):
        retry.call(lambda left: None)  # earns back the 10, and no more
    given.clear()
    for _ in range(10):
        with pytest.raises(ServingError):
            retry.call(attempt)
    assert len(given) - 10 == 10

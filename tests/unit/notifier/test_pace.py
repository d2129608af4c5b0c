"""Pace, circuit and retry times: pure values, so every case is a table or a property."""

from __future__ import annotations

from bisect import bisect_left
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from kernel.model.delivery import Outcome
from notifier.channels.base import Cause, Result
from notifier.pace import Limits, Pace, answered, jitter, next_attempt_at, taken, wait_ms

NOW = 1_763_870_000_000
BAD = Result(Outcome.RETRY, Cause.SERVER_ERROR)
GOOD = Result(Outcome.SENT, Cause.OK)


@given(st.integers(1, 300), st.lists(st.integers(1, 3_000), min_size=1, max_size=20))
def test_no_minute_sees_more_than_the_limit(per_minute: int, gaps: list[int]) -> None:
    limits, pace, now = Limits(per_minute), Pace(), NOW
    sent: list[int] = []
    for gap in cycle((*gaps, 500)):
        now += gap
        # Greedy, for more than two minutes: everything that may go now, goes now.
        while wait_ms(pace, limits, now) == 0:
            pace = taken(pace, limits, now)
            sent.append(now)
        if now > NOW + 130_000:
            break
    worst = max(bisect_left(sent, first + 60_000) - place for place, first in enumerate(sent))
    assert worst <= per_minute
    assert worst >= per_minute // 2, "a pace far below the limit would hold pages back for nothing"


@given(st.integers(1, 10_000), st.integers(0, 50))
def test_waiting_as_told_is_enough(per_minute: int, count: int) -> None:
    limits, pace, now = Limits(per_minute), Pace(), NOW
    for _ in range(count):
        wait = wait_ms(pace, limits, now)
        assert 0 <= wait <= 60_000
        now += wait
        assert wait_ms(pace, limits, now) == 0
        pace = taken(pace, limits, now)


def test_a_burst_goes_at_once_and_the_rest_is_paced() -> None:
    limits, pace = Limits(120), Pace()
    for _ in range(20):
        assert wait_ms(pace, limits, NOW) == 0
        pace = taken(pace, limits, NOW)
    assert 500 <= wait_ms(pace, limits, NOW) <= 700
    for _ in range(100):
        pace = taken(pace, limits, NOW)
    assert wait_ms(pace, limits, NOW - 3_600_000) <= 60_000, "a clock that steps back must not stop a target"


def test_the_circuit_opens_after_five_failures_in_a_row_within_a_minute() -> None:
    limits, pace = Limits(6_000), Pace()
    for i in range(4):
        pace = answered(pace, BAD, NOW + i)
        assert not pace.open
        assert wait_ms(pace, limits, NOW + i) == 0
    unknown = Result(Outcome.UNKNOWN, Cause.TIMEOUT)
    pace = answered(pace, unknown, NOW + 4)
    assert pace.open
    assert wait_ms(pace, limits, NOW + 4) == 15_000
    assert wait_ms(pace, limits, NOW + 15_003) == 1
    assert wait_ms(pace, limits, NOW + 15_004) == 0


def test_a_probe_goes_alone_and_decides() -> None:
    limits, pace = Limits(6_000), Pace()
    for _ in range(5):
        pace = answered(pace, BAD, NOW)
    probe = NOW + 15_000
    pace = taken(pace, limits, probe)
    assert wait_ms(pace, limits, probe) == 15_000, "a second delivery must not follow the probe"
    failed = answered(pace, BAD, probe + 100)
    assert failed.open
    assert wait_ms(failed, limits, probe + 15_000) == 0
    closed = answered(pace, GOOD, probe + 100)
    assert not closed.open
    assert wait_ms(closed, limits, probe + 100) == 0
    assert not answered(closed, BAD, probe + 200).open, "the row of failures starts anew"


def test_failures_that_are_not_in_a_row_or_not_within_a_minute_open_nothing() -> None:
    pace = Pace()
    for i in range(20):
        pace = answered(pace, BAD if i % 5 else GOOD, NOW + i)
        assert not pace.open
    pace = Pace()
    for i in range(20):
        pace = answered(pace, BAD, NOW + i * 16_000)
        assert not pace.open
    refused = Result(Outcome.FAILED, Cause.CLIENT_ERROR)
    pace = Pace()
    for i in range(20):
        pace = answered(pace, refused if i % 4 == 3 else BAD, NOW + i)
        assert not pace.open, "a target that refuses does answer"


def test_a_rate_limited_target_is_left_alone_as_long_as_it_asked() -> None:
    limits = Limits(6_000)
    pace = answered(Pace(), Result(Outcome.RETRY, Cause.RATE_LIMITED, retry_after_ms=7_000), NOW)
    assert wait_ms(pace, limits, NOW) == 7_000
    pace = answered(pace, Result(Outcome.RETRY, Cause.RATE_LIMITED, retry_after_ms=1_000), NOW + 1)
    assert wait_ms(pace, limits, NOW + 1) == 6_999, "a shorter wish does not shorten a longer one"
    assert wait_ms(pace, limits, NOW + 7_000) == 0


@given(st.integers(-3, 10_000), st.integers(0, 10_000_000), st.floats(0, 1, exclude_max=True))
def test_the_next_attempt_backs_off_within_bounds(attempt: int, retry_after: int, rand: float) -> None:
    wait = next_attempt_at(attempt, NOW, retry_after, rand) - NOW
    assert min(retry_after, 300_000) <= wait <= 301_000
    if retry_after == 0:
        assert wait <= min(60_000, 1_000 * 2 ** max(0, min(attempt - 1, 20)))


def test_jitter_is_derived_and_spread() -> None:
    assert jitter("s07-x", 1) == jitter("s07-x", 1)
    drawn = [jitter(f"s07-{i}", attempt) for i in range(200) for attempt in (1, 2, 3)]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= value < 1 for value in drawn)
    assert 0.45 < sum(drawn) / len(drawn) < 0.55
    waits = {next_attempt_at(3, NOW, 0, value) - NOW for value in drawn}
    assert min(waits) < 400
    assert max(waits) > 3_600

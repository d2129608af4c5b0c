"""When a target may be sent to: its pace, its circuit, and the time of the next attempt. Pure; times are milliseconds.

A target's `Pace` is a value: `wait_ms` reads it, `taken` and `answered` return the next one. It lives in memory only:
a new owner starts with a full bucket, so a target may see one burst more than its pace after a hand-over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from kernel.clock import Millis
from kernel.model.delivery import Outcome
from notifier.channels.base import Cause, Result

WINDOW_MS = 60_000
CIRCUIT_FAILURES = 5
PROBE_MS = 15_000
HOLD_CAP_MS = 300_000
BACKOFF_FIRST_MS = 1_000
BACKOFF_CAP_MS = 60_000
_SPREAD_MS = 1_000


@dataclass(frozen=True)
class Limits:
    """At most `per_minute` sends in any 60 s, of which `burst` may go at once."""

    per_minute: int

    @property
    def burst(self) -> int:
        """A sixth of a minute's sends, at least one."""
        return max(1, self.per_minute // 6)

    @property
    def interval_us(self) -> int:
        """µs in which one send is earned. The burst counts too: what it gives at once is missing from the rate."""
        rate = max(1, self.per_minute) - self.burst + 1
        return -(-WINDOW_MS * 1_000 // rate)


@dataclass(frozen=True)
class Pace:
    """The state of one target. `full_us` is when the bucket is full again; `failures` are times of the present row of
    failures; `probe_at` is set while the circuit is open; `held_until` is what the target asked for itself.
    """

    full_us: int = 0
    failures: tuple[Millis, ...] = ()
    probe_at: Millis | None = None
    held_until: Millis = 0

    @property
    def open(self) -> bool:
        """The circuit is open: only probes go; a page should take the fallback at once."""
        return self.probe_at is not None


def wait_ms(pace: Pace, limits: Limits, now_ms: Millis) -> int:
    """Milliseconds until one delivery may go; 0 is now.

    A clock that stepped back makes no wait longer than the rule behind it: 60 s, 5 min, 15 s.
    """
    bucket = -(-(pace.full_us - limits.interval_us * (limits.burst - 1) - now_ms * 1_000) // 1_000)
    waits = [min(bucket, WINDOW_MS), min(pace.held_until - now_ms, HOLD_CAP_MS)]
    if pace.probe_at is not None:
        waits.append(min(pace.probe_at - now_ms, PROBE_MS))
    return max(0, *waits)


def taken(pace: Pace, limits: Limits, now_ms: Millis) -> Pace:
    """The state after one delivery was let go at `now_ms`; with an open circuit it was the probe."""
    now_us = now_ms * 1_000
    # The bound keeps a clock that stepped back from filling the bucket with debt.
    debt = min(max(pace.full_us, now_us), now_us + limits.burst * limits.interval_us)
    return replace(
        pace,
        full_us=debt + limits.interval_us,
        probe_at=now_ms + PROBE_MS if pace.probe_at is not None else None,
    )


def answered(pace: Pace, result: Result, now_ms: Millis) -> Pace:
    """The state after an answer. `retry` and `unknown` are failures of the target; anything it decided closes the row.

    Five failures in a row within 60 s open the circuit; a probe that fails keeps it open.
    """
    if result.outcome not in (Outcome.RETRY, Outcome.UNKNOWN):
        return replace(pace, failures=(), probe_at=None)
    held = pace.held_until
    if result.reason is Cause.RATE_LIMITED:
        # The target asked its whole key or address to wait, not this delivery alone.
        held = max(held, now_ms + min(result.retry_after_ms, HOLD_CAP_MS))
    recent = tuple(at for at in pace.failures if now_ms - WINDOW_MS < at <= now_ms)[-(CIRCUIT_FAILURES - 1) :]
    failures = (*recent, now_ms)
    probe_at = pace.probe_at
    if probe_at is None and len(failures) >= CIRCUIT_FAILURES:
        probe_at = now_ms + PROBE_MS
    return replace(pace, failures=failures, probe_at=probe_at, held_until=held)


def jitter(delivery_id: str, attempt: int) -> float:
    """A number in [0, 1) that depends on the delivery and the attempt alone, so that a replay waits the same time."""
    raw = hashlib.blake2b(f"{delivery_id}/{attempt}".encode(), digest_size=8).digest()
    return (int.from_bytes(raw, "big") >> 11) / (1 << 53)


def next_attempt_at(attempt: int, now_ms: Millis, retry_after_ms: int, rand: float) -> Millis:
    """When to try again after `attempt` (the first is 1) ended at `now_ms`.

    Exponential back-off from 1 s to 60 s with full jitter (`rand` in [0, 1), see `jitter`), and never before what the
    target asked for; up to a second is added to that, so that not all come back in the same moment.
    """
    ceiling = min(BACKOFF_FIRST_MS << min(max(attempt - 1, 0), 16), BACKOFF_CAP_MS)
    wait = int(rand * ceiling)
    if retry_after_ms > 0:
        wait = max(wait, min(retry_after_ms, HOLD_CAP_MS) + int(rand * _SPREAD_MS))
    return now_ms + wait

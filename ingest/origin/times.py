"""The times that signatures carry, and the worst skew between a sender's clock and ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from kernel.clock import Millis
from kernel.telemetry.metrics import Metrics

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_BELOW: Final = 100_000_000_000  # the year 5138 in seconds, 1973 in milliseconds
_SPAN_MS: Final = 300_000


def seconds_or_iso(text: bytes) -> Millis | None:
    """Milliseconds since the epoch of digits (seconds, or milliseconds from 10^11) or RFC 3339 with a zone, else None.

    >>> seconds_or_iso(b"1531420618"), seconds_or_iso(b"2021-07-25T10:00:00Z")
    (1531420618000, 1627207200000)
    """
    if len(text) > 40:
        return None
    if text.isdigit():
        number = int(text)
        return number * 1000 if number < _SECONDS_BELOW else number
    try:
        moment = datetime.fromisoformat(text.decode("ascii"))
        if moment.tzinfo is None:
            return None
        since = moment - _EPOCH
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


class Skews:
    """The worst skew of each source in the last five to ten minutes, as a metric: the clock to set is its or ours."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._worst: dict[str, tuple[int, Millis, Millis]] = {}

    def saw(self, source: str, skew: Millis, now: Millis) -> None:
        """A proven sender's clock is `skew` milliseconds behind ours (ahead where negative)."""
        name, span = self._metrics.source(source), now // _SPAN_MS
        seen, worst, before = self._worst.get(name, (span, 0, 0))
        if seen != span:
            worst, before = 0, worst if seen == span - 1 else 0
        worst = max(worst, skew, key=abs)
        self._worst[name] = (span, worst, before)
        self._metrics.door_clock_skew_seconds.labels(name).set(max(worst, before, key=abs) / 1000)

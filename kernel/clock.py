"""The only place where the program asks what time it is.

Every decision takes time as an argument; workers get a `Clock` and pass what it says. Times are whole
milliseconds since the Unix epoch; `monotonic` is in seconds and never steps back.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

Millis = int


class Clock(Protocol):
    """What a worker may know of time."""

    def now_ms(self) -> Millis:
        """Wall time in milliseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never steps back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a test clock returns when it is moved past the moment."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> Millis:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def rfc3339(ms: Millis) -> str:
    """`1763870000000` as `2025-11-23T03:53:20Z`; milliseconds are shown only where there are any."""
    moment = datetime.fromtimestamp(ms / 1000, tz=UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms % 1000:03d}Z" if ms % 1000 else f"{text}Z"

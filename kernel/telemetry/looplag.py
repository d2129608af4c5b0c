"""How late the event loop wakes up: heartbeats to Kafka share it with the work."""

from __future__ import annotations

from kernel.clock import Clock
from kernel.telemetry.metrics import Metrics


async def measure_loop_lag(clock: Clock, metrics: Metrics, every: float = 0.25) -> None:
    """Sleep `every` seconds again and again and observe by how much each sleep was too long. Runs until cancelled."""
    while True:
        before = clock.monotonic()
        await clock.sleep(every)
        metrics.event_loop_lag_seconds.observe(max(0.0, clock.monotonic() - before - every))

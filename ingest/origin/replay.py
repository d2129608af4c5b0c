"""Deliveries that were taken already: known to all gateways through Redis, and to each by itself while that is away."""

from __future__ import annotations

from kernel.clock import Clock, Millis
from kernel.store.client import Store
from kernel.store.keys import Keys


class ReplayGuard:
    """Asked before a delivery is published, told after Kafka has acknowledged it: a crash between loses nothing."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def seen(self, source: str, replay: str) -> bool:
        """Whether this delivery of that source was taken before; False for the empty name."""
        raise NotImplementedError

    async def remember(self, source: str, replay: str, ms: Millis) -> None:
        """The delivery is on Kafka: answer it as taken for so many milliseconds. Nothing for the empty name."""
        raise NotImplementedError

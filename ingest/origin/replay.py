"""Deliveries that were taken already: known to all gateways through Redis, and to each by itself while that is away."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from kernel.clock import Clock, Millis
from kernel.store.client import Store, StoreUnavailable
from kernel.store.keys import Keys
from kernel.telemetry.metrics import Metrics

T = TypeVar("T")

REMEMBERED: Final = 20_000
WAIT_S: Final = 0.5
PAUSE_S: Final = 2.0


class ReplayGuard:
    """Asked before a delivery is published, told after Kafka has acknowledged it: a crash between loses nothing.

    A delivery may have several names, apart by a space: it was seen if any of them was. With Redis away the guard
    knows what came through this gateway, the newest 20,000 names, and `metrics` count that. A Redis that does not
    answer within half a second is left alone for two: vendors wait for three to five seconds in all.
    """

    def __init__(self, store: Store, keys: Keys, clock: Clock, metrics: Metrics | None = None) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._own: OrderedDict[str, Millis] = OrderedDict()
        self._away_until = 0.0

    async def seen(self, source: str, replay: str) -> bool:
        """Whether this delivery of that source was taken before; False for the empty name. Never raises."""
        keys = self._keys_of(source, replay)
        found = any(self._knows(key) for key in keys) or await self._shared(keys)
        if found and self._metrics is not None:
            self._metrics.door_replays_total.labels(self._metrics.source(source)).inc()
        return found

    async def remember(self, source: str, replay: str, ms: Millis) -> None:
        """The delivery is on Kafka: answer it as taken for so many milliseconds. Nothing for the empty name."""
        if ms <= 0:
            return
        for key in self._keys_of(source, replay):
            self._own[key] = self._clock.now_ms() + ms
            self._own.move_to_end(key)
            while len(self._own) > REMEMBERED:
                self._own.popitem(last=False)
            await self._asked("remember", self._store.put(key, b"", ms))

    def _keys_of(self, source: str, replay: str) -> list[str]:
        return [
            self._keys.seen(source, hashlib.blake2b(name.encode(), digest_size=16).hexdigest())
            for name in replay.split()
        ]

    def _knows(self, key: str) -> bool:
        until = self._own.get(key)
        if until is not None and until <= self._clock.now_ms():
            del self._own[key]
            return False
        return until is not None

    async def _shared(self, keys: list[str]) -> bool:
        for key in keys:
            if await self._asked("seen", self._store.get(key)) is not None:
                return True
        return False

    async def _asked(self, step: str, call: Coroutine[Any, Any, T]) -> T | None:
        """The store's answer, or None after counting that there was none."""
        if self._clock.monotonic() < self._away_until:
            call.close()
        else:
            try:
                async with asyncio.timeout(WAIT_S):
                    return await call
            except (StoreUnavailable, TimeoutError):
                self._away_until = self._clock.monotonic() + PAUSE_S
        if self._metrics is not None:
            self._metrics.door_replay_unshared_total.labels(step).inc()
        return None

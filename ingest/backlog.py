"""Holding back where the broker keeps little: how much of each shard's `signals` its owner has not taken yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from kernel.bus.publisher import Record
from kernel.clock import Clock
from kernel.store.client import Store
from kernel.store.keys import Keys

LOOK_AGAIN = 0.02


class Backlog:
    """Bytes published to each shard and not yet taken; `limit` None switches it off."""

    def __init__(self, store: Store, keys: Keys, clock: Clock, limit: int | None) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._limit = limit
        self._sent: dict[int, deque[tuple[int, int]]] = {}
        self._bytes: dict[int, int] = {}

    def sent(self, shard: int, offsets: Sequence[int], records: Sequence[Record]) -> None:
        """These records stand in `signals` now."""
        if self._limit is None:
            return
        queue = self._sent.setdefault(shard, deque())
        for offset, record in zip(offsets, records, strict=True):
            queue.append((offset, len(record.value)))
            self._bytes[shard] = self._bytes.get(shard, 0) + len(record.value)

    async def room(self, shard: int) -> None:
        """Return when less than the limit waits for the shard's owner."""
        if self._limit is None:
            return
        while self._bytes.get(shard, 0) > self._limit:
            taken = await self._store.hget(self._keys.correlator(shard, "chain"), "pos")
            if taken is not None:
                self._forget(shard, int(taken))
            if self._bytes.get(shard, 0) > self._limit:
                await self._clock.sleep(LOOK_AGAIN)

    def _forget(self, shard: int, position: int) -> None:
        queue = self._sent[shard]
        while queue and queue[0][0] <= position:
            self._bytes[shard] -= queue.popleft()[1]

"""What is known of each fingerprint: in memory first, then one look-up a shard and live bucket in Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ingest.decide import Mark, pack, unpack
from kernel.clock import Millis
from kernel.store.client import Store
from kernel.store.keys import Keys

MAX_KNOWN = 400_000


class Windows:
    """Marks of all shards this worker meets.

    A mark lies in the bucket of its lease's start, buckets are one lease long, so a mark whose lease still runs at
    `arrival` lies in the bucket of `arrival` or in the one before.
    """

    def __init__(self, store: Store, keys: Keys, lease: Callable[[], Millis]) -> None:
        self._store = store
        self._keys = keys
        self._lease = lease
        self._known: dict[str, Mark] = {}
        self.forgets = 0

    @property
    def lease(self) -> Millis:
        """The lease in force. Marks of another one are not found any more: their alerts go through in full once."""
        return self._lease()

    def get(self, fingerprint: str) -> Mark | None:
        """The mark in memory."""
        return self._known.get(fingerprint)

    def set(self, fingerprint: str, mark: Mark) -> None:
        """Remember a mark; forgets everything first where memory is full, which costs look-ups and refreshes only."""
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[fingerprint] = mark

    def drop(self, fingerprint: str) -> None:
        """Let go of one mark in memory."""
        self._known.pop(fingerprint, None)

    def forget(self) -> None:
        """Drop all memory: what it says may not have been emitted. `forgets` counts how often that was."""
        self._known.clear()
        self.forgets += 1

    async def look_up(self, wanted: Iterable[tuple[int, str, Millis]]) -> None:
        """Read marks of (shard, fingerprint, arrival) that memory lacks into memory."""
        asked: dict[tuple[int, int], list[str]] = {}
        lease = self.lease
        for shard, fingerprint, arrival in wanted:
            if fingerprint in self._known:
                continue
            bucket = arrival // lease
            for place in ((shard, bucket), (shard, bucket - 1)):
                asked.setdefault(place, []).append(fingerprint)
        if not asked:
            return
        keys = [(self._keys.window(shard, bucket), names) for (shard, bucket), names in asked.items()]
        for (_, names), found in zip(keys, await self._store.hmget_all(keys), strict=True):
            for fingerprint, data in zip(names, found, strict=True):
                mark = unpack(data) if data is not None else None
                if mark is None:
                    continue
                known = self._known.get(fingerprint)
                if known is None or mark.stamp > known.stamp:
                    self.set(fingerprint, mark)

    async def mark(self, passed: Iterable[tuple[int, str, Mark]]) -> None:
        """Write the marks of what is durably emitted by now: (shard, fingerprint, mark)."""
        writes: dict[str, dict[str, bytes]] = {}
        lease = self.lease
        for shard, fingerprint, mark in passed:
            writes.setdefault(self._keys.window(shard, mark.leased // lease), {})[fingerprint] = pack(mark)
        if writes:
            await self._store.hset_all([(key, fields, 3 * lease) for key, fields in writes.items()])

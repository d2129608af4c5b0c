"""Changes as people ask for them: read from the correlator's keys, never written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from kernel.clock import Millis
from kernel.model.state import KnownChange
from kernel.store.client import Store
from kernel.store.incidents import NeverStarted, decoded
from kernel.store.keys import Keys

BEFORE: Final = 2 * 3_600_000
"""How long before an incident opened a change is shown with it, in ms."""

_changes: Final = msgspec.json.Decoder(KnownChange)


@dataclass(frozen=True)
class ChangeListing:
    """Changes that were asked for, the newest first, and the shards whose changes are not among them."""

    changes: list[KnownChange]
    lost: list[int]


class ChangeReader:
    """Reads the changes of all `shards`. Every call may raise StoreUnavailable, and Undecodable for a value that
    another version wrote.
    """

    def __init__(self, store: Store, keys: Keys, shards: int) -> None:
        self._store = store
        self._keys = keys
        self._shards = shards

    async def recent(self, since: Millis = 0, service: str | None = None, limit: int = 100) -> ChangeListing:
        """At most `limit` changes that were under way at `since` or later, of one service or of all.

        Raises NeverStarted.
        """
        found = await asyncio.gather(*(self._shard(shard) for shard in range(self._shards)))
        lost = [shard for shard, changes in enumerate(found) if changes is None]
        if len(lost) == self._shards:
            raise NeverStarted(self._keys.namespace)
        fitting = [
            known
            for changes in found
            for known in changes or ()
            if known.change.when >= since and (service is None or known.change.service == service)
        ]
        return ChangeListing(newest_first(fitting)[:limit], lost)

    async def before(self, tenant: str, opened_at: Millis, shards: Iterable[int]) -> list[KnownChange]:
        """What began before an incident of the tenant opened and was under way in the two hours before it."""
        found = await asyncio.gather(*(self._shard(shard) for shard in shards))
        return newest_first(
            known
            for changes in found
            for known in changes or ()
            if known.change.tenant == tenant and known.first <= opened_at and known.change.when >= opened_at - BEFORE
        )

    async def _shard(self, shard: int) -> list[KnownChange] | None:
        held = await self._store.hgetall(self._keys.correlator(shard, "changes"))
        if not held and not await self._store.exists(self._keys.correlator(shard, "chain")):
            return None
        return [decoded(_changes, value, "change") for value in held.values()]


def newest_first(changes: Iterable[KnownChange]) -> list[KnownChange]:
    """By the time of their newest observation."""
    return sorted(changes, key=lambda known: (-known.change.when, known.change.fingerprint))

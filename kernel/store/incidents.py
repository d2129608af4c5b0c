"""Incidents as people ask for them: read from the keys of correlator and notifier, never written."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from kernel.model.codec import Undecodable
from kernel.model.incident import IncidentStatus, Priority
from kernel.model.naming import shard_of_incident, shard_tag
from kernel.model.own import CANARY_RULE
from kernel.model.state import Facts, IncidentDoc, Member, NotifierDoc
from kernel.store.client import Store
from kernel.store.keys import Keys

T = TypeVar("T")

_docs: Final = msgspec.json.Decoder(IncidentDoc)
_members: Final = msgspec.json.Decoder(Member)
_facts: Final = msgspec.json.Decoder(Facts)
_told: Final = msgspec.json.Decoder(NotifierDoc)


class _Assigned(msgspec.Struct):
    """The one field of a NotifierDoc that a list needs; the ledger is passed over undecoded."""

    team: str = ""


_assigned: Final = msgspec.json.Decoder(_Assigned)


class ShardLost(RuntimeError):
    """The state of `shard` is gone: what it knows cannot be told."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        tag = shard_tag(shard)
        super().__init__(
            f"the state of shard {tag} is not in the store: it is lost, or no correlator has claimed it yet; "
            f"where it stays so, `stormfold shard reset {tag} --role correlator` is the way out"
        )


class NeverStarted(RuntimeError):
    """No shard has any state: this deployment's correlator has never run, or another store is being read."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"no correlator has ever run on this store under the namespace {namespace!r}: start one, "
            "or check STORMFOLD_REDIS and STORMFOLD_NAMESPACE"
        )


@dataclass(frozen=True)
class Listing:
    """Incidents that were asked for, the most urgent first, and the shards whose incidents are not among them."""

    incidents: list[IncidentDoc]
    lost: list[int]


@dataclass(frozen=True)
class Detail:
    """All that is known of one incident: `members` are those of its sample, `told` is what the notifier made of it,
    None where that has not seen it yet.
    """

    doc: IncidentDoc
    members: list[tuple[Member, Facts | None]]
    told: NotifierDoc | None = None


class IncidentReader:
    """Reads the incidents of all `shards`. Every call may raise StoreUnavailable, and Undecodable for a value that
    another version wrote.
    """

    def __init__(self, store: Store, keys: Keys, shards: int) -> None:
        self._store = store
        self._keys = keys
        self._shards = shards

    async def list(
        self,
        statuses: Collection[IncidentStatus] = (),
        priorities: Collection[Priority] = (),
        team: str | None = None,
        limit: int = 100,
    ) -> Listing:
        """At most `limit` incidents that fit, without canaries; an empty filter takes all. Raises NeverStarted."""
        found = await asyncio.gather(*(self._shard(shard) for shard in range(self._shards)))
        lost = [shard for shard, docs in enumerate(found) if docs is None]
        if len(lost) == self._shards:
            raise NeverStarted(self._keys.namespace)
        fitting = [
            doc
            for docs in found
            for doc in docs or ()
            if (not statuses or doc.status in statuses)
            and (not priorities or doc.score.priority in priorities)
            and (team is None or doc.team == team)
            and doc.rule != CANARY_RULE
        ]
        fitting.sort(key=lambda doc: (not doc.status.live, doc.score.priority.rank, -doc.changed_at, doc.id))
        return Listing(fitting[:limit], lost)

    async def _shard(self, shard: int) -> Sequence[IncidentDoc] | None:
        """The shard's incidents, each with the team that its notifier gave it to."""
        held = await self._store.hgetall(self._keys.correlator(shard, "incidents"))
        if not held and not await self._store.exists(self._keys.correlator(shard, "chain")):
            return None
        docs = [decoded(_docs, value, "incident") for value in held.values()]
        told = await self._store.hgetall(self._keys.notifier(shard, "incidents")) if docs else {}
        for doc in docs:
            value = told.get(doc.id.encode())
            if value is not None:
                doc.team = decoded(_assigned, value, "notifier's incident").team or doc.team
        return docs

    async def get(self, incident: str) -> IncidentDoc | None:
        """The incident of that id, None where there is none. Raises ShardLost or NeverStarted."""
        shard = shard_of_incident(incident)
        if shard is None or shard >= self._shards:
            return None
        value = await self._store.hget(self._keys.correlator(shard, "incidents"), incident)
        if value is not None:
            return decoded(_docs, value, "incident")
        if await self._claimed(shard):
            return None
        if any(await asyncio.gather(*(self._claimed(other) for other in range(self._shards)))):
            raise ShardLost(shard)
        raise NeverStarted(self._keys.namespace)

    async def _claimed(self, shard: int) -> bool:
        return await self._store.exists(self._keys.correlator(shard, "chain"))

    async def detail(self, incident: str) -> Detail | None:
        """The incident with its members and deliveries. Raises as `get` does."""
        doc = await self.get(incident)
        shard = shard_of_incident(incident)
        if doc is None or shard is None:
            return None
        rows: list[list[bytes | None]] = [[], []]
        if doc.sample:
            rows = await self._store.hmget_all(
                [(self._keys.correlator(shard, part), doc.sample) for part in ("members", "facts")]
            )
        members = [
            (decoded(_members, member, "member"), decoded(_facts, facts, "member's facts") if facts else None)
            for member, facts in zip(*rows, strict=True)
            if member is not None
        ]
        told = await self._store.hget(self._keys.notifier(shard, "incidents"), incident)
        known = decoded(_told, told, "notifier's incident") if told is not None else None
        return Detail(doc, members, known)


def decoded(decoder: msgspec.json.Decoder[T], value: bytes, what: str) -> T:
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Undecodable(f"a value in the store ({what}) is not readable by this version: {error}") from error

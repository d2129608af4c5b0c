"""Giving up what a role knows of a shard: what there is to lose, and the new beginning of its chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
import uuid_utils
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from correlator.state import PARTS as CORRELATOR_PARTS
from kernel.bus.clients import Bus
from kernel.bus.topic_ids import TopicInfo, joined_ids, topic_ids
from kernel.bus.topics import TopicNames
from kernel.clock import Clock, SystemClock
from kernel.config.settings import Settings
from kernel.model.delivery import Outcome
from kernel.model.naming import shard_tag
from kernel.model.state import IncidentDoc, Member, MemberState, NotifierDoc
from kernel.store import scripts
from kernel.store.client import RedisStore, Store
from kernel.store.keys import Keys
from notifier.load import PARTS as NOTIFIER_PARTS
from stormfold.cli.errors import UserError

T = TypeVar("T")
_MOST_OUTBOX: Final = 100_000


class Role(StrEnum):
    """Whose state of the shard it is."""

    CORRELATOR = "correlator"
    NOTIFIER = "notifier"


class From(StrEnum):
    """Where the role reads on: at what its group had committed, at the oldest record, or after the newest."""

    COMMITTED = "committed"
    BEGINNING = "beginning"
    END = "end"


@dataclass
class Held:
    """What the store has of the shard under this role. `there` is whether its chain is; `unreadable` entries are
    another version's. The correlator has incidents and members, the notifier incidents and deliveries.
    """

    there: bool
    epoch: int = 0
    topic: str = ""
    position: int | None = None
    incidents: int = 0
    live: int = 0
    members: int = 0
    firing: int = 0
    waiting: int = 0
    deliveries: int = 0
    under_way: int = 0
    unsent: int = 0
    outbox: int = 0
    unreadable: int = 0

    @property
    def empty(self) -> bool:
        """Nothing of the shard is left."""
        return not (self.there or self.incidents or self.members or self.waiting or self.outbox)


@dataclass(frozen=True)
class Plan:
    """A reset as it would be done. Offsets are of the role's input; `start` is the first record to be read."""

    shard: int
    role: Role
    begin: From
    input: str
    first: int
    end: int
    committed: int | None
    start: int
    topic: str
    held: Held
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def topic_changed(self) -> bool:
        """The positions in the store belong to topics that are no more."""
        return self.held.there and self.held.topic != self.topic

    @property
    def reached(self) -> int | None:
        """The first record that was not taken yet, as far as that is known."""
        if self.topic_changed:
            return None
        return self.held.position + 1 if self.held.position is not None else self.committed

    @property
    def skipped(self) -> int | None:
        """How many offsets are never taken; None where nothing says how far the role had come."""
        return None if self.reached is None else max(0, self.start - max(self.reached, self.first))

    @property
    def again(self) -> int | None:
        """How many offsets are taken once more; None where nothing says how far the role had come."""
        return None if self.reached is None else max(0, self.reached - self.start)


@dataclass
class Resetter:
    """What a reset needs of Kafka and of the store. Raises StoreUnavailable and aiokafka's KafkaError."""

    settings: Settings
    role: Role
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    store: Store
    clock: Clock = field(default_factory=SystemClock)

    @property
    def _topics(self) -> tuple[str, str]:
        """What the role reads, and what it listens to: the positions belong to both, in this order."""
        names = TopicNames.with_prefix(self.settings.topic_prefix, self.settings.downstream_prefix)
        if self.role is Role.CORRELATOR:
            return names.signals, names.incidents
        return names.incidents, names.deliveries

    def keys(self, shard: int) -> list[str]:
        """Every key of the shard under this role, the chain first."""
        keys = Keys(self.settings.namespace)
        if self.role is Role.CORRELATOR:
            return [keys.correlator(shard, part) for part in ("chain", "outbox", *CORRELATOR_PARTS)]
        return [keys.notifier(shard, part) for part in ("chain", "outbox", *NOTIFIER_PARTS)]

    async def plan(self, shard: int, begin: From) -> Plan:
        """What a reset would do. Raises UserError where it cannot be done like that."""
        infos = await topic_ids(self.producer.client, self._topics)
        read, beside = (TopicPartition(name, shard) for name in self._topics)
        _check_shard(shard, infos[read.topic])
        self.consumer.assign([read])
        firsts = await self.consumer.beginning_offsets([read, beside])
        end = (await self.consumer.end_offsets([read]))[read]
        committed = await self.consumer.committed(read)
        first = firsts[read]
        start = {From.BEGINNING: first, From.END: end, From.COMMITTED: committed}[begin]
        if start is None:
            raise UserError(
                f"the group {self.settings.namespace}.{self.role} has committed nothing for {shard_tag(shard)} of "
                f"{read.topic}; choose --from beginning or --from end"
            )
        if not first <= start <= end:
            raise UserError(
                f"what the group had committed ({start}) is not in {read.topic}, which holds {first} to {end} for "
                f"{shard_tag(shard)}; choose --from beginning or --from end"
            )
        listens = "echo" if self.role is Role.CORRELATOR else "dpos"
        return Plan(
            shard,
            self.role,
            begin,
            read.topic,
            first,
            end,
            committed,
            start,
            joined_ids(infos, self._topics),
            await self._held(shard),
            {"pos": str(start - 1), listens: str(firsts[beside])},
        )

    async def apply(self, plan: Plan) -> tuple[int, str]:
        """Do it; returns the epoch and the owner that stand in the chain until a role claims the shard."""
        owner = f"reset-{uuid_utils.uuid7()}"
        epoch = await scripts.reset(
            self.store, self.keys(plan.shard), self.clock.now_ms(), owner, plan.topic, plan.fields
        )
        return epoch, owner

    async def taken(self, shard: int, owner: str, deadline: float) -> bool:
        """Whether a role claims the shard within `deadline` seconds."""
        end = self.clock.monotonic() + deadline
        while True:
            if await self.store.hget(self.keys(shard)[0], "owner") != owner.encode():
                return True
            if self.clock.monotonic() >= end:
                return False
            await self.clock.sleep(0.1)

    async def _held(self, shard: int) -> Held:
        keys = Keys(self.settings.namespace)
        chain = {
            name.decode(): value.decode() for name, value in (await self.store.hgetall(self.keys(shard)[0])).items()
        }
        held = Held(bool(chain), int(chain.get("epoch", 0)), chain.get("topic", ""))
        if "pos" in chain:
            held.position = int(chain["pos"])
        held.outbox = len(await self.store.stream(self.keys(shard)[1], _MOST_OUTBOX))
        if self.role is Role.CORRELATOR:
            docs = await self._decoded(held, keys.correlator(shard, "incidents"), IncidentDoc)
            members = await self._decoded(held, keys.correlator(shard, "members"), Member)
            held.incidents, held.live = len(docs), sum(doc.status.live for doc in docs)
            held.members = len(members)
            held.firing = sum(member.state is MemberState.FIRING for member in members)
            held.waiting = sum(
                name.startswith((b"n:", b"c:")) for name in await self.store.hgetall(keys.correlator(shard, "waiting"))
            )
            return held
        told = await self._decoded(held, keys.notifier(shard, "incidents"), NotifierDoc)
        entries = [entry for doc in told for entry in doc.ledger]
        held.incidents, held.deliveries = len(told), len(entries)
        held.under_way = sum(entry.outcome is Outcome.ABOUT for entry in entries)
        held.unsent = sum(not entry.final and entry.outcome is not Outcome.ABOUT for entry in entries)
        return held

    async def _decoded(self, held: Held, key: str, kind: type[T]) -> list[T]:
        found: list[T] = []
        for value in (await self.store.hgetall(key)).values():
            try:
                found.append(msgspec.json.decode(value, type=kind))
            except (msgspec.DecodeError, msgspec.ValidationError):
                held.unreadable += 1
        return found


def _check_shard(shard: int, info: TopicInfo) -> None:
    if shard >= info.partitions:
        last = shard_tag(info.partitions - 1)
        raise UserError(f"there is no shard {shard_tag(shard)}: the deployment has {shard_tag(0)} to {last}")


@asynccontextmanager
async def resetter(settings: Settings, role: Role) -> AsyncIterator[Resetter]:
    """Clients for a reset. Raises BusUnavailable, StoreUnfit or StoreUnavailable."""
    bus, store = Bus.of(settings), RedisStore(settings.redis.get_secret_value(), connections=2)
    try:
        await store.check()
        producer = await bus.start(bus.producer())
        try:
            # In the role's group to read what that committed; it subscribes to nothing, so it joins nothing.
            consumer = await bus.start(bus.group_consumer(f"{settings.namespace}.{role}"))
            try:
                yield Resetter(settings, role, consumer, producer, store)
            finally:
                await consumer.stop()
        finally:
            await producer.stop()
    finally:
        await store.close()

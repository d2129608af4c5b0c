"""A worker that owns shards: claims, keeps, parks and loses them. What a shard's turn does is its owner's matter."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from kernel.bus.group import Batch, GroupLoop
from kernel.bus.poison import PoisonGuard
from kernel.bus.topic_ids import TopicInfo, joined_ids, topic_ids
from kernel.chain import ClaimOver
from kernel.context import Context
from kernel.model.naming import shard_tag
from kernel.steps import Step
from kernel.store.scripts import Lost, TopicChanged
from kernel.trouble import PASSING

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0
TOPICS_EVERY = 10.0
AGAIN_AFTER = 0.5
NEVER_AGAIN = 86_400.0
TURN_BYTES = 1024 * 1024
"""Input of one turn: what its script writes is of that order, and Redis stands still while it runs."""


class BadRecord(Exception):
    """Our own code failed on the record at this offset; the shard's memory is in doubt."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"record {offset}")
        self.offset = offset


class Owner(Protocol):
    """One shard's owner, from its claim until the claim is over."""

    @property
    def next_offset(self) -> int:
        """Where to read on."""
        ...

    @property
    def due(self) -> bool:
        """Whether a turn without input is due: the pulse, or something whose time has come."""
        ...

    async def claim(self, lowest: int, topics: str, fresh: dict[str, str] | None) -> None:
        """Claim, drain, load. Raises Lost, TopicChanged, ClaimOver, StoreUnavailable."""
        ...

    async def turn(self, records: Sequence[ConsumerRecord], poisonous: set[int]) -> None:
        """One turn, possibly without input. Raises ClaimOver and BadRecord."""
        ...

    async def let_go(self) -> None:
        """The shard is somebody else's soon: finish what is under way."""
        ...


OwnerT = TypeVar("OwnerT", bound=Owner)


class ShardWorker(ABC, Generic[OwnerT]):
    """Handler of the consumer loop over a sharded topic.

    `role` is the worker's name, `topic` what it reads, `ids_of` the topics whose ids the stored positions belong to;
    `asked` are further topics whose metadata it needs.
    """

    role: str
    read_step: Step

    def __init__(
        self,
        context: Context,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        topic: str,
        ids_of: Sequence[str],
        asked: Sequence[str] = (),
    ) -> None:
        self.context = context
        self.consumer = consumer
        self.producer = producer
        self.topic = topic
        self.owners: dict[int, OwnerT] = {}
        self.topics: dict[str, TopicInfo] = {}
        self.loop: GroupLoop | None = None
        self._ids_of = tuple(ids_of)
        self._asked = tuple(asked)
        self._parked: dict[int, OwnerT] = {}
        self._leaving: dict[int, OwnerT] = {}
        self._floor: dict[int, int] = {}
        self._poisonous: dict[int, set[int]] = {}
        self._guards: dict[int, PoisonGuard] = {}
        self._lost: dict[int, str] = {}
        self._stopped: set[int] = set()
        self._topics_at = -1e9
        self._look_at = 0.0

    # --- what a role adds

    @abstractmethod
    def new_owner(self, shard: int) -> OwnerT:
        """An owner of that shard, before its claim."""

    @abstractmethod
    async def fresh(self, shard: int, first: int) -> dict[str, str]:
        """The fields that a shard without a key starts with; `first` is the first offset of its partition."""

    @abstractmethod
    async def look_around(self) -> None:
        """Once a second: what lies beside the input."""

    # --- what the loop asks for

    async def position(self, place: TopicPartition) -> int | None:
        """Claim the shard and say where its topic is to be read on."""
        shard = place.partition
        try:
            await self.refresh_topics()
            owner = await self._kept(shard) or await self._claim(place)
        except (Lost, TopicChanged) as error:
            self._is_lost(shard, str(error) or "its state is gone from Redis although its group had committed")
            return None
        except (*PASSING, ClaimOver) as error:
            log.warning("a shard cannot be claimed yet", role=self.role, shard=shard, error=_said(error))
            return None
        self._lost.pop(shard, None)
        self.owners[shard] = owner
        self._state_health()
        return owner.next_offset

    async def _kept(self, shard: int) -> OwnerT | None:
        """An owner that gets its shard back with its own epoch and turn keeps its memory."""
        owner = self._parked.pop(shard, None)
        if owner is None:
            return None
        try:
            await owner.turn((), set())
        except (ClaimOver, BadRecord):
            return None
        return owner

    async def _claim(self, place: TopicPartition) -> OwnerT:
        before = self._leaving.pop(place.partition, None)
        if before is not None:
            await before.let_go()
        owner = self.new_owner(place.partition)
        start = None
        if await self.consumer.committed(place) is None:
            first = (await self.consumer.beginning_offsets([place]))[place]
            start = await self.fresh(place.partition, first)
        ids = joined_ids(self.topics, self._ids_of)
        await owner.claim(self._floor.get(place.partition, 0), ids, start)
        return owner

    async def release(self, places: set[TopicPartition]) -> None:
        """Park the owners: the next one claims above them, or they come back as they are."""
        gone = {place.partition: self.owners.pop(place.partition, None) for place in places}
        for shard, owner in gone.items():
            self._lost.pop(shard, None)
            if owner is not None:
                self._parked[shard] = owner
        await asyncio.gather(*(owner.let_go() for owner in gone.values() if owner is not None))
        self._state_health()

    async def overtaken(self, place: TopicPartition, wanted: int, first: int) -> None:
        """Records were deleted before they were read: loud, and the shard goes on where the log begins."""
        self.context.metrics.overtaken_total.labels(self._short).inc()
        log.error("retention overtook a consumer; records were lost", place=str(place), wanted=wanted, first=first)

    def committable(self) -> Mapping[TopicPartition, int]:
        """The stored positions."""
        return {TopicPartition(self.topic, shard): owner.next_offset for shard, owner in self.owners.items()}

    async def turn(self, batch: Batch) -> None:
        """One turn of every shard that has something to do, side by side."""
        if self.context.clock.monotonic() >= self._look_at:
            self._look_at = self.context.clock.monotonic() + LOOK_EVERY
            try:
                await self.refresh_topics()
                await self.look_around()
            except PASSING as error:
                log.warning("a look around failed", role=self.role, error=_said(error))
        records = {place.partition: rows for place, rows in batch.items()}
        busy = [shard for shard, owner in self.owners.items() if shard in records or owner.due]
        if not busy:
            return
        started = self.context.clock.monotonic()
        await self.context.steps.at(self.read_step)
        await asyncio.gather(*(self._turn(shard, records.get(shard, ())) for shard in busy))
        if records:
            seconds = self.context.clock.monotonic() - started
            self.context.metrics.batch_seconds.labels(self.role).observe(seconds)
            read = sum(map(len, records.values()))
            log.info("batch", role=self.role, records=read, shards=len(records), ms=round(1_000 * seconds, 2))

    async def _turn(self, shard: int, records: Sequence[ConsumerRecord]) -> None:
        owner = self.owners.get(shard)
        if owner is None:
            # Revoked while this turn was under way, and its deadline is over: the shard is somebody else's.
            return
        poisonous = self._poisonous.setdefault(shard, set())
        guard = self._guards.setdefault(shard, PoisonGuard())
        try:
            for portion in portions(records):
                await owner.turn(portion, poisonous)
            guard.fine(len(records))
        except ClaimOver:
            log.warning("the claim is over; claiming again", role=self.role, shard=shard)
            self.again(shard)
        except KafkaError as error:
            log.warning("no acknowledgement; claiming again", role=self.role, shard=shard, error=_said(error))
            self.again(shard, AGAIN_AFTER)
        except BadRecord as error:
            poisonous.add(error.offset)
            if guard.failed():
                self._stop(shard)
            else:
                self.again(shard)

    # --- topics

    async def refresh_topics(self) -> None:
        """Ids and partition counts, at most 10 s old. An id that changed under positions ends their claims."""
        now = self.context.clock.monotonic()
        if now - self._topics_at < TOPICS_EVERY:
            return
        found = await topic_ids(self.producer.client, (*self._ids_of, *self._asked))
        changed = self.topics and any(found[name].id != self.topics[name].id for name in self._ids_of)
        self.topics, self._topics_at = found, now
        if changed:
            log.error("a topic was deleted and made anew under its positions", role=self.role)
            for shard in list(self.owners):
                self.again(shard)

    @property
    def _short(self) -> str:
        names = self.context.topics
        return "signals" if self.topic == names.signals else "incidents"

    # --- claims that end

    def claim_above(self, shard: int, epoch: int) -> None:
        """Somebody spoke in this shard's name with an epoch that is not below ours."""
        self._floor[shard] = epoch + 1
        self.again(shard)

    def again(self, shard: int, delay: float = 0.0) -> None:
        """Drop the memory; claim again if the partition is still ours."""
        owner = self.owners.pop(shard, None) or self._parked.pop(shard, None)
        if owner is not None:
            self._leaving[shard] = owner
        if self.loop is not None:
            self.loop.reassign(TopicPartition(self.topic, shard), delay)

    def _is_lost(self, shard: int, why: str) -> None:
        if self._lost.get(shard) != why:
            self._lost[shard] = why
            self.context.metrics.claims_total.labels(self.role, "lost").inc()
            log.error("a shard is lost; nothing of it is written until a person decides", why=why, out=self._out(shard))
        self._state_health()

    def _stop(self, shard: int) -> None:
        self.again(shard, NEVER_AGAIN)
        self._stopped.add(shard)
        self.context.metrics.partition_stopped.labels(self._short).inc()
        log.error("a shard is stopped: our own code fails on its records", role=self.role, shard=shard_tag(shard))
        self._state_health()

    def _out(self, shard: int) -> str:
        return f"stormfold shard reset {shard_tag(shard)} --role {self.role} --from committed|beginning|end"

    def _state_health(self) -> None:
        owned, lost, stopped = len(self.owners), len(self._lost), len(self._stopped)
        self.context.metrics.shards.labels(self.role, "owned").set(owned)
        self.context.metrics.shards.labels(self.role, "lost").set(lost)
        if lost:
            shard, why = next(iter(self._lost.items()))
            text = f"{lost} shards lost; {shard_tag(shard)}: {why}; way out: {self._out(shard)}"
            self.context.health.set(self.role, False, text)
        elif stopped:
            named = ", ".join(shard_tag(shard) for shard in sorted(self._stopped))
            text = f"stopped, since our own code fails on their records: {named}; restart the role once that is mended"
            self.context.health.set(self.role, False, text)
        else:
            self.context.health.set(self.role, owned > 0, f"owns {owned} shards")


def portions(records: Sequence[ConsumerRecord]) -> Iterator[Sequence[ConsumerRecord]]:
    """Records as few turns take them: up to `TURN_BYTES` in each, at least one record; one empty turn for none."""
    first = size = 0
    for at, record in enumerate(records):
        size += len(record.value)
        if size > TURN_BYTES and at > first:
            yield records[first:at]
            first, size = at, len(record.value)
    yield records[first:]


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"

"""The correlator's worker: owns shards, gives each its records, its time and what others said in its name."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from correlator.owner import BadRecord, ClaimOver, ShardOwner
from kernel.bus.group import Batch, GroupLoop
from kernel.bus.poison import PoisonGuard
from kernel.bus.tail import Tail
from kernel.bus.topic_ids import TopicInfo, topic_ids
from kernel.context import Context
from kernel.model.incident import IncidentStatus, Priority
from kernel.model.naming import shard_tag
from kernel.progress import least_progress
from kernel.steps import Step
from kernel.store.client import StoreUnavailable
from kernel.store.scripts import Lost, TopicChanged

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0
TOPICS_EVERY = 10.0
RECORDS_A_TURN = 8
AGAIN_AFTER = 0.5


class CorrelatorWorker:
    """Handler of the consumer loop over `signals`."""

    def __init__(
        self, context: Context, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, incidents: Tail
    ) -> None:
        self._context = context
        self._consumer = consumer
        self._producer = producer
        self._incidents = incidents
        self._owners: dict[int, ShardOwner] = {}
        self._parked: dict[int, ShardOwner] = {}
        self._floor: dict[int, int] = {}
        self._poisonous: dict[int, set[int]] = {}
        self._guards: dict[int, PoisonGuard] = {}
        self._lost: dict[int, str] = {}
        self._topics: dict[str, TopicInfo] = {}
        self._topics_at = -1e9
        self._look_at = 0.0
        self.loop: GroupLoop | None = None

    # --- what the loop asks for

    async def position(self, place: TopicPartition) -> int | None:
        """Claim the shard and say where its `signals` are to be read on."""
        shard = place.partition
        try:
            await self._refresh_topics()
            owner = await self._kept(shard) or await self._claim(place)
        except (Lost, TopicChanged) as error:
            self._is_lost(shard, error)
            return None
        except (StoreUnavailable, KafkaError, ClaimOver) as error:
            log.warning("a shard cannot be claimed yet", shard=shard, error=f"{type(error).__name__}: {error}")
            return None
        self._lost.pop(shard, None)
        self._owners[shard] = owner
        self._state_health()
        return owner.next_offset

    async def _kept(self, shard: int) -> ShardOwner | None:
        """An owner that gets its shard back with its own epoch and turn keeps its memory."""
        owner = self._parked.pop(shard, None)
        if owner is None:
            return None
        try:
            await owner.turn((), set())
        except (ClaimOver, BadRecord):
            return None
        return owner

    async def _claim(self, place: TopicPartition) -> ShardOwner:
        shard = place.partition
        owner = ShardOwner(self._context, shard, self._producer, self._incidents)
        fresh = None
        if await self._consumer.committed(place) is None:
            first = (await self._consumer.beginning_offsets([place]))[place]
            echo = (await self._incidents.beginnings([shard]))[shard]
            fresh = {"pos": str(first - 1), "echo": str(echo)}
        await owner.claim(self._floor.get(shard, 0), self._ids(), fresh)
        return owner

    async def release(self, places: set[TopicPartition]) -> None:
        """Park the owners: the next one claims above them, or they come back as they are."""
        for place in places:
            owner = self._owners.pop(place.partition, None)
            if owner is not None:
                self._parked[place.partition] = owner
            self._lost.pop(place.partition, None)
        self._state_health()

    async def overtaken(self, place: TopicPartition, wanted: int, first: int) -> None:
        """Signals were deleted before they were read: loud, and the shard goes on where the log begins."""
        self._context.metrics.overtaken_total.labels("signals").inc()
        log.error(
            "retention overtook the correlator; signals were lost", shard=place.partition, wanted=wanted, first=first
        )

    def committable(self) -> Mapping[TopicPartition, int]:
        """The stored positions."""
        topic = self._context.topics.signals
        return {TopicPartition(topic, shard): owner.next_offset for shard, owner in self._owners.items()}

    async def turn(self, batch: Batch) -> None:
        """One turn of every shard that has something to do, side by side."""
        if self._context.clock.monotonic() >= self._look_at:
            await self._look_around()
        records = {place.partition: rows for place, rows in batch.items()}
        busy = [shard for shard, owner in self._owners.items() if shard in records or owner.pulse_due]
        if not busy:
            return
        await self._context.steps.at(Step.CORRELATOR_READ)
        with self._context.metrics.batch_seconds.labels("correlator").time():
            await asyncio.gather(*(self._turn(shard, records.get(shard, ())) for shard in busy))

    async def _turn(self, shard: int, records: Sequence[ConsumerRecord]) -> None:
        owner = self._owners[shard]
        poisonous = self._poisonous.setdefault(shard, set())
        try:
            for first in range(0, max(1, len(records)), RECORDS_A_TURN):
                await owner.turn(records[first : first + RECORDS_A_TURN], poisonous)
            if records:
                self._guards.setdefault(shard, PoisonGuard()).fine(len(records))
        except ClaimOver:
            log.warning("the claim is over; claiming again", shard=shard)
            self._again(shard)
        except KafkaError as error:
            log.warning("facts were not acknowledged; claiming again", shard=shard, error=str(error))
            self._again(shard, AGAIN_AFTER)
        except BadRecord as error:
            poisonous.add(error.offset)
            if self._guards.setdefault(shard, PoisonGuard()).failed():
                self._stop_shard(shard)
            else:
                self._again(shard)

    # --- once a second

    async def _look_around(self) -> None:
        """The progress first, then the ends of `signals`; then whether anybody spoke in our name."""
        self._look_at = self._context.clock.monotonic() + LOOK_EVERY
        try:
            await self._refresh_topics()
            names = self._context.topics
            raw = {name: self._topics[name] for name in (names.alerts, names.answers)}
            progress = least_progress(await self._context.store.hgetall(self._context.keys.progress), raw)
            places = [TopicPartition(names.signals, shard) for shard in self._owners]
            ends = await self._consumer.end_offsets(places) if places else {}
            said = await self._incidents.ends(self._owners)
        except (StoreUnavailable, KafkaError) as error:
            log.warning("the correlator cannot see how far ingest is", error=f"{type(error).__name__}: {error}")
            return
        lag = 0
        for shard, owner in list(self._owners.items()):
            end = ends[TopicPartition(names.signals, shard)]
            lag += max(0, end - owner.next_offset)
            owner.horizon(progress, end)
            above = await owner.listen(said[shard])
            if above:
                self._floor[shard] = above + 1
                self._again(shard)
        metrics = self._context.metrics
        metrics.consumer_lag_records.labels("signals").set(lag)
        if progress:
            metrics.progress_age_seconds.set(max(0, self._context.clock.now_ms() - progress) / 1000)
        self._gauge_incidents()

    def _gauge_incidents(self) -> None:
        counted = Counter(
            (incident.doc.score.priority, incident.doc.status)
            for owner in self._owners.values()
            for incident in owner.shard.incidents.values()
        )
        for priority in Priority:
            for status in IncidentStatus:
                self._context.metrics.incidents.labels(priority.value, status.value).set(counted[priority, status])

    async def _refresh_topics(self) -> None:
        now = self._context.clock.monotonic()
        if now - self._topics_at < TOPICS_EVERY:
            return
        names = self._context.topics
        wanted = (names.alerts, names.answers, names.signals, names.incidents)
        found = await topic_ids(self._producer.client, wanted)
        changed = self._topics and any(found[name].id != self._topics[name].id for name in wanted[2:])
        self._topics, self._topics_at = found, now
        if changed:
            log.error("a topic was deleted and made anew under its positions")
            for shard in list(self._owners):
                self._again(shard)

    def _ids(self) -> str:
        names = self._context.topics
        return f"{self._topics[names.signals].id}+{self._topics[names.incidents].id}"

    # --- claims that end

    def _again(self, shard: int, delay: float = 0.0) -> None:
        """Drop the memory; claim again if the partition is still ours."""
        self._owners.pop(shard, None)
        self._parked.pop(shard, None)
        if self.loop is not None:
            self.loop.reassign(TopicPartition(self._context.topics.signals, shard), delay)

    def _is_lost(self, shard: int, error: Lost | TopicChanged) -> None:
        tag = shard_tag(shard)
        what = str(error) or "its state is gone from Redis although its group had committed"
        way_out = f"stormfold shard reset {tag} --role correlator --from committed|beginning|end"
        if self._lost.get(shard) != what:
            self._lost[shard] = what
            self._context.metrics.claims_total.labels("correlator", "lost").inc()
            log.error(
                "a shard is lost; nothing of it is written until a person decides", shard=tag, why=what, way_out=way_out
            )
        self._state_health()

    def _stop_shard(self, shard: int) -> None:
        self._again(shard, 86_400.0)
        self._lost[shard] = "our own code fails on its records"
        self._context.metrics.partition_stopped.labels("signals").inc()
        log.error("a shard is stopped; fix the cause and restart the correlator", shard=shard_tag(shard))
        self._state_health()

    def _state_health(self) -> None:
        owned, lost = len(self._owners), len(self._lost)
        self._context.metrics.shards.labels("correlator", "owned").set(owned)
        self._context.metrics.shards.labels("correlator", "lost").set(lost)
        if lost:
            shard, why = next(iter(self._lost.items()))
            way_out = f"stormfold shard reset {shard_tag(shard)} --role correlator --from committed|beginning|end"
            self._context.health.set("correlator", False, f"{lost} shards lost; {shard_tag(shard)}: {why}; {way_out}")
        else:
            self._context.health.set("correlator", owned > 0, f"owns {owned} shards")

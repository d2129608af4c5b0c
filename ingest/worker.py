"""The ingest worker: owns raw partitions and takes them through the design's protocol, turn by turn.

Anything in doubt (the store away, no acknowledgement, another owner's cut) ends the same way as a crash: memory is
dropped and the partition is read again from `done`, which repeats at most a second of work under the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from ingest.backlog import Backlog
from ingest.counts import RangeCounter
from ingest.judge import Judge
from ingest.partition import RawPartition
from ingest.slice import Slice, signal_records
from ingest.windows import Windows
from kernel.bus.group import Batch, GroupLoop
from kernel.bus.publisher import Record, publish
from kernel.bus.topic_ids import TopicInfo, topic_ids
from kernel.context import Context
from kernel.model.own import CANARY_SOURCE
from kernel.model.signals import MAX_SIGNALS
from kernel.steps import Step
from kernel.store import scripts
from kernel.trouble import PASSING

log = structlog.get_logger(__name__)

CUT_EVERY = 1.0
SLICE_ALERTS = 4 * MAX_SIGNALS
AGAIN_AFTER = 1.0


class IngestWorker:
    """Handler of the raw topics' consumer loop."""

    def __init__(
        self,
        context: Context,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        judge: Judge,
        windows: Windows,
        backlog: Backlog,
    ) -> None:
        self._context = context
        self._consumer = consumer
        self._producer = producer
        self._judge = judge
        self._windows = windows
        self._backlog = backlog
        self._parts: dict[TopicPartition, RawPartition] = {}
        self._topics: dict[str, TopicInfo] = {}
        self._topics_at = -1e9
        self._cut_at = 0.0
        self._dead_partition = 0
        self.loop: GroupLoop | None = None

    # --- what the loop asks for

    async def position(self, place: TopicPartition) -> int | None:
        """`done` of this raw partition; made from Kafka's commit, else the beginning, where it is missing."""
        try:
            part, offset = await self._assume(place)
        except PASSING as error:
            log.warning("a raw partition cannot be taken over yet", place=str(place), error=str(error))
            return None
        if part is None:
            return None
        self._parts[place] = part
        self._health()
        await self._context.steps.at(Step.INGEST_ASSIGNED, place.partition)
        return offset

    async def release(self, places: set[TopicPartition]) -> None:
        """Let go: what is not cut is the next owner's to read again."""
        for place in places:
            self._parts.pop(place, None)

    async def overtaken(self, place: TopicPartition, wanted: int, first: int) -> None:
        """Alerts in [wanted, first) are gone: the topic keeps less than ingest was behind."""
        self._context.metrics.overtaken_total.labels(self._role_of(place.topic)).inc()
        log.error("retention overtook ingest; alerts were lost", place=str(place), wanted=wanted, first=first)
        part = self._parts.get(place)
        if part is not None:
            part.counter.position = max(part.counter.position, first)

    def committable(self) -> Mapping[TopicPartition, int]:
        """`done` of every partition."""
        return {place: part.done for place, part in self._parts.items()}

    async def turn(self, batch: Batch) -> None:
        """Judge, publish, mark; once a second cut and state the progress."""
        try:
            if batch:
                with self._context.metrics.batch_seconds.labels("ingest").time():
                    await self._take(batch)
            if self._context.clock.monotonic() >= self._cut_at:
                await self._cut_all()
        except PASSING as error:
            log.warning("ingest starts again from what is done", error=f"{type(error).__name__}: {error}")
            self._start_again(AGAIN_AFTER)

    # --- one batch

    async def _take(self, batch: Batch) -> None:
        out = Slice()
        self._judge.refresh()
        started = self._context.clock.monotonic()
        await self._context.steps.at(Step.INGEST_READ)
        for place, records in batch.items():
            part = self._parts.get(place)
            if part is not None:
                await self._take_partition(part, records, out)
        await self._flush(out)
        log.info(
            "batch",
            role="ingest",
            records=sum(map(len, batch.values())),
            partitions=len(batch),
            signals=out.passed,
            dead=out.refused,
            ms=round(1_000 * (self._context.clock.monotonic() - started), 2),
        )

    async def _take_partition(self, part: RawPartition, records: Sequence[ConsumerRecord], out: Slice) -> None:
        for record in records:
            if part.doubtful:
                return
            if part.limit is not None and part.blocked_by_limit(record.offset):
                await self._flush(out)
                assert part.limit is not None
                part.counter.position = part.limit
                await self._cut(part)
                if part.doubtful:
                    return
            fine = self._judge.take(part, record, out)
            part.counter.position = record.offset + 1
            part.arrival = record.timestamp
            if fine:
                part.guard.fine()
            elif part.guard.failed():
                await self._flush(out)
                self._stop_partition(part, "our own code fails on its records")
                return
            if part.counter.full or out.alerts >= SLICE_ALERTS:
                await self._flush(out)
                if part.counter.full and part.limit is None:
                    await self._cut(part)

    async def _flush(self, out: Slice) -> None:
        """Publish what goes through, wait for every acknowledgement, then mark the windows."""
        await self._judge.settle(out)
        if out.signals or out.dead:
            await self._context.steps.at(Step.INGEST_LOOKED_UP)
            await self._publish(out)
            await self._context.steps.at(Step.INGEST_PRODUCED)
            await self._windows.mark(out.marks)
            await self._context.steps.at(Step.INGEST_MARKED)
        out.passed += sum(map(len, out.signals.values()))
        out.refused += len(out.dead)
        self._count(out)
        alerts = out.alerts
        if alerts:
            self._context.metrics.batch_alerts.labels("ingest").observe(alerts)
        out.signals.clear()
        out.arrival.clear()
        out.marks.clear()
        out.dead.clear()
        out.alerts = 0

    async def _publish(self, out: Slice) -> None:
        names = self._context.topics
        sends = [
            self._send(shard, list(signal_records(shard, out.arrival[shard], signals)))
            for shard, signals in out.signals.items()
        ]
        if out.dead:
            info = self._topics.get(names.dead)
            self._dead_partition = (self._dead_partition + 1) % (info.partitions if info else 1)
            letters = [letter.to_record(topic) for topic, letter in out.dead]
            sends.append(self._send_dead(self._dead_partition, letters))
        await asyncio.gather(*sends)

    async def _send(self, shard: int, records: list[Record]) -> None:
        await self._backlog.room(shard)
        offsets = await publish(self._producer, self._context.topics.signals, shard, records)
        self._backlog.sent(shard, offsets, records)

    async def _send_dead(self, partition: int, records: list[Record]) -> None:
        await publish(self._producer, self._context.topics.dead, partition, records)

    def _count(self, out: Slice) -> None:
        metrics = self._context.metrics
        for (source, outcome), n in out.tallies.items():
            if source == CANARY_SOURCE:
                continue
            metrics.alerts_total.labels(metrics.source(source), outcome).inc(n)
        for (source, default), n in out.defaults.items():
            metrics.defaults_total.labels(metrics.source(source), default).inc(n)
        for (verb, outcome), n in out.commands.items():
            metrics.commands_total.labels(verb, outcome).inc(n)
        for _, letter in out.dead:
            source = metrics.source((dict(letter.record.headers).get("source") or b"").decode("utf-8", "replace"))
            metrics.dead_letters_total.labels(source, letter.reason, "ingest").inc(len(letter.refusals))
        out.tallies.clear()
        out.defaults.clear()
        out.commands.clear()

    # --- cuts

    async def _cut_all(self) -> None:
        self._cut_at = self._context.clock.monotonic() + CUT_EVERY
        await self._refresh_topics()
        parts = [part for part in self._parts.values() if not part.doubtful]
        asked_at = self._context.clock.now_ms()
        ends = await self._consumer.end_offsets([part.place for part in parts]) if parts else {}
        await asyncio.gather(*(self._cut(part) for part in parts))
        await self._state_progress(parts, asked_at, ends)
        lag: dict[str, int] = {}
        for part in parts:
            role = self._role_of(part.place.topic)
            lag[role] = lag.get(role, 0) + max(0, ends[part.place] - part.counter.position)
        for role, records in lag.items():
            self._context.metrics.consumer_lag_records.labels(role).set(records)

    async def _cut(self, part: RawPartition) -> None:
        end = part.range_end()
        if end is None:
            return
        key = self._context.keys.cut(part.topic_id, part.place.partition)
        counter = part.counter
        held = await scripts.cut(self._context.store, key, counter.start, end)
        await self._context.steps.at(Step.INGEST_CUT, part.place.partition)
        if held is None or held != (counter.start, end):
            # Somebody else moved `done`, or left an intent to count up to: begin again there.
            self._doubt(part)
            return
        names = self._context.topics
        await asyncio.gather(
            *(
                publish(self._producer, names.signals, shard, list(signal_records(shard, part.arrival, [counts])))
                for shard, counts in counter.records(part.topic_id, part.place.partition, end)
            )
        )
        await self._context.steps.at(Step.INGEST_COUNTED, part.place.partition)
        if await scripts.done(self._context.store, key, counter.start, end) != end:
            self._doubt(part)
            return
        await self._context.steps.at(Step.INGEST_DONE, part.place.partition)
        fresh = RangeCounter(end)
        fresh.position = max(counter.position, end)
        part.counter = fresh
        part.limit = None
        part.cut_arrival = max(part.cut_arrival, part.arrival)

    async def _state_progress(
        self, parts: Sequence[RawPartition], asked_at: int, ends: Mapping[TopicPartition, int]
    ) -> None:
        """Write the arrival time up to which each partition is cut: the moment of asking where all of it is."""
        margin = self._context.bus.profile.in_flight_ms
        fields: dict[str, str] = {}
        for part in parts:
            if part.doubtful:
                continue
            if part.done >= ends[part.place]:
                part.at_end = max(part.at_end, asked_at - margin)
            if part.progress:
                fields[f"{part.topic_id}.{part.place.partition}"] = str(part.progress)
        if fields:
            await self._context.store.hset(self._context.keys.progress, fields)

    # --- taking over, and starting again

    async def _assume(self, place: TopicPartition) -> tuple[RawPartition | None, int]:
        await self._refresh_topics()
        info = self._topics[place.topic]
        key = self._context.keys.cut(info.id, place.partition)
        first = (await self._consumer.beginning_offsets([place]))[place]
        held = await self._context.store.hgetall(key)
        if b"done" not in held:
            committed = await self._consumer.committed(place)
            await self._context.store.hsetnx(key, "done", str(first if committed is None else committed))
            held = await self._context.store.hgetall(key)
            if b"done" not in held:
                log.warning("the store forgot a position that was just written; asking again", place=str(place))
                return None, 0
        done, intent = int(held[b"done"]), int(held.get(b"intent", held[b"done"]))
        end = (await self._consumer.end_offsets([place]))[place]
        if done > end:
            self._context.health.set(
                f"ingest.{place.topic}.{place.partition}",
                False,
                f"the log of {place.topic} ends at {end}, before the position {done}: records vanished",
            )
            log.error("the raw log ends before the position; not reading on", place=str(place), done=done, end=end)
            return None, 0
        self._context.health.drop(f"ingest.{place.topic}.{place.partition}")
        part = RawPartition(place, info.id, RangeCounter(done), intent if intent > done else None)
        if first > done:
            await self.overtaken(place, done, first)
            part.counter.position = first
        return part, max(done, first)

    async def _refresh_topics(self) -> None:
        """Ids and partition counts, at most 10 s old; an id that changed starts its partitions anew, loudly."""
        now = self._context.clock.monotonic()
        if now - self._topics_at < 10.0:
            return
        names = self._context.topics
        found = await topic_ids(self._producer.client, (names.alerts, names.answers, names.dead))
        for name, info in found.items():
            old = self._topics.get(name)
            if old is not None and old.id != info.id:
                log.error("a raw topic was deleted and made anew; what it held is gone", topic=name)
                for part in [part for part in self._parts.values() if part.place.topic == name]:
                    self._doubt(part)
        self._topics = found
        self._topics_at = now

    def _doubt(self, part: RawPartition, delay: float = 0.0) -> None:
        part.doubtful = True
        self._windows.forget()
        # A cut that outlived its turn speaks of a part that may have a successor here already.
        if self._parts.get(part.place) is part:
            del self._parts[part.place]
            if self.loop is not None:
                self.loop.reassign(part.place, delay)

    def _start_again(self, delay: float) -> None:
        # Also where every partition was taken away under the turn: what it judged may not have been emitted.
        self._windows.forget()
        for part in list(self._parts.values()):
            self._doubt(part, delay)

    def _stop_partition(self, part: RawPartition, why: str) -> None:
        self._doubt(part, delay=86_400.0)
        role = self._role_of(part.place.topic)
        self._context.metrics.partition_stopped.labels(role).inc()
        self._context.health.set(f"ingest.{part.place.topic}.{part.place.partition}", False, f"stopped: {why}")
        log.error("a raw partition is stopped; fix the cause and restart ingest", place=str(part.place), why=why)

    def _health(self) -> None:
        self._context.health.set("ingest", True, f"reads {len(self._parts)} raw partitions")

    def _role_of(self, topic: str) -> str:
        return "answers.raw" if topic == self._context.topics.answers else "alerts.raw"

"""The ingest protocol: two raw partitions, a worker each (or one for both), and the truth by a plain fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from aiokafka import TopicPartition

from ingest.backlog import Backlog
from ingest.judge import Judge
from ingest.read import Reader
from ingest.windows import Windows
from ingest.worker import IngestWorker
from kernel.bus.group import GroupLoop
from kernel.clock import rfc3339
from kernel.config.schema import Config, CorrelationConfig
from kernel.config.values import Duration
from kernel.model.alert import Stamp, Status
from kernel.model.codec import decode_signals
from kernel.model.signals import Counts, Refresh, Transition
from tests.model.network import Consumer, Producer
from tests.model.schedule import BASE_MS
from tests.model.world import Member, Violation, World

LEASE = 60_000


@dataclass(frozen=True)
class Raw:
    """One raw alert: what it is about, what it says, and its place in the order of observations."""

    name: str
    status: Status
    stamp: Stamp


@dataclass(kw_only=True)
class IngestWorld(World):
    """Raw records from the start; whatever happens, each fingerprint goes through and each alert is counted once."""

    shards: int = 2
    truth: list[Raw] = field(default_factory=list)
    fail_overs: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for topic, partitions in (("alerts.raw", 2), ("answers.raw", 1), ("signals", 2), ("alerts.dead", 1)):
            self.network.create(topic, partitions)
        self._write_raw()

    def _write_raw(self) -> None:
        """Arrivals tie in half of the runs, and are out of order in half."""
        rnd = self.random
        n, names = rnd.randint(3, 20), [f"a{i}" for i in range(rnd.randint(1, 4))]
        fires_mostly = rnd.choice((0.6, 0.7, 0.95))
        tie, spread = rnd.choice((1, 1, 3)), rnd.choice((50, 50, 20_000))
        arrivals = [BASE_MS + spread * (1 + i // tie) for i in range(2 * n)]
        if rnd.random() < 0.5:
            rnd.shuffle(arrivals)
        for i, arrival in enumerate(arrivals):
            place = TopicPartition("alerts.raw", i % 2)
            said = [(rnd.choice(names), rnd.random() < fires_mostly) for _ in range(rnd.choice((1, 1, 2)))]
            body = [_alert(name, arrival + (240_000 if fires else -1)) for name, fires in said]
            offset = self.network.append(place, (orjson.dumps(body), None, [("source", b"prometheus")]), arrival)
            for item, (name, fires) in enumerate(said):
                stamp = Stamp(arrival, arrival, place.partition, offset, item)
                self.truth.append(Raw(name, Status.FIRING if fires else Status.RESOLVED, stamp))

    def config(self) -> Config:
        return Config(correlation=CorrelationConfig(lease=Duration(LEASE), domain=("name",)))

    async def begin(self) -> None:
        places = [*self.network.partitions("alerts.raw"), *self.network.partitions("answers.raw")]
        split = self.random.choice((1, 1, len(places)))
        for part in (places[:split], places[split:]):
            if part:
                await self.start("ingest", part)

    def member(self, role: str, places: list[TopicPartition]) -> Member:
        process = self.process(role)
        context = self.context(process)
        windows = Windows(context.store, context.keys, lambda: LEASE)
        reader = Reader(context.config, self.shards)
        judge = Judge(reader, windows, self.shards, lambda topic: topic == self.names.answers)
        backlog = Backlog(context.store, context.keys, context.clock, None)
        consumer = Consumer(self.network, context.group(role), places)
        worker = IngestWorker(context, consumer, Producer(self.network), judge, windows, backlog)
        loop = worker.loop = GroupLoop(
            consumer, (self.names.alerts, self.names.answers), worker, context.clock, revoke_deadline=0.0
        )
        return Member(process, role, consumer, context, places, loop=loop)

    async def fault(self) -> None:
        if self.fail_overs and self.random.random() < 0.3:
            await self.fail_over()
            return
        await super().fault()

    async def _done(self) -> dict[TopicPartition, int]:
        found = {}
        for place in self.network.partitions("alerts.raw"):
            key = self.keys.cut(self.network.ids[place.topic].hex, place.partition)
            value = await self.stores.store.hget(key, "done")
            found[place] = -1 if value is None else int(value)
        return found

    def finished(self) -> bool:
        """Every worker has committed the end of its partitions, as it says `done` stands there."""
        parts = self.network.partitions("alerts.raw")
        workers = [m.loop._handler for m in self.members if m.loop is not None]
        done = {place: at for worker in workers for place, at in worker.committable().items()}
        return all(done.get(place) == len(self.network.logs[place]) for place in parts)

    async def verify(self) -> None:
        done = await self._done()
        for place, offset in done.items():
            # An idle worker does not look, and need not: what a store forgot is counted again as the same ranges.
            if offset != len(self.network.logs[place]) and not self.set_back:
                raise Violation(f"done of {place} is {offset}, not the end {len(self.network.logs[place])}")
        seen = Fold()
        for place in self.network.partitions("signals"):
            seen.take([decode_signals(record.value).signals for record in self.network.logs[place]])
        self._compare(seen)

    def _compare(self, seen: Fold) -> None:
        names = {raw.name for raw in self.truth}
        if set(seen.names.values()) != names:
            raise Violation(f"never went through in full: {names - set(seen.names.values())}")
        if seen.gaps:
            raise Violation(f"gaps between ranges: {seen.gaps}")
        counts: dict[str, int] = {}
        newest: dict[str, Raw] = {}
        for raw in self.truth:
            counts[raw.name] = counts.get(raw.name, 0) + 1
            if raw.name not in newest or raw.stamp > newest[raw.name].stamp:
                newest[raw.name] = raw
        counted = {seen.names[f]: n for f, n in seen.counts.items()}
        if self.set_back and seen.inexact:
            # The one stated class: ranges overlap after a store was set back, and are left alone, counted as such.
            if any(counted.get(name, 0) > n for name, n in counts.items()):
                raise Violation(f"counted more than there is: {counted} > {counts}")
            return
        if seen.inexact:
            raise Violation(f"{seen.inexact} ranges overlap")
        if counted != counts:
            raise Violation(f"counts {counted} != {counts}")
        state = {seen.names[f]: status for f, (status, _) in seen.state.items()}
        wanted = {name: raw.status for name, raw in newest.items()}
        if state != wanted:
            raise Violation(f"state {state} != {wanted}")


@dataclass
class Fold:
    """What anybody makes of `signals`: fenced counts, the newest observation of each fingerprint."""

    names: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    state: dict[str, tuple[Status, Stamp]] = field(default_factory=dict)
    fences: dict[tuple[str, int], int] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    inexact: int = 0

    def take(self, records: Sequence[Sequence[object]]) -> None:
        """One shard's partition, in order."""
        self.fences = {}
        for signal in (signal for record in records for signal in record):
            if isinstance(signal, Transition | Refresh):
                alert = signal.alert
                self.names[alert.fingerprint] = alert.name
                self._observe(alert.fingerprint, alert.status, alert.stamp)
            elif isinstance(signal, Counts):
                self._count(signal)

    def _observe(self, fingerprint: str, status: Status, stamp: Stamp) -> None:
        if fingerprint not in self.state or stamp > self.state[fingerprint][1]:
            self.state[fingerprint] = (status, stamp)

    def _count(self, counts: Counts) -> None:
        fence = self.fences.get((counts.topic, counts.partition), 0)
        if counts.end <= fence:
            return
        self.fences[counts.topic, counts.partition] = counts.end
        if counts.start < fence:
            self.inexact += 1
            return
        for entry in counts.entries:
            self.counts[entry.fingerprint] = self.counts.get(entry.fingerprint, 0) + entry.n
            self._observe(entry.fingerprint, entry.status, entry.newest)


def _alert(name: str, ends: int) -> dict[str, object]:
    return {"labels": {"alertname": name, "name": name}, "endsAt": rfc3339(ends)}

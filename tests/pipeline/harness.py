"""A pipeline in the test's own process: any role, as many members as wanted, over the broker and store of the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

import correlator.pipeline
import ingest.pipeline
import notifier.pipeline
from kernel.bus.clients import Bus
from kernel.bus.tail import Tail
from kernel.bus.topic_ids import topic_ids
from kernel.bus.topics import TopicNames, TopicPort, topic_specs
from kernel.clock import Clock, SystemClock, rfc3339
from kernel.config.schema import Config, RouteConfig, RuleConfig, ServiceConfig, TeamConfig, Webhook
from kernel.config.settings import Settings
from kernel.context import Context
from kernel.model.codec import decode_delivery, decode_incidents
from kernel.model.delivery import DeliveryRow, Outcome
from kernel.model.incident import IncidentEvent
from kernel.model.state import IncidentDoc, Member, NotifierDoc
from kernel.steps import NoSteps, Steps
from kernel.store.client import RedisStore
from kernel.store.keys import Keys
from kernel.telemetry.health import Health
from kernel.telemetry.metrics import Metrics
from notifier.channels.http import open_session

DEADLINE = 30.0


def simple_config(url: str, **changes: Any) -> Config:
    """Alerts of one service are one incident; one team, paged by a webhook at `url`."""
    config = Config(
        teams={"sre": TeamConfig(page=("hook",), notify=("hook",))},
        services={"checkout": ServiceConfig(tier=1, team="sre")},
        rules=(RuleConfig(name="by-service", match=('service!=""',), group_by=("service",)),),
        routes=(RouteConfig(team="sre"),),
        channels={"hook": Webhook(url=url, allow_private=True, per_minute=60_000)},
    )
    return msgspec.structs.replace(config, **changes)


@dataclass
class Role:
    """One member of one role."""

    task: asyncio.Task[None]
    stop: asyncio.Event
    context: Context
    console: list[str]

    async def finish(self) -> None:
        """A clean stop."""
        self.stop.set()
        await asyncio.wait_for(self.task, DEADLINE)

    async def kill(self) -> None:
        """Stop in the middle of whatever it does. Fails where the role goes on as if nothing had happened."""
        self.task.cancel()
        done, _ = await asyncio.wait([self.task], timeout=DEADLINE)
        assert done, f"{self.task.get_name()} was cancelled and still runs after {DEADLINE} s"
        if not self.task.cancelled():
            self.task.result()


@dataclass
class Pipeline:
    """Settings and helpers of one deployment."""

    settings: Settings
    config: Config
    roles: list[Role] = field(default_factory=list)
    clock: Clock = field(default_factory=SystemClock)
    _closers: list[Callable[[], Any]] = field(default_factory=list)

    def context(self, steps: Steps | None = None) -> Context:
        """What a role of its own process would be given."""
        store = RedisStore(self.settings.redis.get_secret_value())
        self._closers.append(store.close)
        return Context(
            settings=self.settings,
            bus=Bus.of(self.settings),
            store=store,
            config=lambda: self.config,
            metrics=Metrics(self.config.sources or ("prometheus",)),
            health=Health(self.clock),
            clock=self.clock,
            steps=steps or NoSteps(),
            config_hash=lambda: "0" * 64,
        )

    async def start(self, role: str, steps: Steps | None = None) -> Role:
        """Start a member of `ingest`, `correlator` or `notifier`."""
        context, stop, console = self.context(steps), asyncio.Event(), list[str]()
        if role == "notifier":
            session = open_session()
            self._closers.append(session.close)
            run = notifier.pipeline.run(context, stop, session, console.append)
        else:
            run = {"ingest": ingest.pipeline.run, "correlator": correlator.pipeline.run}[role](context, stop)
        started = Role(asyncio.create_task(run, name=role), stop, context, console)
        self.roles.append(started)
        return started

    async def start_all(self) -> None:
        """One member of each role."""
        for role in ("notifier", "correlator", "ingest"):
            await self.start(role)

    async def close(self) -> None:
        """Stop every role and drop every client; an error of a role is the test's error."""
        for role in self.roles:
            role.stop.set()
        results = await asyncio.gather(
            *(asyncio.wait_for(role.task, DEADLINE) for role in self.roles), return_exceptions=True
        )
        for closer in self._closers:
            await closer()
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    # --- input

    async def send(
        self,
        bodies: Sequence[bytes],
        source: str | None = "prometheus",
        partition: int | None = 0,
        topic: str = "",
        at: int | None = None,
    ) -> None:
        """Publish raw bodies, in order, to one partition of `alerts.raw` (None: spread), as if at that time (ms)."""
        producer: AIOKafkaProducer = await Bus.of(self.settings).start(Bus.of(self.settings).producer())
        headers = [("source", source.encode())] if source else []
        try:
            names = self.topics
            sent = [
                await producer.send(topic or names.alerts, body, partition=partition, headers=headers, timestamp_ms=at)
                for body in bodies
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    @property
    def topics(self) -> TopicNames:
        """The names of the topics."""
        return TopicNames.with_prefix(self.settings.topic_prefix, self.settings.downstream_prefix)

    # --- what came of it

    async def state(self) -> State:
        """Everything the store keeps of incidents, members, totals and ledgers."""
        store = RedisStore(self.settings.redis.get_secret_value())
        keys = Keys(self.settings.namespace)
        state = State()
        try:
            for shard in range(self.settings.shards):
                for data in (await store.hgetall(keys.correlator(shard, "incidents"))).values():
                    doc = msgspec.json.decode(data, type=IncidentDoc)
                    state.incidents[doc.id] = doc
                for data in (await store.hgetall(keys.correlator(shard, "members"))).values():
                    member = msgspec.json.decode(data, type=Member)
                    state.members[member.fingerprint] = member
                for data in (await store.hgetall(keys.notifier(shard, "incidents"))).values():
                    ledger = msgspec.json.decode(data, type=NotifierDoc)
                    state.ledgers[ledger.incident] = ledger
                for name, value in (await store.hgetall(keys.correlator(shard, "chain"))).items():
                    if name.startswith(b"total:"):
                        key = name.decode().removeprefix("total:")
                        state.totals[key] = state.totals.get(key, 0) + int(value)
        finally:
            await store.close()
        return state

    async def facts(self) -> list[IncidentEvent]:
        """Every fact in `incidents`."""
        return [event for value in await self._all(self.topics.incidents) for event in decode_incidents(value).events]

    async def rows(self) -> list[DeliveryRow]:
        """Every row of `deliveries`."""
        return [decode_delivery(value) for value in await self._all(self.topics.deliveries)]

    async def dead(self) -> list[tuple[dict[str, str], bytes]]:
        """Every dead letter: headers and value."""
        letters = await self._records(self.topics.dead)
        return [({name: value.decode() for name, value in record.headers}, record.value) for record in letters]

    async def _all(self, topic: str) -> list[bytes]:
        return [record.value for record in await self._records(topic)]

    async def _records(self, topic: str) -> list[Any]:
        bus = Bus.of(self.settings)
        reader = await bus.start(bus.reader())
        try:
            numbers = range((await topic_ids(reader._client, [topic]))[topic].partitions)
            tail, found = Tail(reader, topic), list[Any]()
            ends = await tail.ends(numbers)
            for number in numbers:
                records, _ = await tail.read(number, 0, ends[number])
                found += records
            return found
        finally:
            await reader.stop()

    async def until(self, what: str, check: Callable[[State], bool], deadline: float = DEADLINE) -> State:
        """Poll the store until the state is as wanted; fails with what it is instead."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while True:
            state = await self.state()
            if check(state):
                return state
            for role in self.roles:
                if role.task.done() and not role.task.cancelled() and role.task.exception() is not None:
                    raise AssertionError(f"a role died: {role.task.exception()!r}") from role.task.exception()
            if loop.time() > end:
                raise AssertionError(f"not reached within {deadline} s: {what}; it is {state.summary()}")
            await asyncio.sleep(0.05)


@dataclass
class State:
    """What the store keeps of one deployment."""

    incidents: dict[str, IncidentDoc] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    ledgers: dict[str, NotifierDoc] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Alerts attributed to incidents."""
        return sum(doc.count for doc in self.incidents.values())

    @property
    def deliveries(self) -> dict[str, Outcome | None]:
        """Every delivery id and what became of it."""
        return {e.key.delivery_id: e.outcome for doc in self.ledgers.values() for e in doc.ledger}

    def summary(self) -> str:
        """For failures."""
        docs = [
            f"{d.id} {d.status} {d.score.priority} count={d.count} firing={d.firing}" for d in self.incidents.values()
        ]
        sent = [
            f"{e.key.incident}/{e.key.action}/{e.key.priority}/{e.key.target}#{e.attempt}={e.outcome} {e.reason}"
            for doc in self.ledgers.values()
            for e in doc.ledger
        ]
        return f"incidents {docs}, ledger {sent}, totals {self.totals}"


@contextlib.asynccontextmanager
async def pipeline(
    bootstrap: str, profile: str, redis: str, port: TopicPort, prefix: str, config: Config, **settings: Any
) -> AsyncIterator[Pipeline]:
    """A deployment of its own: topics under `prefix`, keys and groups in its namespace."""
    chosen: Mapping[str, Any] = {
        "kafka": bootstrap,
        "kafka_profile": profile,
        "redis": SecretStr(redis),
        "namespace": prefix.strip("."),
        "topic_prefix": prefix,
        "shards": 4,
        "raw_partitions": 4,
        "answers_partitions": 2,
        "session_timeout_ms": 2_000,
        **settings,
    }
    made = Pipeline(Settings(**chosen), config)
    s = made.settings
    await port.apply(topic_specs(prefix, s.shards, s.raw_partitions, s.answers_partitions, s.downstream_prefix))
    try:
        yield made
    finally:
        await made.close()


def firing(name: str, at: int, until: int = 240_000, **labels: str) -> dict[str, Any]:
    """An alert as Prometheus sends it, firing at `at` (ms) and for `until` ms more."""
    return {
        "labels": {"alertname": name, **labels},
        "annotations": {"summary": f"{name} on {labels.get('service', 'nothing')}"},
        "startsAt": rfc3339(at - 1_000),
        "endsAt": rfc3339(at + until),
        "generatorURL": "http://prometheus.test/graph",
    }


def resolved(name: str, at: int, **labels: str) -> dict[str, Any]:
    """The same alert, over."""
    return firing(name, at, -1, **labels)


def body(*alerts: Mapping[str, Any]) -> bytes:
    """A body of POST /api/v2/alerts."""
    return orjson.dumps(list(alerts))

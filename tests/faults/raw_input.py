"""One storm in `alerts.raw`, with people's answers: what every run of the crash tests reads.

Every fingerprint stays in one raw partition, members of one incident do not. What several partitions may interleave
in any order comes to the same end: an incident of several members ends with all of them firing, one that resolves and
reopens has one member.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from kernel.bus.clients import Bus
from kernel.bus.topics import TopicNames
from kernel.config.schema import (
    Config,
    CorrelationConfig,
    PriorityConfig,
    RouteConfig,
    RuleConfig,
    ServiceConfig,
    TeamConfig,
    Webhook,
)
from kernel.config.settings import Settings
from kernel.config.values import Duration
from kernel.model.codec import encode
from kernel.model.naming import shard_of
from kernel.model.signals import CommandBody, CommandEnvelope, Verb
from tests.pipeline.harness import body, firing, resolved

SHARDS = 2
SITES = ("north", "a")
ROUNDS = 12
A_ROUND = 440
HOUR = 3_600_000
DEAD = (b"{this is no JSON", b'[{"annotations": {"summary": "whose?"}}]')


def config(url: str) -> Config:
    """Two teams behind one receiver; an incident is a service of a site, a domain is a site."""
    return Config(
        teams={"sre": TeamConfig(page=("hook",), notify=("hook",)), "data": TeamConfig(page=("desk",))},
        services={name: ServiceConfig(tier=1) for name in ("db", "cart", "payments", "search")},
        rules=(RuleConfig(name="by-service", match=('service!=""',), group_by=("site", "service")),),
        routes=(RouteConfig(team="data", match=('service="db"',)), RouteConfig(team="sre")),
        channels={name: Webhook(url=url, allow_private=True, per_minute=60_000) for name in ("hook", "desk")},
        # Nothing in here may depend on how long after the input a run takes place.
        correlation=CorrelationConfig(lease=Duration(HOUR), domain=("site",)),
        priority=PriorityConfig(hysteresis=Duration(24 * HOUR)),
    )


@dataclass
class Stream:
    """One sender's records in order: what it says from which round on, and repeats in between."""

    source: str
    said: dict[int, bytes]
    alerts: int = 1

    def at(self, number: int) -> bytes | None:
        """What it says in that round, None before its first."""
        begun = [n for n in self.said if n <= number]
        return self.said[max(begun)] if begun else None


def _generic(site: str, severity: str) -> bytes:
    fields = {"id": f"db-{site}", "name": "Slow", "status": "firing", "severity": severity, "service": "db"}
    return orjson.dumps({**fields, "labels": {"site": site}})


def _streams(site: str, now: int) -> Iterator[Stream]:
    def fire(service: str, severity: str = "critical", **more: str) -> dict[str, Any]:
        return firing("Down", now, 2 * HOUR, service=service, site=site, severity=severity, **more)

    def over(service: str, severity: str = "critical") -> dict[str, Any]:
        return resolved("Down", now, service=service, site=site, severity=severity)

    def prometheus(said: dict[int, list[dict[str, Any]]]) -> Stream:
        return Stream("prometheus", {n: body(*alerts) for n, alerts in said.items()}, len(next(iter(said.values()))))

    # Severity rises: P3, then P2.
    yield Stream("generic", {0: _generic(site, "medium"), 3: _generic(site, "critical")})
    # Two regions: P2, then P1.
    yield prometheus({1: [fire("cart", region="r1")]})
    yield prometheus({4: [fire("cart", region="r2")]})
    # Resolves, and stays.
    yield prometheus({0: [fire("reports", "low")], 5: [over("reports", "low")]})
    # Resolves and reopens, twice.
    pays = fire("payments"), over("payments")
    yield prometheus({n: [pays[i % 2]] for i, n in enumerate((0, 2, 6, 8, 10))})
    # Answered by people.
    yield prometheus({1: [fire("search")]})
    yield prometheus({2: [fire("mail")]})
    # Several alerts in one record.
    yield prometheus({3: [fire("stack", layer=str(n)) for n in range(3)]})
    # One more member a round: P3, and P2 from the tenth host on.
    for n in range(ROUNDS):
        yield prometheus({n: [fire("render", host=f"h{n}")]})


@dataclass(frozen=True)
class Sent:
    """What was published: how many alerts that can be understood, and how many records that cannot."""

    alerts: int
    dead: int


async def publish_alerts(settings: Settings) -> Sent:
    """The storm, in order within each raw partition."""
    assert {shard_of(("default", site), SHARDS) for site in SITES} == set(range(SHARDS)), "every shard has a site"
    names = TopicNames.with_prefix(settings.topic_prefix)
    bus = Bus.of(settings)
    producer: AIOKafkaProducer = await bus.start(bus.producer())
    now = time.time_ns() // 1_000_000
    streams = [stream for site in SITES for stream in _streams(site, now)]
    alerts, dead, acknowledged = 0, 0, []

    async def send(partition: int, source: str, value: bytes) -> None:
        headers = [("source", source.encode())]
        acknowledged.append(await producer.send(names.alerts, value, partition=partition, headers=headers))

    try:
        for number in range(ROUNDS):
            talking = [(n, s, said) for n, s in enumerate(streams) if (said := s.at(number)) is not None]
            for turn in range(A_ROUND):
                n, stream, said = talking[turn % len(talking)]
                await send(n % settings.raw_partitions, stream.source, said)
                alerts += stream.alerts
            if number % 4 == 1:
                for value in (*DEAD, encode(_command("nobody", Verb.RESOLVE, "s00-aaaaaaaaaaaaaaaa"))):
                    await send(0, "stormfold" if value not in DEAD else "prometheus", value)
                    dead += 1
        for each in acknowledged:
            await each
    finally:
        await producer.stop()
    return Sent(alerts, dead)


def _command(name: str, verb: Verb, incident: str) -> CommandEnvelope:
    return CommandEnvelope(CommandBody(name, verb, incident, "ann", "seen"))


async def publish_answers(settings: Settings, acknowledge: list[str], resolve: list[str]) -> int:
    """People's answers as the gateway writes them, and one that means nothing; returns how many are dead."""
    names = TopicNames.with_prefix(settings.topic_prefix)
    bus = Bus.of(settings)
    producer: AIOKafkaProducer = await bus.start(bus.producer())
    said = [(Verb.ACKNOWLEDGE, name) for name in (*acknowledge, *resolve)]
    said += [(Verb.RESOLVE, name) for name in resolve]
    said.append((Verb.RESOLVE, "no incident at all"))
    try:
        for n, (verb, incident) in enumerate(said):
            value = encode(_command(f"answer-{n}", verb, incident))
            await producer.send_and_wait(
                names.answers, value, key=incident.encode(), headers=[("source", b"stormfold")]
            )
    finally:
        await producer.stop()
    return 1

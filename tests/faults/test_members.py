"""Members that come and go, duplicates from many partitions, and the same signals read again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from kernel.config.schema import Config, RouteConfig, RuleConfig, ServiceConfig, SourceConfig, TeamConfig, Webhook
from kernel.model.naming import shard_of, shard_of_incident
from tests.conftest import Broker
from tests.pipeline.harness import Pipeline, State, body, firing, pipeline, resolved, simple_config
from tests.servers.receiver import Receiver

kafka_only = pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real)], indirect=True)
SHARDS = 32
# One tenant on each of sixteen shards.
TENANTS = list({shard_of((f"tenant-{n}",), SHARDS): n for n in reversed(range(64))}.values())[:16]


def now() -> int:
    return time.time_ns() // 1_000_000


def pages(receiver: Receiver) -> Counter[str]:
    return Counter(r.headers["webhook-id"] for r in receiver.received if r.json()["type"].split(".")[-2] == "page")


async def test_ten_thousand_duplicates_from_four_partitions_are_one_incident_and_one_page(
    broker: Broker, valkey_url: str, receiver: Receiver
) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        await p.start_all()
        alert = body(firing("Same", now(), service="checkout", severity="critical"))
        await asyncio.gather(*(p.send([alert] * 2_500, partition=n) for n in range(4)))
        state = await p.until("all are counted", lambda s: s.count >= 10_000, 60)
        await receiver.wait_count(1)
        await asyncio.sleep(1.5)
        state = await p.state()
        assert [doc.count for doc in state.incidents.values()] == [10_000]
        assert [member.count for member in state.members.values()] == [10_000]
        assert list(pages(receiver).values()) == [1]
        assert not state.totals


def essence(state: State) -> dict[str, tuple[object, ...]]:
    """What must not depend on who read the signals."""
    return {
        doc.id: (doc.rule, doc.group_key, doc.status, doc.reached, doc.episode, doc.count, tuple(sorted(doc.sample)))
        for doc in state.incidents.values()
    }


async def copy_signals(p: Pipeline, to: Pipeline) -> None:
    """The same records of `signals`, in order, under the other deployment's prefix."""
    producer = await p.context().bus.start(p.context().bus.producer())
    try:
        for record in await p._records(p.topics.signals):
            await producer.send_and_wait(to.topics.signals, record.value, partition=record.partition)
    finally:
        await producer.stop()


@kafka_only
async def test_the_same_signals_give_the_same_ids_again(broker: Broker, valkey_url: str, receiver: Receiver) -> None:
    config = simple_config(receiver.url + "/hook")
    place = (broker.bootstrap, broker.kind, valkey_url, broker.topics)
    again: dict[str, Any] = {"namespace": broker.prefix + "again", "downstream_prefix": broker.prefix + "again."}
    async with (
        pipeline(*place, broker.prefix, config) as p,
        pipeline(*place, broker.prefix, config, **again) as q,
    ):
        await p.start_all()
        t = now()
        for make in (firing, resolved, firing):
            # A resolve and a new episode of one service out of three.
            services = ("checkout", "reports", "cart") if make is firing else ("cart",)
            await p.send(
                [
                    body(make(f"A{n % 7}", t, service=services[n % len(services)], severity="critical"))
                    for n in range(42)
                ]
            )
        first = await p.until("all is counted and told", lambda s: s.count == 126 and len(s.incidents) == 3 and told(s))
        assert {len(doc.episodes) for doc in first.incidents.values()} == {1, 2}
        await copy_signals(p, q)
        await asyncio.gather(q.start("correlator"), q.start("notifier"))
        second = await q.until("all is counted and told again", lambda s: s.count == 126 and told(s))
        assert essence(second) == essence(first)
        assert second.deliveries == first.deliveries
        assert {member.incident for member in second.members.values()} == set(first.incidents)


def told(state: State) -> bool:
    """Whether every incident has deliveries, and each of these came to its end."""
    return set(state.ledgers) == set(state.incidents) and all(
        doc.ledger and all(entry.final for entry in doc.ledger) for doc in state.ledgers.values()
    )


def many_tenants(url: str) -> Config:
    """A source a tenant; every tenant's alerts of one service are one incident."""
    return Config(
        sources={f"t{n}": SourceConfig(adapter="prometheus", tenant=f"tenant-{n}") for n in TENANTS},
        teams={"sre": TeamConfig(page=("hook",))},
        services={"checkout": ServiceConfig(tier=1)},
        rules=(RuleConfig(name="by-service", group_by=("service",)),),
        routes=(RouteConfig(team="sre"),),
        channels={"hook": Webhook(url=url, allow_private=True, per_minute=60_000)},
    )


def judged(p: Pipeline, role: int) -> float:
    """Alerts that one ingest member judged."""
    metric = p.roles[role].context.metrics.alerts_total
    return sum(s.value for m in metric.collect() for s in m.samples if s.name.endswith("_total"))


def turns(p: Pipeline, role: int) -> float:
    """Facts that one correlator member decided."""
    metric = p.roles[role].context.metrics.incident_facts_total
    return sum(s.value for m in metric.collect() for s in m.samples if s.name.endswith("_total"))


@kafka_only
async def test_two_ingest_and_two_correlator_members_come_and_go(
    broker: Broker, valkey_url: str, receiver: Receiver
) -> None:
    config = many_tenants(receiver.url + "/hook")
    settings = {"shards": SHARDS, "raw_partitions": 4, "session_timeout_ms": 1_000}
    async with pipeline(
        broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config, **settings
    ) as p:
        sent = 0

        async def storm(rounds: int, episode: int) -> None:
            nonlocal sent
            for _ in range(rounds):
                await asyncio.gather(
                    *(
                        p.send(
                            [body(firing(f"E{episode}", now(), service="checkout", severity="critical"))] * 3,
                            source=f"t{n}",
                            partition=place % 4,
                        )
                        for place, n in enumerate(TENANTS)
                    )
                )
                sent += 3 * len(TENANTS)

        for role in ("notifier", "correlator", "ingest"):
            await p.start(role)
        await storm(1, 0)
        await p.until("the first members work", lambda s: s.count == sent, 60)
        second_ingest, second_correlator = len(p.roles), len(p.roles) + 1
        await p.start("ingest")
        await p.start("correlator")
        for episode in range(1, 30):
            await storm(1, episode)
            if judged(p, second_ingest) and turns(p, second_correlator):
                break
            await asyncio.sleep(0.5)
        assert judged(p, second_ingest), "the second ingest member never worked"
        assert turns(p, second_correlator), "the second correlator never worked"
        await asyncio.gather(p.roles[2].kill(), p.roles[1].finish())
        await storm(2, 50)
        state = await p.until("every alert is counted", lambda s: s.count == sent, 60)
        each = sent // len(TENANTS)
        assert {doc.tenant: doc.count for doc in state.incidents.values()} == {f"tenant-{n}": each for n in TENANTS}
        assert len({shard_of_incident(name) for name in state.incidents}) == 16
        assert not [name for name in state.totals if name.startswith(("inexact", "unattributed"))]
        await receiver.wait_for(lambda _: len(pages(receiver)) == len(TENANTS))
        assert set(pages(receiver).values()) == {1}

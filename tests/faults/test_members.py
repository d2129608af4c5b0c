"""Members that come and go, duplicates from many partitions, and the same signals read again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from kernel.config.schema import Config, RouteConfig, RuleConfig, ServiceConfig, SourceConfig, TeamConfig, Webhook
from tests.conftest import Broker
from tests.pipeline.harness import Pipeline, State, body, firing, pipeline, simple_config
from tests.servers.receiver import Receiver

kafka_only = pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real)], indirect=True)
TENANTS = 64
SHARDS = 32


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


@kafka_only
async def test_the_same_signals_give_the_same_ids_again(broker: Broker, valkey_url: str, receiver: Receiver) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        await p.start_all()
        t = now()
        bodies = [
            body(firing(f"A{n % 7}", t, service=("checkout", "reports", "cart")[n % 3], severity="critical"))
            for n in range(60)
        ]
        await p.send(bodies)
        first = await p.until("all are counted", lambda s: s.count == 60)
        ids = {row.key.delivery_id for row in await p.rows()}
        # Another deployment over the same `signals`: other keys, other groups, its own facts and deliveries.
        again = Pipeline(p.settings.model_copy(update={"namespace": p.settings.namespace + "again"}), config)
        try:
            await again.start("correlator")
            second = await again.until("all are counted again", lambda s: s.count == 60)
        finally:
            await again.close()
        assert essence(second) == essence(first)
        assert len(ids) == len(first.incidents)


def many_tenants(url: str) -> Config:
    """A source a tenant; every tenant's alerts of one service are one incident."""
    return Config(
        sources={f"t{n}": SourceConfig(adapter="prometheus", tenant=f"tenant-{n}") for n in range(TENANTS)},
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
                            partition=n // 4 % 4,
                        )
                        for n in range(0, TENANTS, 4)
                    )
                )
                sent += 3 * TENANTS // 4

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
        each = sent // (TENANTS // 4)
        assert {doc.tenant: doc.count for doc in state.incidents.values()} == {
            f"tenant-{n}": each for n in range(0, TENANTS, 4)
        }
        assert len({name.split("-")[0] for name in state.incidents}) >= 8
        assert not [name for name in state.totals if name.startswith(("inexact", "unattributed"))]
        await receiver.wait_for(lambda _: len(pages(receiver)) == TENANTS // 4)
        assert set(pages(receiver).values()) == {1}

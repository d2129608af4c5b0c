"""A store set back, and wiped, under living owners: noticed within seconds, healed or stopped loudly, nothing twice."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from kernel.model.incident import IncidentStatus
from tests.conftest import Broker
from tests.pipeline.harness import Pipeline, Role, body, firing, pipeline, resolved, simple_config
from tests.servers.receiver import Receiver
from tests.servers.valkey import StoreServer, restore, snapshot

# Every owner takes a turn a second, so a second is the promise; three are the bound for a slow machine, and a claim.
NOTICED_WITHIN = 10.0

kafka_only = pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real)], indirect=True)


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
async def client(own_valkey: StoreServer) -> AsyncIterator[Any]:
    made = Redis.from_url(own_valkey.url)
    yield made
    await made.aclose()


async def eventually(what: str, check: Any, deadline: float = 30.0) -> None:
    end = time.monotonic() + deadline
    while not check():
        assert time.monotonic() < end, f"not within {deadline} s: {what}"
        await asyncio.sleep(0.05)


def claims(role: Role, outcome: str) -> float:
    value: float = role.context.metrics.claims_total.labels(role.task.get_name(), outcome)._value.get()
    return value


async def start(p: Pipeline) -> dict[str, Role]:
    return {role: await p.start(role) for role in ("notifier", "correlator", "ingest")}


def pages(receiver: Receiver, kind: str = "page") -> list[str]:
    return [r.headers["webhook-id"] for r in receiver.received if r.json()["type"].split(".")[-2] == kind]


@kafka_only
async def test_a_store_set_back_under_living_owners_heals_and_pages_nobody_twice(
    broker: Broker, own_valkey: StoreServer, client: Any, receiver: Receiver
) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, own_valkey.url, broker.topics, broker.prefix, config) as p:
        roles = await start(p)
        a: dict[str, Any] = {"service": "checkout", "severity": "critical"}
        await p.send([body(firing("A", now(), **a))] * 5)
        await p.until("A is in", lambda s: s.count == 5)
        await receiver.wait_count(1)
        await asyncio.sleep(1.2)  # The outcome of the page is in the ledger by the next pulse.
        before = await snapshot(client)
        await p.send([body(firing("B", now(), **a)), body(firing("C", now(), service="reports", severity="critical"))])
        await p.until("B and C are in", lambda s: s.count == 7 and len(s.incidents) == 2)
        await receiver.wait_count(2)
        claimed = claims(roles["correlator"], "taken"), claims(roles["notifier"], "taken")
        await restore(client, before)
        await eventually(
            "both roles noticed",
            lambda: (
                claims(roles["correlator"], "taken") > claimed[0] and claims(roles["notifier"], "taken") > claimed[1]
            ),
            NOTICED_WITHIN,
        )
        state = await p.until("everything is there again", lambda s: s.count >= 7 and len(s.incidents) == 2)
        assert {doc.status for doc in state.incidents.values()} == {IncidentStatus.OPEN}
        await p.send([body(resolved("A", now(), **a), resolved("B", now(), **a))])
        await p.send([body(resolved("C", now(), service="reports", severity="critical"))])
        await p.until("resolved", lambda s: all(d.status is IncidentStatus.RESOLVED for d in s.incidents.values()))
        await eventually("both resolves arrived", lambda: len(set(pages(receiver, "resolve"))) == 2)
        assert len(pages(receiver)) == len(set(pages(receiver))), "a page was sent twice"


@kafka_only
async def test_an_idle_owner_notices_too(
    broker: Broker, own_valkey: StoreServer, client: Any, receiver: Receiver
) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, own_valkey.url, broker.topics, broker.prefix, config) as p:
        roles = await start(p)
        await p.send([body(firing("A", now(), service="checkout", severity="critical"))])
        await receiver.wait_count(1)
        before = await snapshot(client)
        await asyncio.sleep(2.5)  # Idle turns are taken meanwhile; nothing else happens.
        claimed = {role: claims(roles[role], "taken") for role in ("correlator", "notifier")}
        await restore(client, before)
        for role, many in claimed.items():
            await eventually(
                f"the idle {role} noticed", lambda r=role, n=many: claims(roles[r], "taken") > n, NOTICED_WITHIN
            )
        await asyncio.sleep(1.5)
        assert len(pages(receiver)) == 1


@kafka_only
async def test_a_wiped_store_stops_loudly_and_writes_nothing(
    broker: Broker, own_valkey: StoreServer, client: Any, receiver: Receiver
) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, own_valkey.url, broker.topics, broker.prefix, config) as p:
        roles = await start(p)
        await p.send([body(firing("A", now(), service="checkout", severity="critical"))])
        await receiver.wait_count(1)
        await asyncio.sleep(2.5)  # Both groups have committed by now, so the shards are no fresh ones.
        await client.flushall()
        for role in ("correlator", "notifier"):
            health = roles[role].context.health

            def lost(role: str = role, health: Any = health) -> bool:
                ready, checks = health.ready()
                said = checks.get(role, {"reason": ""})["reason"]
                return not ready and re.search(rf"4 shards lost.*shard reset s0\d --role {role}", said) is not None

            await eventually(f"the {role} says that its shards are lost, and the way out", lost, NOTICED_WITHIN)
        await p.send([body(firing("B", now(), service="reports", severity="critical"))])
        await asyncio.sleep(2.0)
        keys = {key.decode().split(":", 1)[1] for key in await client.keys("*")}
        assert not {key for key in keys if ":c:" in key or ":n:" in key}, "a lost shard was written to"
        assert len(pages(receiver)) == 1

"""Answers to alerts and changes through real topics: what waits and what is kept outlives the correlator."""

from __future__ import annotations

import asyncio
import time

import orjson
import pytest

from ingest.adapters.commands import Commands
from kernel.model.codec import encode
from kernel.model.incident import Fact, IncidentStatus
from kernel.model.naming import fingerprint
from kernel.model.signals import CommandBody, CommandEnvelope, Verb
from kernel.store.changes import ChangeReader
from kernel.store.client import RedisStore
from kernel.store.keys import Keys
from tests.conftest import Broker
from tests.pipeline.harness import Pipeline, body, firing, pipeline, simple_config
from tests.servers.receiver import Receiver

DOMAINS = pytest.mark.parametrize("domain", [(), ("site",)], ids=["one shard", "every shard"])


def command(number: int, verb: Verb, alert: str, note: str = "") -> bytes:
    """An answer to an alert, as a gateway writes it."""
    given = CommandBody(f"c{number}", verb, by="ann", note=note, alert=alert, tenant="default")
    return encode(CommandEnvelope(given))


def change(outcome: str, at: str) -> bytes:
    """A pipeline run as CDEvents tells it."""
    context = {
        "specversion": "0.5.0",
        "id": f"ev-{outcome}",
        "source": "/ci/eu",
        "timestamp": at,
        "type": f"dev.cdevents.pipelinerun.{'started' if outcome == 'started' else 'finished'}.0.2.0",
    }
    content = {"pipelineName": "checkout", **({} if outcome == "started" else {"outcome": outcome})}
    return orjson.dumps({"context": context, "subject": {"id": "run-9", "source": "/ci/eu", "content": content}})


async def changes(p: Pipeline) -> list[tuple[str, str, int, int]]:
    """What is kept of changes."""
    store = RedisStore(p.settings.redis.get_secret_value())
    try:
        listing = await ChangeReader(store, Keys(p.settings.namespace), p.settings.shards).recent()
    finally:
        await store.close()
    return [(k.change.name, k.change.outcome.value, k.first, k.change.when) for k in listing.changes]


@DOMAINS
@pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_an_answer_that_waits_for_its_alert_outlives_the_correlator(
    broker: Broker, valkey_url: str, receiver: Receiver, domain: tuple[str, ...]
) -> None:
    config = simple_config(receiver.url + "/hook")
    correlation = type(config.correlation)(domain=domain)
    config = simple_config(receiver.url + "/hook", correlation=correlation)
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        await p.start_all()
        labels = {"alertname": "Down", "service": "checkout", "severity": "critical", "site": "eu"}
        alert = fingerprint("default", "prometheus", labels)
        now = time.time_ns() // 1_000_000
        answers = [command(1, Verb.ACKNOWLEDGE, alert), command(2, Verb.NOTE, alert, "on it")]
        await p.send(answers, Commands.name, 0, p.topics.answers)
        store = RedisStore(p.settings.redis.get_secret_value())
        keys = [Keys(p.settings.namespace).correlator(n, "waiting") for n in range(p.settings.shards)]
        async with asyncio.timeout(30):
            while sum([f"c:alert/{alert}".encode() in await store.hgetall(key) for key in keys]) < (4 if domain else 1):
                await asyncio.sleep(0.05)
        await p.roles[1].kill()
        await p.start("correlator")
        # It was sent before its answer, and comes after it.
        await p.send([body(firing("Down", now, service="checkout", severity="critical", site="eu"))], at=now)
        state = await p.until(
            "acknowledged", lambda s: {d.status for d in s.incidents.values()} == {IncidentStatus.ACKNOWLEDGED}
        )
        (doc,) = state.incidents.values()
        assert (doc.answered_by, doc.answers) == ("ann", ["c1", "c2"])
        assert [event.fact for event in await p.facts()] == [Fact.OPENED, Fact.ACKNOWLEDGED, Fact.NOTED]
        assert await p.dead() == []
        await store.close()


@pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_changes_outlive_the_correlator_and_page_nobody(
    broker: Broker, valkey_url: str, receiver: Receiver
) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        await p.start_all()
        begun, over = 1_772_438_400_000, 1_772_438_700_000
        await p.send([change("started", "2026-03-02T08:00:00Z")], "cdevents")
        async with asyncio.timeout(30):
            while await changes_or_none(p) != [("checkout", "started", begun, begun)]:
                await asyncio.sleep(0.05)
        await p.roles[1].kill()
        await p.start("correlator")
        await p.send([change("failure", "2026-03-02T08:05:00Z")], "cdevents")
        async with asyncio.timeout(30):
            while await changes(p) != [("checkout", "failed", begun, over)]:
                await asyncio.sleep(0.05)
        state = await p.state()
        assert (state.incidents, state.members, state.totals, receiver.received) == ({}, {}, {}, [])


async def changes_or_none(p: Pipeline) -> list[tuple[str, str, int, int]] | None:
    """None while no correlator has claimed its shards."""
    try:
        return await changes(p)
    except RuntimeError:
        return None

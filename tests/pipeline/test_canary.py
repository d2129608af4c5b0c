"""A canary goes from the gateway through everything to its channel, and shows nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ingest.gateway.app import Gateway
from kernel.config.heartbeat import CanaryConfig
from kernel.config.values import Duration
from kernel.model.delivery import Action, Outcome
from kernel.model.incident import Priority
from kernel.model.own import CANARY_CHANNEL, CANARY_RULE
from kernel.store.client import RedisStore
from kernel.store.incidents import IncidentReader
from kernel.store.keys import Keys
from kernel.telemetry.metrics import Metrics
from tests.conftest import Broker
from tests.pipeline.harness import Pipeline, Role, pipeline, simple_config
from tests.servers.receiver import Receiver

DEADLINE = 60.0


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """A sample, None where there is none."""
    return metrics.registry.get_sample_value(name, labels)


async def wait(what: str, reached: Callable[[], bool]) -> None:
    """Poll until it is so."""
    end = asyncio.get_running_loop().time() + DEADLINE
    while not reached():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.05)


async def nothing_shows(p: Pipeline, roles: dict[str, Role]) -> None:
    """No list, no count and no metric of incidents or alerts tells of canaries."""
    store = RedisStore(p.settings.redis.get_secret_value())
    try:
        listed = await IncidentReader(store, Keys(p.settings.namespace), p.settings.shards).list()
    finally:
        await store.close()
    assert listed.incidents == []
    for name in ("stormfold_incidents", "stormfold_incident_facts_total"):
        for metric in roles["correlator"].context.metrics.registry.collect():
            for sample in metric.samples:
                assert sample.name != name or sample.value == 0, sample
    for metric in (*roles["ingest"].context.metrics.registry.collect(),):
        for sample in metric.samples:
            assert sample.name != "stormfold_alerts_total" or sample.value == 0, sample
    pages = roles["notifier"].context.metrics.pages_total.collect()
    assert [sample for metric in pages for sample in metric.samples if sample.value] == []


@pytest.mark.timeout(180)
async def test_a_canary_comes_through_and_shows_nowhere_else(
    broker: Broker, valkey_url: str, receiver: Receiver
) -> None:
    config = simple_config(receiver.url + "/hook", canary=CanaryConfig(every=Duration(1_000)))
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        p.settings = p.settings.model_copy(update={"port": 0})
        roles = {role: await p.start(role) for role in ("notifier", "correlator", "ingest")}
        door = p.context()
        gateway = Gateway(door, canary=True)
        await gateway.start()
        try:
            seen = roles["notifier"].context.metrics
            sent = {"channel": "canary", "action": "update", "outcome": "sent"}
            await wait("three came through", lambda: (value(seen, "stormfold_deliveries_total", **sent) or 0) >= 3)
            age = value(seen, "stormfold_canary_age_seconds", role="notifier")
            latency = value(seen, "stormfold_canary_latency_seconds", role="notifier")
            assert age is not None
            assert latency is not None
            assert (age < DEADLINE, 0 < latency < DEADLINE) == (True, True)
            assert value(seen, "stormfold_canary_every_seconds", role="notifier") == 1
            assert (value(door.metrics, "stormfold_canary_sent_total", outcome="accepted") or 0) >= 3
            state = await p.until(
                "the first ones are over", lambda s: sum(not d.status.live for d in s.incidents.values()) > 1
            )
            assert {(d.rule, d.score.priority) for d in state.incidents.values()} == {(CANARY_RULE, Priority.P4)}
            rows = {(e.key.target, e.key.action) for doc in state.ledgers.values() for e in doc.ledger}
            assert rows == {(CANARY_CHANNEL, Action.UPDATE)}
            assert Outcome.SENT in state.deliveries.values()
            await nothing_shows(p, roles)
            # Where nothing correlates none comes through, and its age says so.
            await roles["correlator"].finish()
            before = value(seen, "stormfold_canary_age_seconds", role="notifier") or 0.0
            await wait(
                "it ages", lambda: (value(seen, "stormfold_canary_age_seconds", role="notifier") or 0) > before + 4
            )
            await p.start("correlator")
            await wait(
                "it is young again", lambda: (value(seen, "stormfold_canary_age_seconds", role="notifier") or 9) < 3
            )
        finally:
            await gateway.stop(3.0)
        assert receiver.received == []


@pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_turned_off_there_is_none_and_no_age(broker: Broker, valkey_url: str, receiver: Receiver) -> None:
    config = simple_config(receiver.url + "/hook", canary=CanaryConfig(every=Duration(0)))
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        p.settings = p.settings.model_copy(update={"port": 0})
        role, door = await p.start("notifier"), p.context()
        gateway = Gateway(door, canary=True)
        await gateway.start()
        try:
            await wait("ready", lambda: role.context.health.ready()[0])
            await asyncio.sleep(1.0)
            assert value(role.context.metrics, "stormfold_canary_age_seconds", role="notifier") == 0
            assert value(door.metrics, "stormfold_canary_sent_total", outcome="accepted") is None
        finally:
            await gateway.stop(3.0)

"""A real Prometheus whose Watchdog always fires: it is stopped, somebody is paged once, it comes back, that resolves.

The correlator dies twice meanwhile, once with the opening published and not yet taken from its outbox.
"""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from correlator.state import Beat
from kernel.config.heartbeat import HeartbeatConfig
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity
from kernel.model.incident import IncidentStatus
from kernel.model.naming import shard_of
from kernel.steps import Step
from kernel.store.client import RedisStore
from kernel.store.keys import Keys
from tests.conftest import Broker
from tests.pipeline.harness import Pipeline, Role, State, body, firing, simple_config
from tests.scenarios import pages
from tests.scenarios.inprocess import House, house
from tests.servers import prometheus
from tests.servers.receiver import Receiver

EVERY = 8
"""Seconds; Prometheus repeats each second."""
DEADLINE = 60.0
PROMETHEUS = """\
global: {{evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - api_version: v2
      static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
WATCHDOG = """\
groups:
  - name: dead man's switch
    rules: [{alert: Watchdog, expr: vector(1), labels: {severity: none}}]
"""
HEARTBEAT = HeartbeatConfig(
    name="watchdog",
    source="prometheus",
    match=('alertname="Watchdog"',),
    every=Duration(EVERY * 1_000),
    severity=Severity.CRITICAL,
    service="checkout",
)


class Dies:
    """Ends a role at its first passing of a step."""

    def __init__(self, step: Step) -> None:
        self._step = step

    async def at(self, step: Step, shard: int = -1) -> None:
        """As if its process were gone."""
        del shard
        if step is self._step:
            raise asyncio.CancelledError


async def beat(p: Pipeline) -> Beat | None:
    """What the home shard knows of the heartbeat."""
    store = RedisStore(p.settings.redis.get_secret_value())
    try:
        key = Keys(p.settings.namespace).correlator(shard_of(("default",), p.settings.shards), "waiting")
        held = await store.hget(key, "h:watchdog")
    finally:
        await store.close()
    return None if held is None else msgspec.json.decode(held, type=Beat)


async def beating(h: House, after: int) -> None:
    """Wait until a heartbeat that arrived after that time is known."""
    async with asyncio.timeout(DEADLINE):
        while (found := await beat(h.pipeline)) is None or found.newest <= after:
            await asyncio.sleep(0.1)


def back(state: State) -> bool:
    """Whether the heartbeat's incident, and there is one, is over."""
    return [d.status for d in state.incidents.values() if d.rule == "heartbeat"] == [IncidentStatus.RESOLVED]


async def ended(role: Role) -> None:
    """Wait until the role is gone."""
    done, _ = await asyncio.wait([role.task], timeout=DEADLINE)
    assert done, "the role did not come to the step at which it ends"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real)], indirect=True)
async def test_a_watchdog_that_stays_away_pages_once_and_resolves_when_it_is_back(
    broker: Broker, valkey_url: str, receiver: Receiver
) -> None:
    config = simple_config(receiver.url + "/hook", sources={"prometheus": SourceConfig()}, heartbeats=(HEARTBEAT,))
    async with house(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as h:
        text = PROMETHEUS.format(port=h.port)
        flags = ["--rules.alert.resend-delay=1s"]
        with prometheus.running(text, WATCHDOG, flags):
            await beating(h, 0)
            now = time.time_ns() // 1_000_000
            await beating(h, now + EVERY * 1_000)
            state = await h.pipeline.state()
            assert (state.incidents, state.members, state.count) == ({}, {}, 0)
        await h.roles[1].kill()
        dies = await h.pipeline.start("correlator", Dies(Step.CORRELATOR_PUBLISHED))
        await ended(dies)
        h.roles[1] = await h.pipeline.start("correlator")
        (page,) = await receiver.wait_count(1, DEADLINE)
        assert pages.kind(page) == "page"
        assert pages.data(page)["group"] == {"heartbeat": "watchdog"}
        await h.roles[1].kill()
        h.roles[1] = await h.pipeline.start("correlator")
        await h.pipeline.send([body(firing("Down", time.time_ns() // 1_000_000, service="cart", severity="critical"))])
        await receiver.wait_count(2, DEADLINE)
        with prometheus.running(text, WATCHDOG, flags):
            await h.pipeline.until("the heartbeat's incident is resolved", back, DEADLINE)
            got = await receiver.wait_count(3, DEADLINE)
        mine = [pages.kind(r) for r in got if "heartbeat" in pages.data(r)["group"]]
        assert mine == ["page", "resolve"]
        assert set(pages.copies(got).values()) == {1}
        state = await h.pipeline.state()
        assert (state.count, state.totals) == (1, {})

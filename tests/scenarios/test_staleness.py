"""Silence, stops and commands beside a real Prometheus that goes on firing: none of them pages again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import orjson
import pytest

from kernel.bus.topic_ids import topic_ids
from kernel.bus.topics import KafkaTopics, topic_specs
from kernel.config.schema import SourceConfig
from kernel.model.incident import IncidentStatus
from kernel.model.state import IncidentDoc, MemberState
from tests.pipeline.harness import simple_config
from tests.scenarios import pages
from tests.scenarios.application import RULES, application, fails, host
from tests.scenarios.inprocess import OPERATOR, House, house
from tests.servers.prometheus import Prometheus
from tests.servers.receiver import Receiver

RESEND = 5
HORIZON = 4 * RESEND
"""Seconds that Prometheus puts between sending a firing alert and its `endsAt`."""
FIRING = 4 * HORIZON
DEADLINE = 60.0

PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s, scrape_timeout: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: application
    static_configs: [{{targets: ["{application}"]}}]
alerting:
  alertmanagers:
    - api_version: v2
      static_configs: [{{targets: [{alertmanagers}]}}]
"""

Trouble = Callable[[House, Receiver], Awaitable[None]]


async def incident(h: House) -> IncidentDoc:
    """The one incident."""
    (doc,) = (await h.pipeline.state()).incidents.values()
    return doc


async def none(h: House, receiver: Receiver) -> None:
    """Nothing but firing, for many times the horizon."""


async def stopped(h: House, receiver: Receiver) -> None:
    """All roles are away for longer than the horizon; the door opens after the others have looked around."""
    await asyncio.sleep(RESEND)
    await h.stop()
    await asyncio.sleep(HORIZON * 1.25)
    await h.start(shut=4.0)


async def resolved_by_command(h: House, receiver: Receiver) -> None:
    """A person resolves what still fires; it goes on firing."""
    await asyncio.sleep(RESEND)
    doc = await incident(h)
    path = f"/api/v1/incidents/{doc.id}/resolve"
    status, body = await h.post(path, b"", authorization=f"Bearer {OPERATOR}", content_type="application/json")
    assert status == 200, body
    assert orjson.loads(body)["firing"] == 1
    await pages.wait_kinds(receiver, "checkout", ["page", "resolve"], DEADLINE)
    before = (await incident(h)).count
    await h.pipeline.until("counts go on", lambda s: s.count >= before + 3, DEADLINE)
    doc = await incident(h)
    assert (doc.status, doc.firing, doc.handled) == (IncidentStatus.RESOLVED, 0, 1)


async def partition_added(h: House, receiver: Receiver) -> None:
    """`alerts.raw` gets another partition, and alerts come over it."""
    settings, name = h.pipeline.settings, h.pipeline.topics.alerts
    more = settings.raw_partitions + 1
    await KafkaTopics(settings.kafka).apply(
        topic_specs(settings.topic_prefix, settings.shards, more, settings.answers_partitions)
    )
    doc = await incident(h)
    async with asyncio.timeout(DEADLINE):
        while more - 1 not in {record.partition for record in await h.pipeline._records(name)}:
            await asyncio.sleep(0.5)
    await h.pipeline.until("the new partition is read", lambda s: s.count > doc.count + 2, DEADLINE)
    assert h.door is not None
    producer = await h.door.bus.start(h.door.bus.producer())
    try:
        assert (await topic_ids(producer.client, [name]))[name].partitions == more
    finally:
        await producer.stop()


async def one_page(h: House, receiver: Receiver, trouble: Trouble, cleared: asyncio.Event) -> None:
    """Fires from start to end with some trouble in between, and is paged once and resolved once."""
    name = trouble.__name__
    await pages.wait_kinds(receiver, "checkout", ["page"], DEADLINE)
    await trouble(h, receiver)
    await cleared.wait()
    await h.pipeline.until(
        f"{name}: seen as resolved",
        lambda s: [m.state for m in s.members.values()] == [MemberState.RESOLVED],
        DEADLINE,
    )
    await pages.wait_kinds(receiver, "checkout", ["page", "resolve"], DEADLINE)
    # What is over is repeated once more by then.
    await asyncio.sleep(RESEND + 2)
    assert pages.kinds(receiver.received) == ["page", "resolve"], name
    doc = await incident(h)
    assert (doc.status, len(doc.episodes) or 1) == (IncidentStatus.RESOLVED, 1), name
    on_kafka = sum(len(orjson.loads(record.value)) for record in await h.pipeline._records(h.pipeline.topics.alerts))
    await h.pipeline.until(f"{name}: every alert is counted", lambda s: s.count >= on_kafka, DEADLINE)


@pytest.mark.timeout(300)
async def test_what_goes_on_firing_is_paged_once(
    kafka_bootstrap: str, valkey_url: str, prefix: str, prometheus: Callable[..., Prometheus]
) -> None:
    """One Prometheus, resending every 5 s, before four deployments at once; each has a trouble of its own."""
    troubles: list[Trouble] = [none, stopped, resolved_by_command, partition_added]
    cleared = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack, application() as app:
        fails(app, 20)
        houses, receivers = [], []
        for number, _ in enumerate(troubles):
            receiver = Receiver()
            await receiver.start()
            stack.push_async_callback(receiver.stop)
            config = simple_config(receiver.url + "/hook", sources={"prometheus": SourceConfig()})
            topics = KafkaTopics(kafka_bootstrap)
            own = f"{prefix}{number}."
            made = house(kafka_bootstrap, "kafka", valkey_url, topics, own, config, raw_partitions=2)
            houses.append(await stack.enter_async_context(made))
            receivers.append(receiver)
        server = prometheus(
            PROMETHEUS.format(application=host(app.url), alertmanagers=", ".join(f'"{host(h.url)}"' for h in houses)),
            RULES.format(name="Failing", service="checkout"),
            [f"--rules.alert.resend-delay={RESEND}s"],
        )

        async def clear() -> None:
            for receiver in receivers:
                await pages.wait_kinds(receiver, "checkout", ["page"], DEADLINE)
            began = time.monotonic()
            await asyncio.sleep(FIRING)
            assert server.process.alive()
            assert time.monotonic() - began >= 4 * HORIZON
            fails(app, 0)
            cleared.set()

        runs = [one_page(h, r, t, cleared) for h, r, t in zip(houses, receivers, troubles, strict=True)]
        results = await asyncio.gather(clear(), *runs, return_exceptions=True)
        if failures := [result for result in results if isinstance(result, Exception)]:
            raise ExceptionGroup("not one page", failures)

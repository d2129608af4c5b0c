"""Kafka goes away and comes back: nothing that was acknowledged is lost, and every refusal says when to come again."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from ingest.gateway.collector import HOLD, HeldBack, NotAcknowledged
from kernel.bus.topics import KafkaTopics
from stormfold.embedded.servers import EmbeddedServers, HostProcess
from tests.conftest import Broker
from tests.gateway.conftest import Running, Start
from tests.servers.kafka import JavaKafka
from tests.servers.process import ServerMissing

PRODUCE = 0
OUT_OF_ORDER_SEQUENCE = 45
PATH = "/v1/sources/generic"


@pytest.fixture
def own_embedded() -> Iterator[HostProcess]:
    """A host of this test alone: it is taken down."""
    host = HostProcess()
    yield host
    host.stop()


@pytest.fixture
def own_kafka(kafka_bootstrap: str) -> Iterator[JavaKafka]:
    """A Kafka of this test alone: it is killed. (The shared one is asked for because it reports what is missing.)"""
    try:
        server = JavaKafka()
    except ServerMissing as error:
        pytest.skip(str(error))
    yield server
    server.stop()


async def _storm(running: Running, stop: asyncio.Event, statuses: dict[bytes, int]) -> None:
    number = 0

    async def sender(lane: int) -> None:
        nonlocal number
        while not stop.is_set():
            number += 1
            body = b'{"n":%d,"lane":%d}' % (number, lane)
            status, answer, headers = await running.post(PATH, body)
            statuses[body] = status
            if status == 503:
                assert headers["retry-after"].isdigit()
                assert b"try again" in answer
            await asyncio.sleep(0.005)

    await asyncio.gather(*(sender(lane) for lane in range(16)))


@contextlib.asynccontextmanager
async def _under_storm(running: Running) -> AsyncIterator[dict[bytes, int]]:
    stop, statuses = asyncio.Event(), dict[bytes, int]()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(_storm(running, stop, statuses))
        try:
            yield statuses
        finally:
            stop.set()


async def _until(statuses: dict[bytes, int], status: int, more: int) -> None:
    """Wait for so many further answers of this status."""
    wanted = sum(seen == status for seen in statuses.values()) + more
    async with asyncio.timeout(40):
        while sum(seen == status for seen in statuses.values()) < wanted:
            await asyncio.sleep(0.02)


async def _check_nothing_is_lost(running: Running, statuses: dict[bytes, int]) -> None:
    assert set(statuses.values()) == {202, 503}
    there = {record.value for record in await running.alerts()}
    accepted = {body for body, status in statuses.items() if status == 202}
    assert accepted <= there
    assert there <= set(statuses)


@pytest.mark.embedded
async def test_the_embedded_broker_goes_down_and_comes_back(
    own_embedded: HostProcess, start: Start, prefix: str
) -> None:
    broker = Broker("embedded", own_embedded.bootstrap, EmbeddedServers(own_embedded), prefix)
    # The store knows of no ingest here, and the storm is far below the limit of unread bytes.
    running = await start(broker)
    async with _under_storm(running) as statuses:
        await _until(statuses, 202, 100)
        own_embedded.command({"down": True})
        await _until(statuses, 503, 16)
        own_embedded.command({"down": False})
        await _until(statuses, 202, 100)
    await _check_nothing_is_lost(running, statuses)


@pytest.mark.real
async def test_kafka_is_killed_and_started_again(own_kafka: JavaKafka, start: Start, prefix: str) -> None:
    running = await start(Broker("kafka", own_kafka.bootstrap, KafkaTopics(own_kafka.bootstrap), prefix))
    async with running.http.get(running.url + "/readyz") as answer:
        assert answer.status == 200, await answer.text()
    async with _under_storm(running) as statuses:
        await _until(statuses, 202, 100)
        own_kafka.process.kill()
        await _until(statuses, 503, 16)
        async with asyncio.timeout(20):
            while (await running.http.get(running.url + "/readyz")).status == 200:
                await asyncio.sleep(0.1)
        await asyncio.to_thread(own_kafka.restart)
        await _until(statuses, 202, 100)
    await _check_nothing_is_lost(running, statuses)


@pytest.mark.embedded
async def test_a_producer_that_broke_for_good_is_replaced(own_embedded: HostProcess, start: Start, prefix: str) -> None:
    running = await start(Broker("embedded", own_embedded.bootstrap, EmbeddedServers(own_embedded), prefix))
    assert (await running.post(PATH, b"1"))[0] == 202
    own_embedded.command({"errors": [OUT_OF_ORDER_SEQUENCE], "api": PRODUCE})
    status, _, headers = await running.post(PATH, b"2")
    assert (status, headers["retry-after"]) == (503, "2")
    # Nobody sends meanwhile: an orchestrator keeps traffic away from what is not ready.
    async with asyncio.timeout(20):
        while running.gateway._link.broken or not running.context.health.ready()[0]:
            await asyncio.sleep(0.05)
    assert (await running.post(PATH, b"3"))[0] == 202
    values = [record.value for record in await running.alerts()]
    assert b"1" in values
    assert b"3" in values


@pytest.mark.embedded
async def test_a_cancelled_request_takes_no_other_along(embedded: HostProcess, start: Start, prefix: str) -> None:
    running = await start(Broker("embedded", embedded.bootstrap, EmbeddedServers(embedded), prefix), partitions=1)
    collector = running.gateway._collector
    spread = collector.spread("generic")
    waiting = [asyncio.create_task(collector.submit(spread, b"%d" % n, [])) for n in range(10)]
    await asyncio.sleep(0)
    waiting[3].cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results].count(asyncio.CancelledError) == 1
    assert results.count(None) == 9
    assert collector.unacknowledged == 0
    assert {record.value for record in await running.alerts()} >= {b"%d" % n for n in range(10) if n != 3}


@pytest.mark.embedded
async def test_where_the_broker_keeps_little_the_unread_is_bounded(
    embedded: HostProcess, start: Start, prefix: str
) -> None:
    running = await start(Broker("embedded", embedded.bootstrap, EmbeddedServers(embedded), prefix), partitions=2)
    body = b'"' + b"x" * 200_000 + b'"'
    statuses: list[int] = []
    async with asyncio.timeout(60):
        while 503 not in statuses:
            status, answer, headers = await running.post(PATH, body)
            statuses.append(status)
    assert b"ingest is behind" in answer
    assert headers["retry-after"] == "2"
    assert running.metric("stormfold_door_refused_total", source="generic", reason="back_pressure") == 1
    limit = running.context.bus.profile.max_backlog_bytes
    assert limit is not None
    taken: dict[int, list[int]] = {}
    for record in await running.alerts():
        taken.setdefault(record.partition, []).append(record.offset)
    assert sorted(taken) == [0, 1]
    # One source alone leaves the last quarter to others.
    most = limit - limit // 4
    assert all(most - len(body) < len(offsets) * len(body) <= most for offsets in taken.values())
    assert sum(len(offsets) for offsets in taken.values()) == statuses.count(202)
    assert (await running.post("/api/v2/alerts", b"[]", content_type="application/json"))[0] == 200
    # Ingest gets on with partition 1 while a request is held: it goes through.
    topic = running.gateway._collector._info.id
    held = asyncio.create_task(running.post(PATH, body))
    await asyncio.sleep(0.3)
    assert not held.done()
    await running.context.store.hset(running.context.keys.cut(topic, 1), {"done": str(max(taken[1]) + 1)})
    assert (await held)[0] == 202
    newest = max(await running.alerts(), key=lambda record: record.timestamp)
    assert (newest.partition, newest.value) == (1, body)


@pytest.mark.embedded
async def test_no_request_is_held_for_longer_than_stated(own_embedded: HostProcess, start: Start, prefix: str) -> None:
    running = await start(Broker("embedded", own_embedded.bootstrap, EmbeddedServers(own_embedded), prefix))
    collector = running.gateway._collector
    spread = collector.spread("generic")
    await collector.submit(spread, b"0", [])
    own_embedded.command({"down": True})
    before = time.monotonic()
    # More than may wait unacknowledged, so that some never get as far as a batch.
    value = b"x" * 400_000
    results = await asyncio.gather(*(collector.submit(spread, value, []) for _ in range(60)), return_exceptions=True)
    # Not a speed: three times the promise tells a hold that ends from one that does not.
    assert time.monotonic() - before < 3 * HOLD
    assert {type(result) for result in results} == {HeldBack, NotAcknowledged}
    own_embedded.command({"down": False})

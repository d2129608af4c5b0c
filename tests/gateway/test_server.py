"""Start and stop of the gateway: its port, its topics, and a broker that does not say goodbye."""

import asyncio
import dataclasses
import logging
import socket
import time

import pytest
from aiokafka.structs import TopicPartition

from ingest.gateway.app import Gateway
from kernel.bus.clients import BusUnavailable
from kernel.bus.topic_ids import UnknownTopics
from kernel.bus.topics import TopicNames, topic_specs
from kernel.httpd import CannotListen
from stormfold.embedded.servers import EmbeddedServers, HostProcess
from tests.conftest import Broker
from tests.gateway.conftest import Running, Start

only_embedded = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
only_kafka = pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real)], indirect=True)


@only_embedded
async def test_a_taken_port_is_an_error_or_replaced_aloud(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    settings = running.context.settings.model_copy(update={"port": running.port})
    second = Gateway(dataclasses.replace(running.context, settings=settings))
    with pytest.raises(CannotListen, match="STORMFOLD_PORT"):
        await second.start()
    with caplog.at_level(logging.WARNING):
        host, port = await second.start(fallback=True)
    try:
        assert port != running.port
        assert f"port {running.port} is taken; listening on {port} instead" in caplog.text
        assert (await running.http.get(f"http://{host}:{port}/healthz")).status == 200
    finally:
        await second.stop()


@only_embedded
async def test_a_start_without_topics_or_broker_says_so_and_leaves_nothing(running: Running) -> None:
    settings = running.context.settings.model_copy(update={"topic_prefix": "nowhere.", "port": 0})
    with pytest.raises(UnknownTopics, match=r"nowhere\.alerts\.raw"):
        await Gateway(dataclasses.replace(running.context, settings=settings)).start()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        bus = dataclasses.replace(running.context.bus, bootstrap=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(BusUnavailable):
            await Gateway(dataclasses.replace(running.context, settings=settings, bus=bus)).start()


@only_embedded
async def test_what_is_under_way_is_answered_at_the_stop(running: Running) -> None:
    posts = [asyncio.create_task(running.post("/v1/sources/generic", b"%d" % n)) for n in range(50)]
    await asyncio.sleep(0.01)
    await running.gateway.stop(5.0)
    results = await asyncio.gather(*posts, return_exceptions=True)
    accepted = {b"%d" % n for n, result in enumerate(results) if isinstance(result, tuple) and result[0] == 202}
    assert accepted
    assert accepted <= {record.value for record in await running.alerts()}
    assert {result[0] for result in results if isinstance(result, tuple)} <= {202, 503}
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(running.host, running.port)


@pytest.mark.embedded
async def test_a_broker_that_is_gone_does_not_hold_up_the_stop(start: Start, prefix: str) -> None:
    host = HostProcess()
    try:
        running = await start(Broker("embedded", host.bootstrap, EmbeddedServers(host), prefix))
        assert (await running.post("/v1/sources/generic"))[0] == 202
    finally:
        host.stop()
    assert (await running.post("/v1/sources/generic"))[0] == 503
    before = time.monotonic()
    await running.gateway.stop(1.0)
    # Not a speed: without its deadline the producer waits for ever.
    assert time.monotonic() - before < 20


@only_kafka
async def test_partitions_that_are_added_are_used(running: Running, broker: Broker) -> None:
    await broker.topics.apply(topic_specs(broker.prefix, 4, 8, 2))
    names = TopicNames.with_prefix(broker.prefix)
    consumer = await running.context.bus.start(running.context.bus.reader())
    try:
        places = [TopicPartition(names.alerts, partition) for partition in range(4, 8)]
        async with asyncio.timeout(30):
            while not sum((await consumer.end_offsets(places)).values()):
                for path in ("/v1/sources/generic", "/api/v2/alerts"):
                    assert (await running.post(path, content_type="application/json"))[0] in (200, 202)
                await asyncio.sleep(0.05)
    finally:
        await consumer.stop()

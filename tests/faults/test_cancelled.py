"""A role that is cancelled ends, whatever the clients beneath it make of the cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka import TopicPartition
from pydantic import SecretStr

from kernel.bus.clients import Bus
from kernel.bus.group import Batch, GroupLoop
from kernel.bus.topics import topic_specs
from kernel.clock import SystemClock
from kernel.config.settings import Settings
from tests.conftest import Broker
from tests.pipeline.harness import pipeline, simple_config
from tests.servers.receiver import Receiver


class Deaf:
    """A handler whose turn swallows the first cancellation that reaches it."""

    def __init__(self) -> None:
        self.waiting, self.swallowed = asyncio.Event(), 0

    async def position(self, place: TopicPartition) -> int | None:
        return 0

    async def release(self, places: set[TopicPartition]) -> None:
        pass

    async def turn(self, batch: Batch) -> None:
        self.waiting.set()
        try:
            await asyncio.sleep(60.0)
        except asyncio.CancelledError:
            self.swallowed += 1
            if self.swallowed > 1:
                raise

    async def overtaken(self, place: TopicPartition, wanted: int, first: int) -> None:
        pass

    def committable(self) -> Mapping[TopicPartition, int]:
        return {}


async def test_a_swallowed_cancellation_ends_the_loop_all_the_same(broker: Broker) -> None:
    await broker.topics.apply(topic_specs(broker.prefix, 1, 1, 1))
    chosen: dict[str, Any] = {
        "kafka": broker.bootstrap,
        "kafka_profile": broker.kind,
        "redis": SecretStr("redis://none"),
    }
    settings = Settings(**chosen)
    bus, handler = Bus.of(settings), Deaf()
    consumer = await bus.start(bus.group_consumer(f"{broker.prefix}deaf"))
    loop = GroupLoop(consumer, [f"{broker.prefix}signals"], handler, SystemClock())
    running = asyncio.create_task(loop.run(asyncio.Event()))
    try:
        await asyncio.wait_for(handler.waiting.wait(), 30.0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=10.0)
        assert handler.swallowed == 1
        assert done, "the loop goes on as if nobody had cancelled it"
        assert running.cancelled()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await consumer.stop()


@pytest.mark.parametrize("name", ["ingest", "correlator", "notifier"])
async def test_a_role_ended_while_it_starts_leaves_no_client_behind(
    name: str, broker: Broker, valkey_url: str, receiver: Receiver
) -> None:
    config = simple_config(receiver.url + "/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        for turn in range(12):
            role = await p.start(name)
            for _ in range(turn * 3):
                await asyncio.sleep(0)
            await role.kill()
        # What was left behind says so when it is collected, and a warning is a failure here.
        gc.collect()

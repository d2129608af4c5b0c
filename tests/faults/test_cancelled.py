"""A role that is cancelled ends, whatever the clients beneath it make of the cancellation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from pydantic import SecretStr

from kernel.bus.clients import Bus
from kernel.bus.group import Batch, GroupLoop
from kernel.bus.topics import topic_specs
from kernel.clock import SystemClock
from kernel.config.settings import Settings
from tests.conftest import Broker


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

"""What did not come is missed by an owner that has taken all that waited for it, and was not away itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from correlator.owner import ShardOwner
from correlator.state import Beat
from kernel.bus.clients import Bus
from kernel.bus.tail import Tail
from kernel.clock import SystemClock
from kernel.config.heartbeat import HeartbeatConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity
from kernel.model.naming import shard_of
from tests.conftest import Broker
from tests.pipeline.harness import pipeline, simple_config

pytestmark = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)

SECOND = 1_000
HOUR = 3_600_000
HEARTBEAT = HeartbeatConfig(
    name="watchdog", source="prometheus", every=Duration(60 * SECOND), severity=Severity.CRITICAL
)


class Later(SystemClock):
    """Wall time that a test moves on."""

    ahead = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead


@asynccontextmanager
async def owned(broker: Broker, valkey_url: str) -> AsyncIterator[tuple[ShardOwner, Later]]:
    """The owner of the heartbeat's shard just after its claim; the last beat came an hour before."""
    config = simple_config("http://127.0.0.1:9/hook", heartbeats=(HEARTBEAT,))
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        clock = p.clock = Later()
        bus = Bus.of(p.settings)
        producer, reader = await bus.start(bus.producer()), await bus.start(bus.reader())
        try:
            shard = shard_of(("default",), p.settings.shards)
            owner = ShardOwner(p.context(), shard, producer, Tail(reader, p.topics.incidents))
            await owner.claim(0, "x+y", {"pos": "-1", "echo": "0"})
            owner.shard.beats["watchdog"] = Beat("prometheus", "default", 1, clock.now_ms() - HOUR, every=60 * SECOND)
            yield owner, clock
        finally:
            await reader.stop()
            await producer.stop()


async def incidents(owner: ShardOwner, clock: Later, seconds: int) -> int:
    """How many there are after a turn every second for so long."""
    for _ in range(seconds):
        clock.ahead += SECOND
        await owner.turn((), set())
    return len(owner.shard.incidents)


async def test_nothing_is_missed_before_what_waited_was_taken(broker: Broker, valkey_url: str) -> None:
    async with owned(broker, valkey_url) as (owner, clock):
        assert await incidents(owner, clock, 60) == 0, "nobody has said yet what waits"
        owner.horizon(0, 5)
        assert await incidents(owner, clock, 60) == 0
        # More input keeps coming: what counts is what was there at the first look.
        owner.horizon(0, 9)
        owner.shard.position = 4
        assert await incidents(owner, clock, 4) == 0
        assert await incidents(owner, clock, 2) == 1


async def test_an_owner_that_was_away_itself_looks_again_first(broker: Broker, valkey_url: str) -> None:
    async with owned(broker, valkey_url) as (owner, clock):
        owner.shard.beats["watchdog"].newest = clock.now_ms()
        owner.horizon(0, 0)
        assert await incidents(owner, clock, 10) == 0
        clock.ahead += HOUR
        owner.horizon(0, 3)
        assert await incidents(owner, clock, 60) == 0, "what waits is not known since"
        owner.horizon(0, 4)
        owner.shard.position = 3
        assert await incidents(owner, clock, 4) == 0
        assert await incidents(owner, clock, 2) == 1

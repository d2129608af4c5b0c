"""A new owner hears what was said in its shard's name, but only after what was in `signals` is taken."""

from __future__ import annotations

import pytest

from correlator.owner import ShardOwner
from kernel.bus.clients import Bus
from kernel.bus.publisher import Record, publish
from kernel.bus.tail import Tail
from kernel.model.codec import encode
from kernel.model.incident import Fact, IncidentRecord
from tests.conftest import Broker
from tests.pipeline.harness import pipeline, simple_config
from tests.unit.correlator.build import Bench


@pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True)
async def test_nothing_is_withdrawn_before_what_is_in_signals_was_taken(broker: Broker, valkey_url: str) -> None:
    before = Bench()
    told = IncidentRecord(3, 1, "other", tuple(before.take(before.alert("A"))))
    config = simple_config("http://127.0.0.1:9/hook")
    async with pipeline(broker.bootstrap, broker.kind, valkey_url, broker.topics, broker.prefix, config) as p:
        bus = Bus.of(p.settings)
        producer, reader = await bus.start(bus.producer()), await bus.start(bus.reader())
        try:
            await publish(producer, p.topics.incidents, 3, [Record(encode(told))])
            owner = ShardOwner(p.context(), 3, producer, Tail(reader, p.topics.incidents))
            await owner.claim(0, "x+y", {"pos": "-1", "echo": "0"})
            owner.horizon(0, 5)
            assert (await owner.listen(1), owner.shard.events) == (0, [])
            # More input keeps coming: what counts is what was there at the first look.
            owner.shard.position = 3
            owner.horizon(0, 9)
            assert (await owner.listen(1), owner.shard.events) == (0, [])
            owner.shard.position = 4
            owner.horizon(0, 12)
            assert await owner.listen(1) == 0
            assert [event.fact for event in owner.shard.events] == [Fact.WITHDRAWN]
        finally:
            await reader.stop()
            await producer.stop()

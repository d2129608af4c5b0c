"""The correlator in one look: signals in, facts about incidents out.

claim       epoch, owner, turn 0; every older owner is refused        kernel.chain.Chain
drain       publish what the last owner had decided                   kernel.chain.Chain
load        members, incidents, timers, fences                        load.load
read        records of `signals`, all that are there                  kernel.bus.group
decide      members, incidents, priority, commands, then time         decide.Decider
apply       one script: state, position, timers, outbox               kernel.chain.Chain
publish     facts to `incidents`, dead commands; trim                 owner.ShardOwner
listen      once a second: what others said in this shard's name      decide.Decider.heard
"""

from __future__ import annotations

import asyncio
from functools import partial

from correlator.worker import CorrelatorWorker
from kernel.bus.group import GroupLoop
from kernel.bus.tail import Tail
from kernel.context import Context
from kernel.steps import Step

RECORDS = 64


async def run(context: Context, stop: asyncio.Event) -> None:
    """Run the correlator until `stop` is set. Raises BusUnavailable where Kafka cannot be reached at the start."""
    bus, topics = context.bus, context.topics
    producer, consumer, reader = bus.producer(), bus.group_consumer(context.group("correlator")), bus.reader()
    async with bus.running(producer, consumer, reader):
        worker = CorrelatorWorker(context, consumer, producer, Tail(reader, topics.incidents))
        committed = partial(context.steps.at, Step.CORRELATOR_COMMITTED)
        loop = worker.loop = GroupLoop(
            consumer, (topics.signals,), worker, context.clock, max_records=RECORDS, committed=committed
        )
        context.health.set("correlator", False, "waits for its shards")
        try:
            await loop.run(stop, lambda: context.health.progress("correlator"))
        finally:
            context.health.drop("correlator")

"""Ingest in one look: raw records in, signals out.

route       headers -> source, adapter, tenant                      read.Reader.route
glance      known alerts by their raw bytes, without decoding        read.Reader.glance
parse       everything else: the adapter makes alerts and refusals   read.Reader.parse
look up     marks of fingerprints that memory lacks                  windows.Windows.look_up
decide      first sight, change, reopening, lease, repeat, older     decide.decide
publish     signals by shard and dead letters, acknowledged          worker.IngestWorker
mark        what is emitted may be suppressed from now on            windows.Windows.mark
cut         once a second: intent, counts of the range, done         worker.IngestWorker
progress    the arrival time up to which every partition is cut      worker.IngestWorker
"""

from __future__ import annotations

import asyncio
from functools import partial

from ingest.backlog import Backlog
from ingest.judge import Judge
from ingest.read import Reader
from ingest.windows import Windows
from ingest.worker import IngestWorker
from kernel.bus.group import GroupLoop
from kernel.context import Context
from kernel.steps import Step


async def run(context: Context, stop: asyncio.Event) -> None:
    """Run ingest until `stop` is set. Raises BusUnavailable where Kafka cannot be reached at the start."""
    bus, topics = context.bus, context.topics
    windows = Windows(context.store, context.keys, lambda: context.config().correlation.lease)
    reader = Reader(context.config, context.settings.shards)
    judge = Judge(reader, windows, context.settings.shards, lambda topic: topic == topics.answers)
    backlog = Backlog(context.store, context.keys, context.clock, bus.profile.max_backlog_bytes)
    producer, consumer = bus.producer(), bus.group_consumer(context.group("ingest"))
    async with bus.running(producer, consumer):
        worker = IngestWorker(context, consumer, producer, judge, windows, backlog)
        committed = partial(context.steps.at, Step.INGEST_COMMITTED)
        loop = worker.loop = GroupLoop(
            consumer, (topics.alerts, topics.answers), worker, context.clock, committed=committed
        )
        context.health.set("ingest", False, "waits for its partitions")
        try:
            await loop.run(stop, lambda: context.health.progress("ingest"))
        finally:
            context.health.drop("ingest")

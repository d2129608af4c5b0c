"""The notifier in one look: facts about incidents in, deliveries to people and tools out.

claim       epoch, owner, turn 0; every older owner is refused          kernel.chain.Chain
catch up    what `deliveries` says of the time since                    log.DeliveryLog
read        records of `incidents`                                      kernel.bus.group
route       team and targets of an incident                             routes.route
decide      what is owed: page, update, acknowledge, resolve            ledger.Ledger
pace        what may go now, what waits                                 queue.Queue, targets.Targets
apply       one script: ledger, due set, outbox                         kernel.chain.Chain
announce    the row in `deliveries`, acknowledged and the first         owner.ShardNotifier
send        the text to the channel                                     sender.Sender, channels
conclude    the outcome in `deliveries`; the ledger follows by reading  ledger.read_row
"""

from __future__ import annotations

import asyncio
from functools import partial

import aiohttp

from kernel.bus.group import GroupLoop
from kernel.bus.tail import Tail
from kernel.context import Context
from kernel.steps import Step
from notifier.channels.base import Writer
from notifier.channels.canary import CanaryChannel
from notifier.targets import Targets
from notifier.worker import NotifierWorker

RECORDS = 64
IDLE_MS = 50


async def run(context: Context, stop: asyncio.Event, http: aiohttp.ClientSession, console: Writer) -> None:
    """Run the notifier until `stop` is set. Raises BusUnavailable where Kafka cannot be reached at the start."""
    bus, topics = context.bus, context.topics
    producer, consumer, reader = bus.producer(), bus.group_consumer(context.group("notifier")), bus.reader()
    async with bus.running(producer, consumer, reader):
        canary = CanaryChannel(context.config, context.clock, context.metrics)
        targets = Targets(context.config, http, console, {canary.name: canary})
        worker = NotifierWorker(context, consumer, producer, Tail(reader, topics.deliveries), targets)
        committed = partial(context.steps.at, Step.NOTIFIER_COMMITTED)
        loop = worker.loop = GroupLoop(
            consumer,
            (topics.incidents,),
            worker,
            context.clock,
            max_records=RECORDS,
            committed=committed,
            patience=lambda: min((owner.patience for owner in worker.owners.values()), default=IDLE_MS),
        )
        context.health.set("notifier", False, "waits for its shards")
        try:
            await loop.run(stop, lambda: context.health.progress("notifier"))
        finally:
            context.health.drop("notifier")

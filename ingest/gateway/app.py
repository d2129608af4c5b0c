"""The gateway as a whole: one server, and by path the alert doors, the telemetry or the incident API."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka.errors import KafkaError

from ingest.gateway.api import incident_api
from ingest.gateway.canary import Canary
from ingest.gateway.collector import Collector
from ingest.gateway.door import Door, serves
from ingest.gateway.dropin import PREFIXES, DropIns
from ingest.gateway.intake import Intake
from ingest.gateway.link import Link
from ingest.gateway.protocol import BoundedProtocol
from ingest.gateway.replies import Tally
from ingest.gateway.sources import Sources
from ingest.origin.certificates import Certificates
from ingest.origin.replay import ReplayGuard
from ingest.origin.times import Skews
from kernel.bus.topic_ids import TopicMetadataError, UnknownTopics, topic_ids
from kernel.context import Context
from kernel.httpd import HttpServer, listen
from kernel.telemetry.http import PATHS, Receive, Scope, Send, telemetry_app

WATCH_EVERY: Final = 2.0
ROLE: Final = "gateway"


class Gateway:
    """The gateway role of one process; with `canary` it sends one now and then, as the configuration says."""

    def __init__(self, context: Context, *, canary: bool = False) -> None:
        self._context = context
        self._link = Link(context.bus, context.clock)
        backlog = context.bus.profile.max_backlog_bytes
        self._collector = Collector(self._link, context.topics.alerts, context.store, context.keys, backlog)
        # In one partition each, the answers that a source sends stay in their order.
        self._answers = Collector(self._link, context.topics.answers, context.store, context.keys, backlog, width=1)
        self._certificates = Certificates()
        intake, tally = Intake(), Tally(context.metrics)
        skews = Skews(context.metrics)
        guard = ReplayGuard(context.store, context.keys, context.clock, context.metrics)
        sources = Sources(context.config, self._collector, self._answers, intake.pool, self._certificates, skews)
        self._door = Door(sources, intake, guard, self._certificates, tally, context.clock)
        self._drop_ins = DropIns(sources, intake, tally, context.clock)
        context.metrics.door_unacknowledged_bytes.set_function(
            lambda: self._collector.unacknowledged + self._answers.unacknowledged
        )
        self._telemetry = telemetry_app(context.metrics, context.health)
        self._api = incident_api(context, self._link)
        self._server: HttpServer | None = None
        self._watching: asyncio.Task[None] | None = None
        self._canary = Canary(context.config, self._collector, context.clock, context.metrics) if canary else None
        self._singing: asyncio.Task[None] | None = None

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application: the path decides before any framework runs."""
        path = scope["path"]
        if serves(path):
            await self._door(scope, receive, send)
        elif path in PATHS:
            await self._telemetry(scope, receive, send)
        elif path.startswith(PREFIXES):
            await self._drop_ins(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    async def start(self, fallback: bool = False) -> tuple[str, int]:
        """Connect, listen, and return the bound (host, port).

        With `fallback` a port that is taken is replaced by a free one, which is said. Raises CannotListen,
        BusUnavailable, or UnknownTopics.
        """
        settings = self._context.settings
        listener = listen(settings.host, settings.port, fallback)
        try:
            await self._link.start()
            await self._collector.start()
            await self._answers.start()
        except BaseException:
            listener.close()
            await self._link.close(1.0)
            raise
        self._server = HttpServer(self.app, self._ended, BoundedProtocol)
        host, port = listener.getsockname()[:2]
        await self._server.start(listener)
        await self._look()
        self._watching = asyncio.create_task(self._watch(), name="gateway.watch")
        if self._canary is not None:
            self._singing = asyncio.create_task(self._canary.run(), name="gateway.canary")
        return host, port

    def _ended(self, why: str) -> None:
        self._context.health.set(ROLE, False, f"the HTTP server ended by itself ({why}); restart the gateway")

    async def _watch(self) -> None:
        """Say whether Kafka would take an alert now, with or without traffic."""
        while True:
            await self._look()
            await self._context.clock.sleep(WATCH_EVERY)

    async def _look(self) -> None:
        health = self._context.health
        alerts, answers = self._context.topics.alerts, self._context.topics.answers
        try:
            async with asyncio.timeout(WATCH_EVERY):
                found = await topic_ids(self._link.producer.client, (alerts, answers))
                await self._collector.adopt(found[alerts])
                await self._answers.adopt(found[answers])
        except (KafkaError, OSError, TimeoutError, TopicMetadataError, UnknownTopics) as error:
            reason = str(error) or "no answer in time"
            health.set(ROLE, False, f"Kafka does not answer as it should: {reason}")
        else:
            self._link.mend()
            failing = ""
            for collector in (self._collector, self._answers):
                if not self._link.broken and not collector.unacknowledged:
                    # Without traffic no success would ever say that it is over.
                    collector.failing = ""
                failing = failing or collector.failing
            health.set(ROLE, not failing, failing or "Kafka takes alerts")
        health.progress(ROLE)

    async def stop(self, deadline: float = 5.0) -> None:
        """Answer what is under way, then let go of Kafka; returns within about `deadline` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        for task in (self._watching, self._singing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._server is not None:
            await self._server.stop(max(0.1, end - loop.time()))
        for collector in (self._collector, self._answers):
            await collector.close(max(0.1, end - loop.time()))
        await self._link.close(max(0.1, end - loop.time()))
        await self._certificates.close()
        self._context.health.drop(ROLE)

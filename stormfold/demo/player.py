"""Playing bodies: half by the gateway as monitoring systems post, half straight to Kafka, holding back when needed."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import aiohttp
from aiokafka import AIOKafkaProducer

from kernel.bus.publisher import Record, publish
from kernel.bus.topic_ids import topic_ids
from kernel.context import Context
from stormfold.cli.errors import UserError
from stormfold.demo.storm import Body

POSTERS: Final = 8
AT_ONCE: Final = 24
LANES: Final = 4
HOLD_BYTES: Final = 3 * 1024 * 1024
HOLD_LOOK: Final = 0.05
JUDGED_WITHIN: Final = 120.0


class _Unread:
    """Bytes that this player put into each raw partition and ingest has not cut: a broker keeps only the newest MB."""

    def __init__(self, context: Context, topic_id: str) -> None:
        self._context = context
        self._topic_id = topic_id
        self._sent: dict[int, deque[tuple[int, int]]] = {}
        self._bytes: dict[int, int] = {}

    def sent(self, partition: int, offsets: Sequence[int], records: Sequence[Record]) -> None:
        """These records stand in the partition now."""
        queue = self._sent.setdefault(partition, deque())
        for offset, record in zip(offsets, records, strict=True):
            queue.append((offset, len(record.value)))
            self._bytes[partition] = self._bytes.get(partition, 0) + len(record.value)

    async def room(self, partition: int) -> None:
        """Wait until less than the limit is unread there."""
        while self._bytes.get(partition, 0) > HOLD_BYTES:
            key = self._context.keys.cut(self._topic_id, partition)
            done = int(await self._context.store.hget(key, "done") or 0)
            queue = self._sent[partition]
            while queue and queue[0][0] < done:
                self._bytes[partition] -= queue.popleft()[1]
            if self._bytes[partition] > HOLD_BYTES:
                await self._context.clock.sleep(HOLD_LOOK)


class Player:
    """Plays against a running process. `raw` alerts were sent, `accepted` are in bodies that the broker has."""

    def __init__(self, context: Context, url: str, tokens: dict[str, str]) -> None:
        self._context = context
        self._url = url
        self._tokens = tokens
        self._producer: AIOKafkaProducer | None = None
        self._http: aiohttp.ClientSession | None = None
        self._unread: _Unread | None = None
        self._lanes = itertools.count()
        self._partitions = 1
        self.topic_id = ""
        self.raw = 0
        self.accepted = 0
        self.first_send = 0.0

    async def start(self) -> None:
        """Connect. Raises BusUnavailable."""
        bus, topic = self._context.bus, self._context.topics.alerts
        self._producer = await bus.start(bus.producer())
        info = (await topic_ids(self._producer.client, [topic]))[topic]
        self.topic_id, self._partitions = info.id, info.partitions
        self._unread = _Unread(self._context, info.id)
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=POSTERS))

    async def stop(self) -> None:
        """Let go."""
        if self._http is not None:
            await self._http.close()
        if self._producer is not None:
            await self._producer.stop()

    async def play(self, bodies: Iterable[Body]) -> None:
        """Send all bodies, then wait until ingest has judged every alert in them. Raises UserError if it stands."""
        if not self.first_send:
            self.first_send = self._context.clock.monotonic()
        posts, records = deque[Body](), deque[Body]()
        for body in bodies:
            (posts if body.by_http else records).append(body)
        async with asyncio.TaskGroup() as group:
            for _ in range(POSTERS):
                group.create_task(self._post_all(posts))
            for _ in range(LANES):
                group.create_task(self._publish_all(records))
        await self._judged()

    async def _post_all(self, posts: deque[Body]) -> None:
        while posts:
            body = posts.popleft()
            self.raw += body.alerts
            if await self._post(body):
                self.accepted += body.alerts

    async def _post(self, body: Body) -> bool:
        assert self._http is not None
        path = "/api/v2/alerts" if body.source == "prometheus" else f"/v1/sources/{body.source}"
        headers = {"Authorization": f"Bearer {self._tokens[body.source]}", "Content-Type": "application/json"}
        while True:
            async with self._http.post(self._url + path, data=body.data, headers=headers) as answer:
                if answer.status == 503:
                    pause = float(answer.headers.get("Retry-After", "1"))
                elif answer.status in (200, 202):
                    return True
                elif body.refused and answer.status == 400:
                    return False
                else:
                    said = (await answer.text())[:300]
                    raise UserError(f"the gateway answered {answer.status} to a body of {body.source}: {said}")
            await self._context.clock.sleep(min(pause, 5.0))

    async def _publish_all(self, bodies: deque[Body]) -> None:
        assert self._producer is not None
        assert self._unread is not None
        topic = self._context.topics.alerts
        while bodies:
            batch = [bodies.popleft() for _ in range(min(AT_ONCE, len(bodies)))]
            records = [Record(body.data, None, [("source", body.source.encode())]) for body in batch]
            partition = next(self._lanes) % self._partitions
            await self._unread.room(partition)
            alerts = sum(body.alerts for body in batch)
            self.raw += alerts
            offsets = await publish(self._producer, topic, partition, records)
            self.accepted += alerts
            self._unread.sent(partition, offsets, records)

    async def _judged(self) -> None:
        clock = self._context.clock
        until = clock.monotonic() + JUDGED_WITHIN
        while (judged := sum(outcomes(self._context).values())) < self.accepted:
            if clock.monotonic() > until:
                raise UserError(
                    f"ingest judged {judged:,} of {self.accepted:,} alerts within {JUDGED_WITHIN:.0f} s and stands; "
                    "the log on standard error has the reason"
                )
            await clock.sleep(0.02)


def outcomes(context: Context) -> dict[str, int]:
    """Alerts judged so far, by outcome."""
    found: dict[str, int] = {}
    for metric in context.metrics.alerts_total.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total"):
                outcome = sample.labels["outcome"]
                found[outcome] = found.get(outcome, 0) + int(sample.value)
    return found

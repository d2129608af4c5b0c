"""A storm from two sides at once: straight to Kafka and by HTTP, from a seed."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import orjson

from kernel.bus.clients import Bus
from tests.pipeline.harness import Pipeline, body, firing, resolved

TICK = 0.02
KINDS = 12
MOST = 8
POST_DEADLINE = 60.0


@dataclass
class Storm:
    """Alerts of `services` services, of which one more takes part every `seconds / services`."""

    pipeline: Pipeline
    url: str
    seed: int
    services: int = 25
    seconds: float = 10.0
    sent: int = 0
    posted: int = 0
    refused: int = 0
    _posts: set[asyncio.Task[None]] = field(default_factory=set)

    async def blow(self) -> None:
        """Send everything; returns when Kafka has it all."""
        draw = random.Random(self.seed)
        loop = asyncio.get_running_loop()
        bus = Bus.of(self.pipeline.settings)
        producer = await bus.start(bus.producer())
        topic, partitions = self.pipeline.topics.alerts, self.pipeline.settings.raw_partitions
        acknowledged = []
        try:
            async with aiohttp.ClientSession() as http:
                began = loop.time()
                ticks = int(self.seconds / TICK)
                for tick in range(ticks):
                    raw = self._body(draw, 1 + tick * self.services // ticks)
                    if tick % 4 == 0:
                        self._post(http, raw)
                    else:
                        place = draw.randrange(partitions)
                        headers = [("source", b"prometheus")]
                        acknowledged.append(await producer.send(topic, raw, partition=place, headers=headers))
                    await asyncio.sleep(max(0.0, began + (tick + 1) * TICK - loop.time()))
                await asyncio.gather(*acknowledged, *self._posts)
        finally:
            await producer.stop()

    def _body(self, draw: random.Random, services: int) -> bytes:
        now = time.time_ns() // 1_000_000
        alerts = [
            firing(f"Kind{draw.randrange(KINDS)}", now, service=f"s{draw.randrange(services)}", severity="critical")
            for _ in range(draw.randint(1, MOST))
        ]
        self.sent += len(alerts)
        return body(*alerts)

    def _post(self, http: aiohttp.ClientSession, raw: bytes) -> None:
        task = asyncio.create_task(self._post_until_taken(http, raw))
        self._posts.add(task)

    async def _post_until_taken(self, http: aiohttp.ClientSession, raw: bytes) -> None:
        """As a sender that does not give up: whatever is not taken, or not answered, is sent again."""
        headers = {"content-type": "application/json"}
        async with asyncio.timeout(POST_DEADLINE):
            while True:
                try:
                    async with http.post(f"{self.url}/api/v2/alerts", data=raw, headers=headers) as answer:
                        if answer.status == 200:
                            self.posted += 1
                            return
                        assert answer.status == 503, await answer.text()
                except aiohttp.ClientError:
                    pass
                self.refused += 1
                await asyncio.sleep(0.2)

    async def on_kafka(self) -> Counter[str]:
        """Alerts by service as the topic has them, which is what was accepted."""
        found = Counter[str]()
        for record in await self.pipeline._records(self.pipeline.topics.alerts):
            found.update(alert["labels"]["service"] for alert in orjson.loads(record.value))
        return found

    async def clear(self) -> int:
        """Every alert that ever fired is over; returns how many."""
        fired = set()
        for record in await self.pipeline._records(self.pipeline.topics.alerts):
            fired |= {(a["labels"]["alertname"], a["labels"]["service"]) for a in orjson.loads(record.value)}
        now = time.time_ns() // 1_000_000
        over = [resolved(name, now, service=service, severity="critical") for name, service in sorted(fired)]
        await self.pipeline.send([body(*over[i : i + MOST]) for i in range(0, len(over), MOST)], partition=None)
        return len(over)

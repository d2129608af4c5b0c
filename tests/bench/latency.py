"""Alert to page: from the record's timestamp on `alerts.raw` to the receiver's answer, each a page of its own."""

from __future__ import annotations

import asyncio
import gc
import shutil
import statistics
import time
from collections.abc import Sequence
from typing import cast

import orjson
from aiokafka import AIOKafkaProducer

from tests.bench import on_kafka
from tests.bench.bodies import Times, alert
from tests.bench.deployment import Deployment, Servers, WrongRun, deployed, write_config

WARM_UP = 1.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_PATIENCE = 30.0


class Pages:
    """Every page that came: its alert's number and the moment of the answer, in ms. Repeats are kept."""

    def __init__(self) -> None:
        self.bodies: list[tuple[float, bytes]] = []


class _Receiver(asyncio.Protocol):
    """Answers at once and looks later: what it costs is not part of what is measured."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._seen += data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._seen.lower().find(b"content-length:", 0, end)
        length = int(self._seen[at + 15 : end].split(b"\r\n", 1)[0])
        if len(self._seen) >= end + 4 + length:
            body, self._seen = self._seen[end + 4 : end + 4 + length], b""
            self._transport.write(_ANSWER)
            self._pages.bodies.append((time.time_ns() / 1e6, body))


async def latency_run(servers: Servers, rate: int, seconds: float) -> dict[str, float]:
    """p50 and p99 in ms at `rate` new alerts a second."""
    pages, loop = Pages(), asyncio.get_running_loop()
    receiver = await loop.create_server(lambda: _Receiver(pages), "127.0.0.1", 0)
    port = receiver.sockets[0].getsockname()[1]
    config = write_config("group", "hook", f"http://127.0.0.1:{port}/pages")
    try:
        async with deployed(servers, config) as d:
            await d.start(("ingest", "correlator", "notifier"))
            gc.collect()
            gc.disable()
            count = await _send(d, rate, seconds)
            until = loop.time() + _PATIENCE
            while len(pages.bodies) < count and loop.time() < until:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.3)  # for a page too many
            gc.enable()
            took = await _judge(d, pages, count, int(rate * WARM_UP))
    finally:
        receiver.close()
        shutil.rmtree(config)
    hundred = statistics.quantiles(took, n=100)
    return {"p50_ms": hundred[49], "p99_ms": hundred[98]}


async def _send(d: Deployment, rate: int, seconds: float) -> int:
    """An open loop: each alert goes when it is due, whatever became of those before it."""
    producer = AIOKafkaProducer(bootstrap_servers=d.servers.kafka.bootstrap, acks="all", linger_ms=0)
    await producer.start()
    try:
        times, loop = Times(), asyncio.get_running_loop()
        count = int(rate * (WARM_UP + seconds))
        ends = times.ends()
        ready = [b"[%b]" % alert(number, number, times.starts, ends) for number in range(count)]
        sent, began = [], loop.time()
        for number, body in enumerate(ready):
            wait = began + number / rate - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            partition = number % d.raw.partitions
            sent.append(await producer.send(d.topics.alerts, body, partition=partition, headers=on_kafka.HEADERS))
        await asyncio.gather(*sent)
        late = loop.time() - began - (WARM_UP + seconds)
        if late > 1.0:
            raise WrongRun(f"the sender could not keep {rate} a second: it was {late:.1f} s late at the end")
        return count
    finally:
        await producer.stop()


async def _judge(d: Deployment, pages: Pages, count: int, skip: int) -> Sequence[float]:
    """Milliseconds of each page after the warm-up. Raises WrongRun unless every alert paged exactly once."""
    records = await on_kafka.read_all(d.servers.kafka.bootstrap, d.topics.alerts, range(d.raw.partitions))
    sent = {orjson.loads(record.value)[0]["labels"]["group"]: record.timestamp for record in records}
    paged: dict[str, float] = {}
    for at, body in pages.bodies:
        paged.setdefault(orjson.loads(body)["data"]["group"]["group"], at)
    if not (len(pages.bodies) == len(paged) == len(sent) == count) or paged.keys() != sent.keys():
        raise WrongRun(f"{len(pages.bodies)} pages for {len(paged)} of {count} alerts")
    return [paged[f"g{number}"] - sent[f"g{number}"] for number in range(skip, count)]

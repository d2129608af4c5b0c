"""Alert to page: from the record's timestamp on `alerts.raw` to the receiver's answer, each a page of its own."""

from __future__ import annotations

import asyncio
import gc
import statistics
from collections.abc import Sequence

import orjson
from aiokafka import AIOKafkaProducer

from tests.bench import on_kafka
from tests.bench.bodies import Times, alert
from tests.bench.deployment import Deployment, Servers, WrongRun, deployed, write_config
from tests.bench.receiver import Webhooks, receiving

WARM_UP = 1.0
_PATIENCE = 30.0


async def latency_run(servers: Servers, rate: int, seconds: float) -> dict[str, float]:
    """p50 and p99 in ms at `rate` new alerts a second."""
    loop = asyncio.get_running_loop()
    async with receiving() as pages:
        config = write_config("group", "hook", pages.url)
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


async def _judge(d: Deployment, pages: Webhooks, count: int, skip: int) -> Sequence[float]:
    """Milliseconds of each page after the warm-up. Raises WrongRun unless every alert paged exactly once."""
    records = await on_kafka.read_all(d.servers.kafka.bootstrap, d.topics.alerts, range(d.raw.partitions))
    sent = {orjson.loads(record.value)[0]["labels"]["group"]: record.timestamp for record in records}
    paged: dict[str, float] = {}
    for at, body in pages.bodies:
        paged.setdefault(orjson.loads(body)["data"]["group"]["group"], at)
    if not (len(pages.bodies) == len(paged) == len(sent) == count) or paged.keys() != sent.keys():
        raise WrongRun(f"{len(pages.bodies)} pages for {len(paged)} of {count} alerts")
    return [paged[f"g{number}"] - sent[f"g{number}"] for number in range(skip, count)]

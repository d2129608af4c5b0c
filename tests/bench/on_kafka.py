"""Putting bodies on Kafka fast, reading topics back, and the floor: reading alone, in a process on core 0."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from tests.bench.cores import on_core, split

HEADERS = [("source", b"prometheus")]
MAX_RECORDS = 500
_BATCH = 512 * 1024


async def fill(bootstrap: str, topic: str, partitions: int, bodies: Sequence[bytes]) -> None:
    """Spread the bodies over the partitions, in large batches; returns when all are acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=_BATCH)
    await producer.start()
    try:
        share = -(-len(bodies) // partitions)
        await asyncio.gather(
            *(_fill_one(producer, topic, p, bodies[p * share : (p + 1) * share]) for p in range(partitions))
        )
    finally:
        await producer.stop()


async def _fill_one(producer: AIOKafkaProducer, topic: str, partition: int, bodies: Sequence[bytes]) -> None:
    at = 0
    while at < len(bodies):
        batch = producer.create_batch()
        while at < len(bodies) and batch.append(timestamp=None, key=None, value=bodies[at], headers=HEADERS):
            at += 1
        batch.close()
        await (await producer.send_batch(batch, topic, partition=partition))


async def read_all(bootstrap: str, topic: str, partitions: Sequence[int]) -> list[ConsumerRecord]:
    """Every record of these partitions, up to where they end now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        places = [TopicPartition(topic, partition) for partition in partitions]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for rows in (await consumer.getmany(timeout_ms=200)).values():
                found += rows
        return found
    finally:
        await consumer.stop()


# --- the floor


async def floor(bootstrap: str, topic: str, partitions: int, parse: bool) -> float:
    """CPU seconds to read the topic once, with `orjson.loads` of every value or without."""
    words = [bootstrap, topic, str(partitions), "1" if parse else "0"]
    with on_core(split()[0]):
        reader = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.on_kafka", *words, stdout=asyncio.subprocess.PIPE
        )
    said, _ = await reader.communicate()
    if reader.returncode != 0:
        raise RuntimeError("the reader of the floor failed")
    return float(said)


async def _read(bootstrap: str, topic: str, partitions: int, parse: bool) -> float:
    """As the product's own consumer is set."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none", fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        left = sum((await consumer.end_offsets(places)).values())
        consumer.assign(places)
        for place in places:
            consumer.seek(place, 0)
        before = time.process_time()
        while left > 0:
            found = await consumer.getmany(timeout_ms=50, max_records=MAX_RECORDS)
            for rows in found.values():
                left -= len(rows)
                if parse:
                    for record in rows:
                        orjson.loads(record.value)
        return time.process_time() - before
    finally:
        await consumer.stop()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(_read(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1")))

"""Reading named partitions from named offsets, outside every group: what others wrote into our own topics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord

Place = TopicPartition
Seen = ConsumerRecord


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A reader was slower than the topic's retention: records in [wanted, first) are gone."""

    place: TopicPartition
    wanted: int
    first: int


class Tail:
    """One reader for all partitions of one topic; calls take turns."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._lock = asyncio.Lock()

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """The offset after the last record of each partition."""
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        if not places:
            return {}
        found = await self._consumer.end_offsets(places)
        return {place.partition: offset for place, offset in found.items()}

    async def beginnings(self, partitions: Iterable[int]) -> dict[int, int]:
        """The first offset that each partition still has."""
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        if not places:
            return {}
        found = await self._consumer.beginning_offsets(places)
        return {place.partition: offset for place, offset in found.items()}

    async def read(self, partition: int, start: int, end: int) -> tuple[Sequence[ConsumerRecord], Overtaken | None]:
        """All records with start <= offset < end, in order; gaps of the log are passed over.

        Where the log no longer has `start` the reading begins at its first record, and that is reported.
        """
        async with self._lock:
            place = TopicPartition(self._topic, partition)
            first = (await self._consumer.beginning_offsets([place]))[place]
            overtaken = Overtaken(place, start, first) if first > start else None
            start = max(start, first)
            records: list[ConsumerRecord] = []
            if start >= end:
                return records, overtaken
            self._consumer.assign([place])
            self._consumer.seek(place, start)
            try:
                while True:
                    try:
                        found = await self._consumer.getmany(place, timeout_ms=500, max_records=1_000)
                    except OffsetOutOfRangeError:
                        self._consumer.seek(place, start)
                        continue
                    records.extend(record for record in found.get(place, ()) if record.offset < end)
                    if await self._consumer.position(place) >= end:
                        return records, overtaken
            finally:
                self._consumer.assign([])

"""One shard's partition of `deliveries`, written and read in order by its owner.

Everything this owner writes goes through one lock, so that its offsets are consecutive unless somebody else writes
there; only then has anything to be read. Rows are handed on in the order of the partition, whoever wrote them.
What waits for the lock is written together: hundreds of sends at once end in a few batches, not each in its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from kernel.bus.publisher import Record, publish
from kernel.bus.tail import Tail
from kernel.model.codec import Undecodable, decode_delivery, encode
from kernel.model.delivery import DeliveryRow

log = structlog.get_logger(__name__)

OnRow = Callable[[DeliveryRow, int], None]


class _Waiting:
    """Rows of one caller; `offsets` are there once they are acknowledged, `taken` once they were tried."""

    __slots__ = ("offsets", "rows", "taken")

    def __init__(self, rows: Sequence[DeliveryRow]) -> None:
        self.rows = rows
        self.taken = False
        self.offsets: list[int] | None = None


class DeliveryLog:
    """Appends rows and reads what others appended; `next` is the offset after the last row handed on."""

    def __init__(self, producer: AIOKafkaProducer, tail: Tail, topic: str, shard: int, on_row: OnRow) -> None:
        self._producer = producer
        self._tail = tail
        self._topic = topic
        self._shard = shard
        self._on_row = on_row
        self._lock = asyncio.Lock()
        self._waiting: list[_Waiting] = []
        self.next = 0

    async def append(self, rows: Sequence[DeliveryRow]) -> list[int]:
        """Write rows and hand on everything up to the last of them. Raises KafkaError: what arrived is then unknown."""
        mine = _Waiting(rows)
        self._waiting.append(mine)
        try:
            async with self._lock:
                if not mine.taken:
                    await self._write_waiting()
        finally:
            if not mine.taken:
                self._waiting.remove(mine)
        if mine.offsets is None:
            raise KafkaError("the rows that were written together with these were not acknowledged")
        return mine.offsets

    async def _write_waiting(self) -> None:
        together, self._waiting = self._waiting, []
        for each in together:
            each.taken = True
        offsets = await self._write([row for each in together for row in each.rows])
        for each in together:
            each.offsets, offsets = offsets[: len(each.rows)], offsets[len(each.rows) :]

    async def _write(self, rows: Sequence[DeliveryRow]) -> list[int]:
        records = [Record(encode(row), row.key.incident.encode()) for row in rows]
        offsets = await publish(self._producer, self._topic, self._shard, records)
        if offsets == list(range(self.next, self.next + len(rows))):
            for offset, row in zip(offsets, rows, strict=True):
                self._on_row(row, offset)
            self.next = offsets[-1] + 1
        else:
            await self._read(offsets[-1] + 1)
        return offsets

    async def catch_up(self, end: int) -> None:
        """Hand on every row before `end` that was not handed on yet."""
        async with self._lock:
            await self._read(end)

    async def _read(self, end: int) -> None:
        if end <= self.next:
            return
        records, overtaken = await self._tail.read(self._shard, self.next, end)
        if overtaken is not None:
            log.error("rows of deliveries were deleted before they were read", shard=self._shard, first=overtaken.first)
        for record in records:
            try:
                row = decode_delivery(record.value)
            except Undecodable:
                log.exception("a row of deliveries is not readable", shard=self._shard, offset=record.offset)
                continue
            self._on_row(row, record.offset)
        self.next = max(self.next, end)

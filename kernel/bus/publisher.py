"""Publishing: a batch of records to one partition, acknowledged as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka import AIOKafkaProducer

T = TypeVar("T")
Headers = Sequence[tuple[str, bytes]]


class RecordTooLarge(ValueError):
    """A record does not fit a request to the broker."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish."""

    value: bytes
    key: bytes | None = None
    headers: Headers = field(default=())


def fitting(items: Sequence[T], encode: Callable[[Sequence[T]], bytes], most: int, size: int) -> Iterator[bytes]:
    """Encode items as few records of at most `most` items and `size` bytes; a single item is never cut."""
    for first in range(0, len(items), most):
        part = items[first : first + most]
        value = encode(part)
        if len(value) <= size or len(part) == 1:
            yield value
        else:
            yield from fitting(part, encode, (len(part) + 1) // 2, size)


async def publish(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Record]) -> list[int]:
    """Send the records in order to one partition and wait for every acknowledgement; returns their offsets.

    Raises aiokafka's KafkaError where the broker did not acknowledge; what arrived is then unknown.
    """
    offsets: list[int] = []
    rest = list(records)
    while rest:
        batch = producer.create_batch()
        taken = 0
        for record in rest:
            metadata = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
            if metadata is None:
                break
            taken += 1
        if not taken:
            # A batch holds half a request; a lone record may be larger than that and goes by itself.
            sent = await producer.send_and_wait(
                topic, rest[0].value, key=rest[0].key, partition=partition, headers=list(rest[0].headers)
            )
            offsets.append(sent.offset)
            rest = rest[1:]
            continue
        batch.close()
        acknowledged = await (await producer.send_batch(batch, topic, partition=partition))
        offsets.extend(range(acknowledged.offset, acknowledged.offset + taken))
        rest = rest[taken:]
    return offsets

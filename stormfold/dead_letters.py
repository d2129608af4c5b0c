"""Dead letters: what is in `alerts.dead`, and putting them back where they came from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord

from ingest.adapters.base import NotUnderstood, Reason
from ingest.adapters.unpack import unpack
from ingest.slice import OWN_HEADERS
from kernel.bus.clients import Bus
from kernel.bus.topic_ids import topic_ids
from kernel.bus.topics import TopicNames
from kernel.clock import Millis
from kernel.config.settings import Settings
from stormfold.cli.errors import UserError

LOOK_BACK: Final = 10_000
"""Offsets of each partition that a listing looks at, the newest."""
_STEP: Final = 500
_AT_ONCE: Final = 100
_STALLED: Final = 20.0
_NOT_REPLAYED: Final = OWN_HEADERS - {"attempt"}


class LetterId(NamedTuple):
    """Where a dead letter lies in `alerts.dead`; written `partition:offset`."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> LetterId:
        """Raises UserError for anything but two numbers."""
        partition, colon, offset = text.partition(":")
        if not (colon and _number(partition) and _number(offset)):
            raise UserError(f"{text!r} is no dead letter's id; it is partition:offset, as `stormfold dead list` shows")
        return cls(int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


@dataclass(frozen=True)
class Letter:
    """A dead letter without its body. `at` is when it was written; `obstacle` says why it cannot be replayed."""

    id: LetterId
    at: Millis
    size: int
    headers: dict[str, str] = field(repr=False)
    obstacle: str | None = None

    def header(self, name: str) -> str | None:
        """A header's text, None where it is missing or empty."""
        return self.headers.get(name) or None

    @property
    def origin(self) -> str | None:
        """`topic/partition/offset` of the raw record."""
        parts = [self.headers.get(f"origin-{name}") for name in ("topic", "partition", "offset")]
        return "/".join(filter(None, parts)) or None

    @property
    def detail(self) -> list[dict[str, Any]]:
        """Which alerts of the body were refused and why, the first 20."""
        try:
            found = orjson.loads(self.headers.get("detail", "[]"))
        except orjson.JSONDecodeError:
            return []
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


Wanted = Callable[[Letter], bool]


def _letter(record: ConsumerRecord) -> Letter:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    at = LetterId(record.partition, record.offset)
    return Letter(at, record.timestamp, len(record.value or b""), headers, _obstacle(headers, record.value or b""))


def _obstacle(headers: dict[str, str], body: bytes) -> str | None:
    reason = headers.get("reason")
    if reason in (Reason.COMMAND_NOT_ALLOWED, Reason.COMMAND_EXPIRED) or _is_command(headers, body):
        return "a command is never replayed: give it again by `stormfold ack` or `stormfold resolve`, or by the API"
    if headers.get("stage") != "ingest":
        return "it is no raw alert but a record between stormfold's own roles: the alert it came from is in alerts.raw"
    if "cut" in headers:
        return f"only the first {len(body)} of its {headers['cut']} bytes fit; the whole record is at its origin"
    return None


def _is_command(headers: dict[str, str], body: bytes) -> bool:
    try:
        value = orjson.loads(unpack(body, headers))
    except (NotUnderstood, orjson.JSONDecodeError):
        return False
    return isinstance(value, dict) and isinstance(value.get("command"), dict)


def body_of(letter: Letter, value: bytes) -> bytes:
    """The body as its sender meant it; packed where it cannot be unpacked."""
    try:
        return unpack(value, letter.headers)
    except NotUnderstood:
        return value


@dataclass
class Found:
    """Letters of a listing, the newest first; `older` is whether some were not looked at."""

    letters: list[Letter]
    older: bool


class NotAcknowledged(Exception):
    """Kafka failed in the middle of a replay: `done` were acknowledged before, `unsure` may have arrived."""

    def __init__(self, done: int, unsure: Sequence[LetterId], why: str) -> None:
        super().__init__(why)
        self.done = done
        self.unsure = tuple(unsure)


class DeadLetters:
    """Reads `alerts.dead`, a bounded piece at a time, and replays. Raises aiokafka's KafkaError."""

    def __init__(self, names: TopicNames, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        self._names = names
        self._consumer = consumer
        self._producer = producer

    async def _ranges(self) -> dict[int, tuple[int, int]]:
        topic = self._names.dead
        count = (await topic_ids(self._producer.client, [topic]))[topic].partitions
        places = [TopicPartition(topic, number) for number in range(count)]
        firsts = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        return {place.partition: (firsts[place], ends[place]) for place in places}

    async def _read(self, partition: int, start: int, end: int) -> AsyncIterator[ConsumerRecord]:
        """Records with start <= offset < end. Raises UserError where nothing comes for 20 s."""
        if start >= end:
            return
        place = TopicPartition(self._names.dead, partition)
        loop = asyncio.get_running_loop()
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        came = loop.time()
        while await self._consumer.position(place) < end:
            try:
                found = await self._consumer.getmany(place, timeout_ms=500, max_records=_STEP)
            except OffsetOutOfRangeError:
                # Retention took the beginning while we read.
                self._consumer.seek(place, (await self._consumer.beginning_offsets([place]))[place])
                continue
            for record in found.get(place, ()):
                came = loop.time()
                if record.offset >= end:
                    return
                yield record
            if loop.time() - came > _STALLED:
                raise UserError(f"Kafka gave nothing of {place.topic} for {_STALLED:.0f} s; look at its health")

    async def newest(self, wanted: Wanted, limit: int) -> Found:
        """The newest `limit` letters that are wanted, among the newest 10,000 of each partition."""
        letters: list[Letter] = []
        older = False
        for partition, (first, end) in (await self._ranges()).items():
            floor = max(first, end - LOOK_BACK)
            mine: list[Letter] = []
            upper = end
            while upper > floor and len(mine) < limit:
                lower = max(floor, upper - _STEP)
                piece = [_letter(record) async for record in self._read(partition, lower, upper)]
                mine += filter(wanted, reversed(piece))
                upper = lower
            older = older or len(mine) > limit or upper > first
            letters += mine[:limit]
        letters.sort(key=lambda letter: (letter.at, letter.id), reverse=True)
        return Found(letters[:limit], older or len(letters) > limit)

    async def all(self, wanted: Wanted) -> list[Letter]:
        """Every letter that is wanted, in order by partition."""
        ranges = await self._ranges()
        return [
            letter
            for partition, (first, end) in ranges.items()
            async for letter in self._letters(partition, first, end)
            if wanted(letter)
        ]

    async def _letters(self, partition: int, first: int, end: int) -> AsyncIterator[Letter]:
        async for record in self._read(partition, first, end):
            yield _letter(record)

    async def get(self, wanted: LetterId) -> tuple[Letter, ConsumerRecord]:
        """One letter with its record. Raises UserError where there is none of that id."""
        first, end = (await self._ranges()).get(wanted.partition, (0, 0))
        if first <= wanted.offset < end:
            async for record in self._read(wanted.partition, wanted.offset, wanted.offset + 1):
                return _letter(record), record
        raise UserError(
            f"there is no dead letter {wanted}: {self._names.dead} does not hold it, or no longer; "
            "`stormfold dead list` shows what is there"
        )

    async def replay(self, letters: Sequence[Letter]) -> int:
        """Publish them to `alerts.raw` as they came; returns how many were acknowledged.

        Less than all of them where retention took some. Raises NotAcknowledged.
        """
        places: dict[int, set[int]] = {}
        for letter in letters:
            places.setdefault(letter.id.partition, set()).add(letter.id.offset)
        done = 0
        sent: dict[LetterId, asyncio.Future[Any]] = {}
        try:
            for partition, offsets in places.items():
                async for record in self._read(partition, min(offsets), max(offsets) + 1):
                    if record.offset in offsets:
                        sent[LetterId(partition, record.offset)] = await self._send(record)
                    if len(sent) >= _AT_ONCE:
                        done += await _acknowledged(sent)
            done += await _acknowledged(sent)
        except (KafkaError, UserError) as error:
            unsure = [name for name, future in sent.items() if not (future.done() and future.exception() is None)]
            raise NotAcknowledged(done + len(sent) - len(unsure), unsure, str(error) or repr(error)) from error
        return done

    async def _send(self, record: ConsumerRecord) -> asyncio.Future[Any]:
        headers = [(name, value) for name, value in record.headers if name not in _NOT_REPLAYED]
        sent: asyncio.Future[Any] = await self._producer.send(
            self._names.alerts, record.value, key=record.key, headers=headers
        )
        return sent


async def _acknowledged(sent: dict[LetterId, asyncio.Future[Any]]) -> int:
    """Wait for all of them, then forget them; returns their number. Raises the first error once all have ended."""
    if sent:
        await asyncio.wait(sent.values())
    for future in sent.values():
        future.result()
    n = len(sent)
    sent.clear()
    return n


@asynccontextmanager
async def dead_letters(settings: Settings) -> AsyncIterator[DeadLetters]:
    """Clients for the dead letters of a deployment. Raises BusUnavailable."""
    bus = Bus.of(settings)
    names = TopicNames.with_prefix(settings.topic_prefix, settings.downstream_prefix)
    producer = await bus.start(bus.producer())
    try:
        consumer = await bus.start(bus.reader())
        try:
            yield DeadLetters(names, consumer, producer)
        finally:
            await consumer.stop()
    finally:
        await producer.stop()

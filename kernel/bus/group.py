"""The consumer loop of a role: it owns the positions, Kafka's group only says who owns which partition.

One loop a process and role. It takes everything that is there in one fetch and gives it to the handler as one
turn; where that is more than a turn holds, the partitions are taken in turn. A turn is never cut by a rebalance: the
revocation waits for it, within a deadline, and what comes too late is refused by the fences. Where to start reading a
partition is the handler's to say, never Kafka's commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import ConsumerRecord

from kernel.clock import Clock

log = logging.getLogger(__name__)

Batch = Mapping[TopicPartition, Sequence[ConsumerRecord]]


class Handler(Protocol):
    """What a role does with its partitions."""

    async def position(self, place: TopicPartition) -> int | None:
        """Prepare a partition that was assigned and say where to read it from.

        None: not now (the shard is lost, the store is away); it stays paused and is asked again in a second.
        """
        ...

    async def release(self, places: set[TopicPartition]) -> None:
        """These partitions are somebody else's now: let go of what is held of them."""
        ...

    async def turn(self, batch: Batch) -> None:
        """Take what was read, possibly nothing. Called at least ten times a second."""
        ...

    async def overtaken(self, place: TopicPartition, wanted: int, first: int) -> None:
        """Records in [wanted, first) were deleted before they were read: count it, shout; reading goes on at first."""
        ...

    def committable(self) -> Mapping[TopicPartition, int]:
        """The offsets that lag tools may be told."""
        ...


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, loop: GroupLoop) -> None:
        self._loop = loop

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._loop.assigned(assigned)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._loop.revoked(revoked)


async def _nothing() -> None:
    pass


def _heed_cancellation() -> None:
    """A client that swallows the cancellation of a call must not make its role immortal."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _records_of(batch: Batch) -> int:
    return sum(map(len, batch.values()))


def _joined(first: Batch, then: Batch) -> Batch:
    """Both, a partition's records in their order."""
    if not first:
        return then
    return {place: [*first.get(place, ()), *then.get(place, ())] for place in (*first, *(then.keys() - first.keys()))}


class GroupLoop:
    """Reads `topics` as a member of the consumer's group and drives a handler.

    `committed` is awaited whenever Kafka was told offsets. `patience` says how many ms a turn without input may be
    waited for at most, for a handler that has work of its own; never more than `wait_ms`.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topics: Sequence[str],
        handler: Handler,
        clock: Clock,
        *,
        max_records: int = 500,
        wait_ms: int = 50,
        revoke_deadline: float = 4.0,
        committed: Callable[[], Awaitable[None]] = _nothing,
        patience: Callable[[], int] | None = None,
    ) -> None:
        self._consumer = consumer
        self._topics = list(topics)
        self._handler = handler
        self._clock = clock
        self._max_records = max_records
        self._wait_ms = wait_ms
        self._revoke_deadline = revoke_deadline
        self._told = committed
        self._patience = patience or (lambda: wait_ms)
        self._turn = asyncio.Lock()
        self._waiting: dict[TopicPartition, float] = {}
        self._ready: set[TopicPartition] = set()
        self._served: set[TopicPartition] = set()
        self._revocations = 0
        self._commit_at = 0.0
        self._committed: dict[TopicPartition, int] = {}

    @property
    def ready(self) -> frozenset[TopicPartition]:
        """Partitions that are being read."""
        return frozenset(self._ready)

    def assigned(self, places: set[TopicPartition]) -> None:
        """The group gave us these: nothing is read of them until the handler has said from where."""
        self._consumer.pause(*places)
        for place in places:
            # A partition without any position would hold up every other one of its broker: aiokafka fetches nothing
            # from a node that a position is still owed of. This one is never used, the partition is paused.
            self._consumer.seek(place, 0)
            self._waiting[place] = 0.0

    async def revoked(self, places: set[TopicPartition]) -> None:
        """Wait for the turn under way, then let go. After the deadline let go all the same: fences hold the rest."""
        self._revocations += 1
        self._waiting.clear()
        self._ready -= places
        self._committed.clear()
        try:
            async with asyncio.timeout(self._revoke_deadline), self._turn:
                await self._handler.release(places)
        except TimeoutError:
            log.warning("a turn outlasted the revocation of %d partitions; its writes will be refused", len(places))
            await self._handler.release(places)

    def reassign(self, place: TopicPartition, delay: float = 0.0) -> None:
        """Ask the handler again where to read this partition from, after `delay` seconds."""
        if place in self._ready:
            self._ready.discard(place)
            self._waiting[place] = self._clock.monotonic() + delay
            self._pause(place)

    def _pause(self, place: TopicPartition) -> None:
        try:
            self._consumer.pause(place)
        except IllegalStateError:
            self._waiting.pop(place, None)

    async def run(self, stop: asyncio.Event, progress: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; then the handler releases what it holds. `progress` is called after each turn.

        Raises CancelledError where the task was cancelled, even if something beneath it kept that to itself.
        """
        self._consumer.subscribe(topics=self._topics, listener=_Listener(self))
        while not stop.is_set():
            _heed_cancellation()
            await self._begin_reading()
            batch = await self._fetch()
            async with self._turn:
                await self._handler.turn({place: rows for place, rows in batch.items() if place in self._ready})
            await self._commit()
            progress()
        async with self._turn:
            await self._handler.release(set(self._ready))
        await self._commit(force=True)

    async def _begin_reading(self) -> None:
        now = self._clock.monotonic()
        due = [place for place, at in self._waiting.items() if at <= now]
        if not due:
            return
        before = self._revocations
        async with self._turn:
            answers = await asyncio.gather(*(self._handler.position(place) for place in due))
            if before != self._revocations:
                # Taken away while they were prepared, and released before that was done. Those that came back
                # since are asked again.
                await self._handler.release(set(due))
                return
        for place, offset in zip(due, answers, strict=True):
            if place not in self._waiting:
                continue
            if offset is None:
                self._waiting[place] = self._clock.monotonic() + 1.0
                continue
            try:
                self._consumer.seek(place, offset)
                self._consumer.resume(place)
            except IllegalStateError:
                self._waiting.pop(place, None)
                continue
            self._waiting.pop(place, None)
            self._ready.add(place)

    async def _fetch(self) -> Batch:
        wait_ms = min(self._wait_ms, self._patience())
        first: Batch = {}
        if self._served and (others := self._ready - self._served):
            # aiokafka empties what it has of one partition, thousands of records, before it looks at the next.
            first = await self._read(0, self._max_records, *others)
        room = self._max_records - _records_of(first)
        if not room:
            self._served |= first.keys()
            return first
        # Everybody had a turn: whoever fills this one comes last in the next round.
        found = await self._read(0 if first else wait_ms, room)
        self._served = set(found) if _records_of(found) == room else set()
        return _joined(first, found)

    async def _read(self, wait_ms: int, most: int, *places: TopicPartition) -> Batch:
        """Records of these partitions, of all where none is named. An error of one partition is dealt with here."""
        try:
            found: Batch = await self._consumer.getmany(*places, timeout_ms=wait_ms, max_records=most)
        except NoOffsetForPartitionError:
            # Raised once for a partition without a commit that was assigned and is still, or was just, waiting for
            # the handler's word; its position is set by then.
            return {}
        except OffsetOutOfRangeError as error:
            await self._out_of_range(error.args[0])
            return {}
        else:
            return found

    async def _out_of_range(self, places: Mapping[TopicPartition, int]) -> None:
        first = await self._consumer.beginning_offsets(list(places))
        for place, wanted in places.items():
            if place not in self._ready:
                continue
            await self._handler.overtaken(place, wanted, first[place])
            if place in self._ready:
                self._consumer.seek(place, first[place])

    async def _commit(self, force: bool = False) -> None:
        now = self._clock.monotonic()
        if now < self._commit_at and not force:
            return
        offsets = {
            place: offset
            for place, offset in self._handler.committable().items()
            if place in self._ready and self._committed.get(place) != offset
        }
        if not offsets:
            return
        self._commit_at = now + 1.0
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            # The commit serves lag tools only; a rebalance under way or a broker that is away is not our trouble.
            log.info("offsets were not committed: %s", error)
            return
        self._committed.update(offsets)
        await self._told()

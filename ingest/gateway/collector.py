"""One collector for all doors: the bodies of one turn of the event loop become one batch of one partition.

There is no timer between a body and its batch. While a partition has a batch on the way, further bodies gather
for its next one, so batches grow by themselves when Kafka is slow. What a request awaits is decided here: the
broker's acknowledgement, or the refusal after `HOLD` seconds. Who has to wait is decided by shares (`shares.py`).
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from ingest.gateway.lanes import Entry, Headers, Lane, Spread
from ingest.gateway.link import Link
from ingest.gateway.shares import Member, Pool
from kernel.bus.topic_ids import TopicInfo, topic_ids
from kernel.store.client import Store, StoreUnavailable
from kernel.store.keys import Keys

HOLD = 2.0
MAX_RECORD = 512 * 1024
MAX_UNACKNOWLEDGED = 8 * 1024 * 1024
MAX_HELD = 16 * 1024 * 1024
SPREAD = 4

_EXPIRE_EVERY = 0.1
_LOOK_AGAIN = 0.05
log = logging.getLogger(__name__)


class HeldBack(Exception):
    """Not taken: Kafka, or who reads from it, is behind. The sender should come again.

    `own` says that there is room, which others are entitled to: this sender has its share already.
    """

    def __init__(self, sentence: str, *, own: bool = False) -> None:
        super().__init__(sentence)
        self.own = own


class NotAcknowledged(Exception):
    """Kafka did not acknowledge the record; it may stand in the topic or not. The sender should come again."""


class RecordTooLarge(ValueError):
    """A body over `MAX_RECORD` bytes."""


class Collector:
    """Publishes bodies to one raw topic, those of a source to `width` of its partitions.

    `keys` and `store` are asked how far ingest is, only where the broker keeps little (`max_backlog` bytes a partition
    may be unread; None: the broker keeps everything).
    """

    def __init__(
        self, link: Link, topic: str, store: Store, keys: Keys, max_backlog: int | None, width: int = SPREAD
    ) -> None:
        self._link = link
        self._topic = topic
        self._store = store
        self._keys = keys
        self._max_backlog = max_backlog
        self._width = width
        self._info = TopicInfo("", 0)
        self._lanes: list[Lane] = []
        self._taken = Pool(MAX_UNACKNOWLEDGED)
        self._held = Pool(MAX_HELD)
        self._ready: list[Lane] = []
        self._expiry: asyncio.TimerHandle | None = None
        self._sends: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False
        self.failing = ""
        self.generation = 0

    async def start(self) -> None:
        """Learn the topic's partitions. Raises UnknownTopics where it is not there."""
        found = await topic_ids(self._link.producer.client, [self._topic])
        await self.adopt(found[self._topic])

    async def adopt(self, info: TopicInfo) -> None:
        """Take what the broker says of the topic now: partitions that were added, or another topic of its name."""
        if info.id != self._info.id:
            for lane in self._lanes:
                lane.forget()
        self._info = info
        if info.partitions > len(self._lanes):
            producer = self._link.producer
            await producer.client.force_metadata_update()
            # Only what the producer knows as well: it refuses a partition that it has not heard of.
            known = len(await producer.partitions_for(self._topic))
            self._lanes.extend(Lane(partition) for partition in range(len(self._lanes), known))
            self.generation += 1

    @property
    def unacknowledged(self) -> int:
        """Bytes taken from senders that Kafka has not acknowledged."""
        return self._taken.used

    def spread(self, source: str, tenant: str = "", weight: int = 1) -> Spread:
        """The partitions and shares of a source, by a stable hash of its name; anew where `generation` has changed."""
        count = len(self._lanes)
        first = zlib.crc32(source.encode("utf-8", "surrogatepass"))
        lanes = [self._lanes[(first + step) % count] for step in range(min(self._width, count))]
        who = (source, tenant, weight)
        return Spread(lanes, self._taken.member(*who), self._held.member(*who))

    async def submit(self, spread: Spread, value: bytes, headers: Headers, extra: int = 0) -> None:
        """Publish one body; returns when Kafka has it. `extra` bytes of headers are counted with it.

        Raises RecordTooLarge before anything is sent, HeldBack or NotAcknowledged after at most `HOLD` seconds.
        """
        size = len(value)
        if size > MAX_RECORD:
            raise RecordTooLarge(f"{size} bytes are over the limit of {MAX_RECORD}")
        size += extra
        loop = asyncio.get_running_loop()
        deadline = loop.time() + HOLD
        if self._closed:
            raise HeldBack("the gateway is stopping")
        # Who waits already is first.
        lane = None if spread.held.busy else self._try(spread, size)
        if lane is None:
            lane = await self._hold(spread, size, deadline)
        entry = Entry(value, size, spread.member, headers, loop.create_future(), deadline)
        lane.held += size
        only = lane.waiting.add(entry)
        if only and lane.flying is None:
            if not self._ready:
                loop.call_soon(self._flush)
            self._ready.append(lane)
        if self._expiry is None:
            self._expiry = loop.call_later(_EXPIRE_EVERY, self._expire)
        await entry.future

    def _try(self, spread: Spread, size: int) -> Lane | None:
        """A partition, and room for these bytes taken; None where there is none or none for this source."""
        if not self._taken.take(spread.member, size):
            return None
        lane = spread.pick(size, self._max_backlog)
        if lane is None:
            self._taken.give(spread.member, size)
        return lane

    async def _hold(self, spread: Spread, size: int, deadline: float) -> Lane:
        if not self._held.take(spread.held, size):
            own = self._held.contended(spread.held) and self._held.used + size <= MAX_HELD
            raise HeldBack("too many requests of this source are held back already", own=own)
        loop = asyncio.get_running_loop()
        # Who waits is active: the others' shares are counted without what is its own.
        self._taken.enter(spread.member)
        try:
            while True:
                if self._max_backlog is not None:
                    await self._look(deadline - loop.time())
                lane = self._try(spread, size)
                if lane is not None:
                    return lane
                if self._closed or loop.time() + _LOOK_AGAIN >= deadline:
                    raise self._refusal(spread.member, size)
                await asyncio.sleep(_LOOK_AGAIN)
        finally:
            self._taken.leave(spread.member)
            self._held.give(spread.held, size)

    def _refusal(self, member: Member, size: int) -> HeldBack:
        used, pool = self._taken.used, self._taken
        if not pool.take(member, size):
            if pool.contended(member) and used + size <= pool.capacity:
                return HeldBack(f"of this source {member.used} bytes are not acknowledged yet, its share", own=True)
            return HeldBack(f"Kafka has not acknowledged {used} bytes yet")
        pool.give(member, size)
        return HeldBack("ingest is behind and the broker keeps little")

    async def _look(self, patience: float) -> None:
        """Ask the store how far ingest is; those who ask at once share one question."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._learn(), name="gateway.backlog")
        await asyncio.wait((self._looking,), timeout=patience)

    async def _learn(self) -> None:
        full = [lane for lane in self._lanes if lane.unread]
        try:
            if full:
                wanted = [(self._keys.cut(self._info.id, lane.partition), ("done",)) for lane in full]
                for lane, (done,) in zip(full, await self._store.hmget_all(wanted), strict=True):
                    if done is not None:
                        lane.read_up_to(int(done))
        except StoreUnavailable as error:
            log.debug("how far ingest is cannot be told: %s", error)
        finally:
            self._looking = None

    def _flush(self) -> None:
        """The end of a turn of the loop: every partition that got bodies and is idle sends them."""
        ready, self._ready = self._ready, []
        for lane in ready:
            lane.flying = []
            task = asyncio.create_task(self._send(lane), name=f"gateway.send.{lane.partition}")
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)

    async def _send(self, lane: Lane) -> None:
        try:
            while lane.waiting:
                await self._send_one(lane)
        finally:
            lane.flying = None
            # Only a bug or the end of the process leaves entries here; nobody may wait for ever even so.
            self._drop(lane, lane.waiting.take_all(), NotAcknowledged("the gateway stopped sending"))

    async def _send_one(self, lane: Lane) -> None:
        producer = self._link.producer
        batch = producer.create_batch()
        entries, ended = lane.waiting.fill(batch)
        for entry in ended:
            self._release(lane, entry)
        if not entries:
            return
        lane.flying = entries
        batch.close()
        try:
            ack = await (await producer.send_batch(batch, self._topic, partition=lane.partition))
        except (KafkaError, OSError) as error:
            self.failing = f"{type(error).__name__}: {error}"
            log.warning("Kafka did not take a batch of %d bodies: %s", len(entries), self.failing)
            self._link.suspect(producer)
        else:
            self.failing = ""
            if self._max_backlog is not None:
                lane.wrote(ack.offset + len(entries), entries)
            for entry in entries:
                if not entry.future.done():
                    entry.future.set_result(None)
        finally:
            # Whatever ended the attempt, no request is left hanging.
            self._drop(lane, entries, NotAcknowledged("Kafka did not acknowledge the alerts"))

    def _drop(self, lane: Lane, entries: Sequence[Entry], error: Exception) -> None:
        for entry in entries:
            self._release(lane, entry)
            entry.fail(error)

    def _release(self, lane: Lane, entry: Entry) -> None:
        self._taken.give(entry.member, entry.size)
        lane.held -= entry.size

    def _expire(self) -> None:
        """Refuse those who waited `HOLD` seconds; runs while anybody waits."""
        loop = asyncio.get_running_loop()
        # The next look must not come after the deadline of those who stay.
        now = loop.time() + _EXPIRE_EVERY
        busy = False
        for lane in self._lanes:
            for queue in (lane.flying or (), *lane.waiting.queues()):
                for entry in queue:
                    if entry.deadline > now:
                        busy = True
                        break
                    self.failing = f"Kafka did not acknowledge within {HOLD:.0f} s"
                    entry.fail(NotAcknowledged(self.failing))
            for entry in lane.waiting.take_ended():
                self._release(lane, entry)
            busy = busy or bool(lane.waiting)
        self._expiry = loop.call_later(_EXPIRE_EVERY, self._expire) if busy else None

    async def close(self, deadline: float) -> None:
        """Take nothing more and wait at most `deadline` seconds for what is on its way."""
        self._closed = True
        if self._sends:
            await asyncio.wait(self._sends, timeout=deadline)
        for task in tuple(self._sends):
            task.cancel()
        if self._sends:
            await asyncio.wait(self._sends)
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

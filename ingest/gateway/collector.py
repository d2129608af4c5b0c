"""One collector for all doors: the bodies of one turn of the event loop become one batch of one partition.

There is no timer between a body and its batch. While a partition has a batch on the way, further bodies gather
for its next one, so batches grow by themselves when Kafka is slow. What a request awaits is decided here: the
broker's acknowledgement, or the refusal after `HOLD` seconds.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import deque
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from ingest.gateway.link import Link
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

Headers = Sequence[tuple[str, bytes]]


class HeldBack(Exception):
    """Not taken: Kafka, or who reads from it, is behind. The sender should come again."""


class NotAcknowledged(Exception):
    """Kafka did not acknowledge the record; it may stand in the topic or not. The sender should come again."""


class RecordTooLarge(ValueError):
    """A body over `MAX_RECORD` bytes."""


class _Entry:
    """A body that waits for its acknowledgement."""

    __slots__ = ("deadline", "future", "headers", "value")

    def __init__(self, value: bytes, headers: Headers, future: asyncio.Future[None], deadline: float) -> None:
        self.value = value
        self.headers = headers
        self.future = future
        self.deadline = deadline

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Lane:
    """One partition: what waits for its next batch, what is on its way, what nobody has read yet."""

    __slots__ = ("flying", "held", "partition", "unread", "unread_bytes", "waiting")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.waiting: deque[_Entry] = deque()
        self.flying: list[_Entry] | None = None
        self.held = 0
        self.unread: deque[tuple[int, int]] = deque()
        self.unread_bytes = 0

    def read_up_to(self, done: int) -> None:
        """Ingest has cut this partition up to the offset `done`, exclusive."""
        while self.unread and self.unread[0][0] <= done:
            self.unread_bytes -= self.unread.popleft()[1]


class Spread:
    """The few partitions of one source, taken in rotation: a noisy source fills its own and no others."""

    __slots__ = ("_at", "_lanes")

    def __init__(self, lanes: Sequence[_Lane]) -> None:
        self._lanes = tuple(lanes)
        self._at = 0

    def pick(self, size: int, limit: int | None) -> _Lane | None:
        """The partition for a body of this size, None where each has `limit` bytes that nobody read."""
        lanes, at = self._lanes, self._at
        best: _Lane | None = None
        # A partition that gathers bodies in this turn goes on doing so; else it is the next one's turn.
        gathering = lanes[at].flying is None and lanes[at].waiting
        for step in range(0 if gathering else 1, len(lanes) + 1):
            place = (at + step) % len(lanes)
            lane = lanes[place]
            if limit is not None and lane.unread_bytes + lane.held + size > limit:
                continue
            if lane.flying is None:
                self._at = place
                return lane
            if best is None or lane.held < best.held:
                best = lane
        return best


class Collector:
    """Publishes bodies to one raw topic. `keys` and `store` are asked how far ingest is, only where the broker keeps
    little (`max_backlog` bytes a partition may be unread; None: the broker keeps everything).
    """

    def __init__(self, link: Link, topic: str, store: Store, keys: Keys, max_backlog: int | None) -> None:
        self._link = link
        self._topic = topic
        self._store = store
        self._keys = keys
        self._max_backlog = max_backlog
        self._info = TopicInfo("", 0)
        self._lanes: list[_Lane] = []
        self._bytes = 0
        self._held = 0
        self._ready: list[_Lane] = []
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
                lane.unread.clear()
                lane.unread_bytes = 0
        self._info = info
        if info.partitions > len(self._lanes):
            producer = self._link.producer
            await producer.client.force_metadata_update()
            # Only what the producer knows as well: it refuses a partition that it has not heard of.
            known = len(await producer.partitions_for(self._topic))
            self._lanes.extend(_Lane(partition) for partition in range(len(self._lanes), known))
            self.generation += 1

    @property
    def unacknowledged(self) -> int:
        """Bytes taken from senders that Kafka has not acknowledged."""
        return self._bytes

    def spread(self, source: str) -> Spread:
        """The partitions of a source, by a stable hash of its name; anew where `generation` has changed."""
        count = len(self._lanes)
        first = zlib.crc32(source.encode("utf-8", "surrogatepass"))
        return Spread([self._lanes[(first + step) % count] for step in range(min(SPREAD, count))])

    async def submit(self, spread: Spread, value: bytes, headers: Headers) -> None:
        """Publish one body; returns when Kafka has it.

        Raises RecordTooLarge before anything is sent, HeldBack or NotAcknowledged after at most `HOLD` seconds.
        """
        size = len(value)
        if size > MAX_RECORD:
            raise RecordTooLarge(f"{size} bytes are over the limit of {MAX_RECORD}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + HOLD
        lane = self._admit(spread, size) or await self._hold(spread, size, deadline)
        entry = _Entry(value, headers, loop.create_future(), deadline)
        self._bytes += size
        lane.held += size
        lane.waiting.append(entry)
        if lane.flying is None and len(lane.waiting) == 1:
            if not self._ready:
                loop.call_soon(self._flush)
            self._ready.append(lane)
        if self._expiry is None:
            self._expiry = loop.call_later(_EXPIRE_EVERY, self._expire)
        await entry.future

    def _admit(self, spread: Spread, size: int) -> _Lane | None:
        if self._closed:
            raise HeldBack("the gateway is stopping")
        if self._held or self._bytes + size > MAX_UNACKNOWLEDGED:
            return None
        return spread.pick(size, self._max_backlog)

    async def _hold(self, spread: Spread, size: int, deadline: float) -> _Lane:
        if self._held + size > MAX_HELD:
            raise HeldBack("too many requests are held back already")
        loop = asyncio.get_running_loop()
        self._held += size
        try:
            while True:
                if self._max_backlog is not None:
                    await self._look(deadline - loop.time())
                lane = None
                if self._bytes + size <= MAX_UNACKNOWLEDGED:
                    lane = spread.pick(size, self._max_backlog)
                if lane is not None:
                    return lane
                if self._closed or loop.time() + _LOOK_AGAIN >= deadline:
                    raise HeldBack(self._why(size))
                await asyncio.sleep(_LOOK_AGAIN)
        finally:
            self._held -= size

    def _why(self, size: int) -> str:
        if self._bytes + size > MAX_UNACKNOWLEDGED:
            return f"Kafka has not acknowledged {self._bytes} bytes yet"
        return "ingest is behind and the broker keeps little"

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

    async def _send(self, lane: _Lane) -> None:
        try:
            while lane.waiting:
                await self._send_one(lane)
        finally:
            lane.flying = None
            # Only a bug or the end of the process leaves entries here; nobody may wait for ever even so.
            self._drop(lane, lane.waiting, NotAcknowledged("the gateway stopped sending"))
            lane.waiting.clear()

    async def _send_one(self, lane: _Lane) -> None:
        producer = self._link.producer
        batch = producer.create_batch()
        entries: list[_Entry] = []
        size = 0
        while lane.waiting:
            entry = lane.waiting[0]
            if entry.future.done():
                # Its sender was refused meanwhile and will come again.
                self._release(lane, len(lane.waiting.popleft().value))
                continue
            if batch.append(timestamp=None, key=None, value=entry.value, headers=entry.headers) is None:
                break
            entries.append(lane.waiting.popleft())
            size += len(entry.value)
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
                lane.unread.append((ack.offset + len(entries), size))
                lane.unread_bytes += size
            for entry in entries:
                if not entry.future.done():
                    entry.future.set_result(None)
        finally:
            # Whatever ended the attempt, no request is left hanging.
            self._drop(lane, entries, NotAcknowledged("Kafka did not acknowledge the alerts"))

    def _drop(self, lane: _Lane, entries: Sequence[_Entry], error: Exception) -> None:
        for entry in entries:
            self._release(lane, len(entry.value))
            entry.fail(error)

    def _release(self, lane: _Lane, size: int) -> None:
        self._bytes -= size
        lane.held -= size

    def _expire(self) -> None:
        """Refuse those who waited `HOLD` seconds; runs while anybody waits."""
        loop = asyncio.get_running_loop()
        # The next look must not come after the deadline of those who stay.
        now = loop.time() + _EXPIRE_EVERY
        busy = False
        for lane in self._lanes:
            for entry in (*(lane.flying or ()), *lane.waiting):
                if entry.deadline > now:
                    busy = True
                    break
                self.failing = f"Kafka did not acknowledge within {HOLD:.0f} s"
                entry.fail(NotAcknowledged(self.failing))
            while lane.waiting and lane.waiting[0].future.done():
                self._release(lane, len(lane.waiting.popleft().value))
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

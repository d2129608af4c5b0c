"""The partitions of a raw topic as the collector sees them: what waits, what flies, what nobody has read yet."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence

from aiokafka.producer.message_accumulator import BatchBuilder

from ingest.gateway.shares import Member

Headers = Sequence[tuple[str, bytes]]


class Entry:
    """A body that waits for its acknowledgement."""

    __slots__ = ("deadline", "future", "headers", "member", "size", "value")

    def __init__(
        self,
        value: bytes,
        size: int,
        member: Member,
        headers: Headers,
        future: asyncio.Future[None],
        deadline: float,
    ) -> None:
        self.value = value
        self.size = size
        self.member = member
        self.headers = headers
        self.future = future
        self.deadline = deadline

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Waiting:
    """Entries that wait for a batch: each source's in their order, the sources in turn."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[Member, deque[Entry]] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def add(self, entry: Entry) -> bool:
        """Whether it is the only one."""
        queue = self._of.get(entry.member)
        if queue is not None:
            queue.append(entry)
            return False
        self._of[entry.member] = deque((entry,))
        return len(self._of) == 1

    def fill(self, batch: BatchBuilder) -> tuple[list[Entry], list[Entry]]:
        """Put into a batch what fits, one entry of each source after the other.

        Returns what is in it, and what was left out because its sender was refused meanwhile and will come again.
        """
        of, taken, ended = self._of, list[Entry](), list[Entry]()
        while of:
            member, queue = next(iter(of.items()))
            entry = queue[0]
            if entry.future.done():
                ended.append(entry)
            elif batch.append(timestamp=None, key=None, value=entry.value, headers=entry.headers) is None:
                break
            else:
                taken.append(entry)
            queue.popleft()
            if not queue:
                del of[member]
            elif len(of) > 1:
                of[member] = of.pop(member)
        return taken, ended

    def take_all(self) -> list[Entry]:
        """Take out all of them."""
        entries = [entry for queue in self._of.values() for entry in queue]
        self._of.clear()
        return entries

    def queues(self) -> Iterator[Sequence[Entry]]:
        """The entries of each source."""
        yield from self._of.values()

    def take_ended(self) -> list[Entry]:
        """Take out those at the head of a source whose senders were answered already."""
        ended: list[Entry] = []
        for member, queue in list(self._of.items()):
            while queue and queue[0].future.done():
                ended.append(queue.popleft())
            if not queue:
                del self._of[member]
        return ended


class Lane:
    """One partition: what waits for its next batch, what is on its way, what nobody has read yet."""

    __slots__ = ("flying", "held", "partition", "unread", "unread_bytes", "unread_of", "waiting")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.waiting = Waiting()
        self.flying: list[Entry] | None = None
        self.held = 0
        self.unread: deque[tuple[int, int, Counter[Member]]] = deque()
        self.unread_bytes = 0
        self.unread_of: Counter[Member] = Counter()

    def wrote(self, end: int, entries: Sequence[Entry]) -> None:
        """These are in the partition up to the offset `end`, exclusive, and nobody has read them yet."""
        of = Counter[Member]()
        for entry in entries:
            of[entry.member] += len(entry.value)
        size = of.total()
        self.unread.append((end, size, of))
        self.unread_bytes += size
        self.unread_of += of

    def read_up_to(self, done: int) -> None:
        """Ingest has cut this partition up to the offset `done`, exclusive."""
        while self.unread and self.unread[0][0] <= done:
            _, size, of = self.unread.popleft()
            self.unread_bytes -= size
            self.unread_of -= of

    def forget(self) -> None:
        """It is another partition of its number now."""
        self.unread.clear()
        self.unread_bytes = 0
        self.unread_of.clear()

    def full(self, member: Member, size: int, limit: int) -> bool:
        """Whether so much unread would be too much. The last quarter is kept for those who have little unread.

        `size` bytes were taken from the member's share already.
        """
        after, quarter = self.unread_bytes + self.held + size, limit // 4
        if after <= limit - quarter:
            return False
        own = self.unread_of[member] + member.used - size
        return after > limit or bool(own and own + size > quarter)


class Spread:
    """The few partitions of one source, taken in rotation: a noisy source fills its own and no others. With one
    partition alone its records stay in their order.
    """

    __slots__ = ("_at", "_lanes", "held", "member")

    def __init__(self, lanes: Sequence[Lane], member: Member, held: Member) -> None:
        self._lanes = tuple(lanes)
        self._at = 0
        self.member = member
        self.held = held

    def pick(self, size: int, limit: int | None) -> Lane | None:
        """The partition for a body of this size, None where each has `limit` bytes that nobody read."""
        lanes, at = self._lanes, self._at
        best: Lane | None = None
        # A partition that gathers bodies in this turn goes on doing so; else it is the next one's turn.
        gathering = lanes[at].flying is None and lanes[at].waiting
        for step in range(0 if gathering else 1, len(lanes) + 1):
            place = (at + step) % len(lanes)
            lane = lanes[place]
            if limit is not None and lane.full(self.member, size, limit):
                continue
            if lane.flying is None:
                self._at = place
                return lane
            if best is None or lane.held < best.held:
                best = lane
        return best

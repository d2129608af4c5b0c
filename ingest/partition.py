"""One raw partition as its worker holds it: how far it is read, counted and cut."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiokafka import TopicPartition

from ingest.counts import RangeCounter
from kernel.bus.poison import PoisonGuard
from kernel.clock import Millis


@dataclass(slots=True)
class RawPartition:
    """State of one owned raw partition; thrown away and made anew from `done` whenever anything is in doubt.

    `limit` is an intent that another owner left: the range up to it has to be counted exactly. `arrival` is the
    arrival of the newest record read, `cut_arrival` of the newest that is cut.
    """

    place: TopicPartition
    topic_id: str
    counter: RangeCounter
    limit: int | None = None
    arrival: Millis = 0
    cut_arrival: Millis = 0
    at_end: Millis = 0
    guard: PoisonGuard = field(default_factory=PoisonGuard)
    doubtful: bool = False

    @property
    def done(self) -> int:
        """Everything before this offset is counted and acknowledged."""
        return self.counter.start

    @property
    def progress(self) -> Millis:
        """The arrival time up to which this partition is cut, 0 where nothing is known yet."""
        return max(self.at_end, self.cut_arrival)

    def blocked_by_limit(self, offset: int) -> bool:
        """Whether the standing intent has to be cut before the record at `offset` is read."""
        return self.limit is not None and offset >= self.limit

    def range_end(self) -> int | None:
        """Where the next range ends, None where there is nothing to cut or the standing intent is not reached."""
        if self.limit is not None:
            return self.limit if self.counter.position >= self.limit else None
        return None if self.counter.empty else self.counter.position

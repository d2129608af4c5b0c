"""Counting what was read of one raw partition, cut into ranges that never overlap."""

from __future__ import annotations

from collections.abc import Iterator

from kernel.model.alert import Stamp, Status
from kernel.model.signals import Count, Counts

MAX_ENTRIES = 2_000
"""Entries of one shard in one range: about 200 KB of its one record."""
MAX_ALERTS = 50_000


class _Tally:
    """How often, and the newest observation."""

    __slots__ = ("n", "newest")

    def __init__(self, newest: Stamp) -> None:
        self.n = 1
        self.newest = newest


class RangeCounter:
    """Counts of one raw partition from `start` on, by shard and (fingerprint, status), with the newest observation."""

    __slots__ = ("_shards", "alerts", "fullest", "position", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.position = start
        self.alerts = 0
        self.fullest = 0
        self._shards: dict[int, dict[tuple[str, Status], _Tally]] = {}

    def add(self, shard: int, fingerprint: str, status: Status, stamp: Stamp) -> None:
        """One alert; its record's offset is within the range that will be cut."""
        counts = self._shards.get(shard)
        if counts is None:
            counts = self._shards[shard] = {}
        key = (fingerprint, status)
        known = counts.get(key)
        if known is None:
            counts[key] = _Tally(stamp)
            self.fullest = max(self.fullest, len(counts))
        else:
            known.n += 1
            if stamp > known.newest:  # noqa: PLR1730 - max() would be another call for every repeat
                known.newest = stamp
        self.alerts += 1

    @property
    def full(self) -> bool:
        """Whether the range has to be cut before more is read."""
        return self.alerts >= MAX_ALERTS or self.fullest >= MAX_ENTRIES

    @property
    def empty(self) -> bool:
        """Nothing was read since the last cut."""
        return self.position == self.start

    def records(self, topic: str, partition: int, end: int) -> Iterator[tuple[int, Counts]]:
        """For each shard that the range touched, its one `Counts`: shard and signal."""
        for shard in sorted(self._shards):
            entries = tuple(
                Count(fingerprint, status, tally.n, tally.newest)
                for (fingerprint, status), tally in self._shards[shard].items()
            )
            yield shard, Counts(topic, partition, self.start, end, entries)

"""What may be sent and when: the waiting entries of a shard's ledgers, earliest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from kernel.clock import Millis
from kernel.model.state import LedgerEntry, NotifierDoc
from notifier.ledger import blocked


class Queue:
    """Entries whose next attempt waits. An entry may stand here more than once; what it is by then decides."""

    def __init__(self) -> None:
        self._heap: list[tuple[Millis, int, NotifierDoc, LedgerEntry]] = []
        self._number = 0

    def add(self, doc: NotifierDoc, entry: LedgerEntry, due: Millis | None = None) -> None:
        """Look at this entry at its due time, or at another one."""
        self._number += 1
        heapq.heappush(self._heap, (entry.due if due is None else due, self._number, doc, entry))

    def wake(self, doc: NotifierDoc, target: str) -> None:
        """A delivery to this target is over: the next one of the incident may go."""
        for entry in doc.ledger:
            if entry.key.target == target and not entry.final:
                if entry.outcome is None:
                    self.add(doc, entry)
                return

    def earliest(self) -> Millis | None:
        """When the next entry is to be looked at."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: Millis) -> Iterator[tuple[NotifierDoc, LedgerEntry]]:
        """Take every entry that may go by `now`: waiting, not behind another one, of an incident that is known."""
        while self._heap and self._heap[0][0] <= now:
            _, _, doc, entry = heapq.heappop(self._heap)
            if entry.outcome is None and entry.due <= now and doc.headline is not None and not blocked(doc, entry):
                yield doc, entry

"""What may be sent and when: the waiting entries of a shard's ledgers, earliest first."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from kernel.clock import Millis
from kernel.model.state import LedgerEntry, NotifierDoc
from notifier.ledger import blocked


class Queue:
    """Entries whose next attempt waits, by target. An entry may stand here more than once; what it is by then decides.

    A target that takes nothing more for now costs one question, however many wait for it.
    """

    def __init__(self) -> None:
        self._heaps: dict[str, list[tuple[Millis, int, NotifierDoc, LedgerEntry]]] = {}
        self._held: dict[str, Millis] = {}
        self._number = 0

    def add(self, doc: NotifierDoc, entry: LedgerEntry) -> None:
        """Look at this entry at its due time."""
        self._number += 1
        heapq.heappush(self._heaps.setdefault(entry.key.target, []), (entry.due, self._number, doc, entry))

    def wake(self, doc: NotifierDoc, target: str) -> None:
        """A delivery to this target is over: the next one of the incident may go."""
        for entry in doc.ledger:
            if entry.key.target == target and not entry.final:
                if entry.outcome is None:
                    self.add(doc, entry)
                return

    def earliest(self) -> Millis | None:
        """When the next entry is to be looked at."""
        waiting = (max(heap[0][0], self._held.get(target, 0)) for target, heap in self._heaps.items() if heap)
        return min(waiting, default=None)

    def due(self, now: Millis, wait: Callable[[str], int]) -> Iterator[tuple[NotifierDoc, LedgerEntry]]:
        """Take every entry that may go by `now`: waiting, not behind another one, of an incident that is known.

        `wait` says how many ms a target takes nothing more, 0 where it does; it is asked before each entry.
        """
        for target, heap in list(self._heaps.items()):
            while heap and heap[0][0] <= now:
                held = wait(target)
                if held:
                    self._held[target] = now + held
                    break
                _, _, doc, entry = heapq.heappop(heap)
                if entry.outcome is None and entry.due <= now and doc.headline is not None and not blocked(doc, entry):
                    yield doc, entry
            else:
                self._held.pop(target, None)

"""When our own code fails on input: a bad deployment must not drain a topic into the dead letters."""

from __future__ import annotations

from collections import deque

IN_A_ROW = 20
OF_LAST = 1_000
SHARE = 0.10


class PoisonGuard:
    """Watches one partition: over 20 errors in a row, or 10 % of the last 1,000 records, and it must stop."""

    def __init__(self) -> None:
        self._row = 0
        self._last: deque[bool] = deque(maxlen=OF_LAST)
        self._bad = 0

    def fine(self, records: int = 1) -> None:
        """So many records were handled, whatever their sender's faults."""
        self._row = 0
        if not self._bad and len(self._last) == OF_LAST:
            return  # the last thousand were fine and still are
        for _ in range(min(records, OF_LAST)):
            self._push(bad=False)

    def failed(self) -> bool:
        """One record met an unexpected error of our own code. True where the partition has to stop now."""
        self._row += 1
        self._push(bad=True)
        return self._row > IN_A_ROW or (len(self._last) == OF_LAST and self._bad > SHARE * OF_LAST)

    def _push(self, *, bad: bool) -> None:
        if len(self._last) == OF_LAST and self._last[0]:
            self._bad -= 1
        self._last.append(bad)
        self._bad += bad

"""Recent changes of a shard's systems: what an investigation asks for first. The newest observation of each wins."""

from __future__ import annotations

from typing import Final

from correlator.moves import Moves
from correlator.state import Shard
from kernel.clock import Millis
from kernel.model.change import Change
from kernel.model.state import KnownChange

MAX_CHANGES: Final = 1_000
"""Of a shard; one more drives out the one that was heard of longest ago."""


class Changes:
    """Keeps a shard's changes: bounded in number, and in time by `correlation.keep_changes`."""

    def __init__(self, moves: Moves) -> None:
        self._shard: Shard = moves.shard
        self._keep = moves.config.correlation.keep_changes

    def take(self, change: Change) -> None:
        """An observation of a change, whatever the order in which they come."""
        shard, name = self._shard, change.fingerprint
        known = shard.changes.get(name)
        if known is None:
            self._make_room()
            shard.changes[name] = KnownChange(change, change.when)
        elif change.stamp > known.change.stamp:
            shard.changes[name] = KnownChange(change, min(known.first, change.when))
        elif change.when < known.first:
            shard.changes[name] = KnownChange(known.change, change.when)
        else:
            return
        shard.touch("changes", name)
        shard.set_timer(f"change:{name}", shard.changes[name].change.received_at + self._keep)

    def _make_room(self) -> None:
        changes = self._shard.changes
        while len(changes) >= MAX_CHANGES:
            self._drop(min(changes, key=lambda name: (changes[name].change.received_at, name)))

    def _drop(self, name: str) -> None:
        del self._shard.changes[name]
        self._shard.touch("changes", name)
        self._shard.drop_timer(f"change:{name}")

    def expire(self, name: str, now: Millis) -> None:
        """Its time may be over."""
        known = self._shard.changes.get(name)
        if known is None:
            return
        due = known.change.received_at + self._keep
        if now < due:
            self._shard.set_timer(f"change:{name}", due)
        else:
            self._drop(name)

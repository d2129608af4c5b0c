"""What arrived before the thing it belongs to: counts of unknown fingerprints, commands for unknown incidents."""

from __future__ import annotations

from msgspec import Struct

from kernel.clock import Millis
from kernel.model.alert import Stamp, Status
from kernel.model.signals import Command, Count

MAX_WAITING = 20_000
COMMAND_WAITS = 30_000
MAX_TARGETS = 2_000
MAX_BEHIND = 100


class WaitingCounts(Struct, array_like=True):
    """Counts of a fingerprint that no full signal was seen of yet; merged, so bounded by fingerprints."""

    since: Millis
    firing: int = 0
    resolved: int = 0
    newest_firing: Stamp | None = None
    newest_resolved: Stamp | None = None
    topic: str = ""

    def add(self, count: Count) -> None:
        """Another range counted this fingerprint."""
        if count.status is Status.FIRING:
            self.firing += count.n
            self.newest_firing = count.newest if self.newest_firing is None else max(self.newest_firing, count.newest)
        else:
            self.resolved += count.n
            seen = self.newest_resolved
            self.newest_resolved = count.newest if seen is None else max(seen, count.newest)

    @property
    def reason(self) -> str:
        """Why they stay unattributed, if nothing comes."""
        return "unknown" if self.firing else "resolved_unknown"


class WaitingCommand(Struct, array_like=True):
    """A command that fits nothing yet, until `until`; taken already, so the fence has passed it."""

    command: Command
    until: Millis

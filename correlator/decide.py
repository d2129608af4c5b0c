"""The correlator's decision: signals, foreign facts and time in; a changed shard and the facts to tell out.

Pure but for the shard it changes in place: no I/O, no clock. The owner writes what changed in one script.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from correlator.changes import Changes
from correlator.clockwork import Clockwork
from correlator.commands import Commands
from correlator.heartbeats import Heartbeats
from correlator.moves import Moves
from correlator.observe import Observer
from correlator.rules import Rulebook
from correlator.state import Shard
from kernel.clock import Millis
from kernel.config.schema import Config
from kernel.model.incident import Fact, IncidentEvent, IncidentRecord, IncidentStatus
from kernel.model.own import HEARTBEAT_RULE
from kernel.model.signals import ChangeSeen, Command, Counts, Heartbeat, Refresh, Signal, SignalRecord, Transition


class Decider:
    """Decides for one shard under one configuration. `shards` is how many there are, None where this is the only."""

    def __init__(self, shard: Shard, config: Config, config_hash: str, shards: int | None = None) -> None:
        self.shard = shard
        self._moves = Moves(shard, config, Rulebook(config), config_hash)
        self._observer = Observer(self._moves)
        self._commands = Commands(self._moves)
        self._changes = Changes(self._moves)
        self._heartbeats = Heartbeats(self._moves, self._observer, shards)
        self._clockwork = Clockwork(self._moves, self._commands, self._changes, self._heartbeats)

    def take(self, record: SignalRecord) -> int:
        """One record of `signals`; returns how many alerts in full it held."""
        self.shard.arrival = max(self.shard.arrival, record.arrival)
        alerts = 0
        for signal in record.signals:
            self.shard.item += 1
            self.shard.said = 0
            alerts += self._signal(signal)
        # The record is the owner's position from here on.
        self.shard.item = self.shard.said = 0
        return alerts

    def _signal(self, signal: Signal) -> int:
        if isinstance(signal, Transition | Refresh):
            # A timer that was due before this alert arrived has its effect first, where the time has come.
            self._clockwork.advance(min(signal.alert.received_at, self.shard.time))
            before = len(self.shard.events)
            self._observer.alert(signal.alert, signal.reason if isinstance(signal, Transition) else "refreshed")
            self._meet(before, signal.alert.fingerprint)
            return 1
        if isinstance(signal, Counts):
            self._observer.counts(signal)
        elif isinstance(signal, Command):
            self._commands.take(signal)
        elif isinstance(signal, ChangeSeen):
            self._changes.take(signal.change)
        else:
            assert isinstance(signal, Heartbeat)
            self._heartbeats.take(signal)
        return 0

    def _meet(self, before: int, fingerprint: str) -> None:
        """Commands that waited for an alert which was just seen, or for an incident which it has just opened."""
        if self.shard.commands:
            for event in self.shard.events[before:]:
                if event.fact is Fact.OPENED:
                    self._commands.opened(event.headline.id)
            self._commands.seen(fingerprint)

    def advance(self, to: Millis) -> None:
        """The shard's time has come so far."""
        self._clockwork.advance(to)

    def look(self, now: Millis, sure_to: Millis) -> None:
        """What is expected and did not come; `now` is wall time, all input that arrived up to `sure_to` is applied."""
        before = len(self.shard.events)
        self._heartbeats.look(now, sure_to)
        self._meet(before, "")

    def heard(self, records: Iterable[IncidentRecord]) -> int:
        """What others published in this shard's name: repeat or withdraw what is newer than what is known.

        Returns the highest epoch among them that is not below this owner's: where there is one, it must claim above.
        """
        above = 0
        again: dict[str, IncidentEvent] = {}
        for record in records:
            if record.owner != self.shard.owner and record.epoch >= self.shard.epoch:
                above = max(above, record.epoch)
            for event in record.events:
                known = self.shard.incidents.get(event.headline.id)
                seen = (known.doc.epoch, known.doc.revision) if known else (0, 0)
                if record.owner != self.shard.owner and (event.epoch, event.revision) > seen:
                    again[event.headline.id] = event
        if not above:
            before = len(self.shard.events)
            for name in sorted(again):
                self._repeat(name, again[name])
            self._meet(before, "")
        return above

    def _repeat(self, name: str, event: IncidentEvent) -> None:
        incident = self.shard.incidents.get(name)
        if incident is not None:
            incident.doc.revision = max(incident.doc.revision, event.revision)
            why = "another owner had said otherwise; this is how it stands"
            self._moves.say(incident, Fact.REPEATED, event.at, why)
        elif event.headline.status not in (IncidentStatus.CLOSED, IncidentStatus.WITHDRAWN):
            # Opened here it is newer than what the other owner said.
            self.shard.withdrawn[name] = event.revision
            if event.headline.rule == HEARTBEAT_RULE and self._heartbeats.confirm(event.headline):
                return
            withdrawal = _withdrawal(event, self.shard)
            self.shard.withdrawn[name] = withdrawal.revision
            self.shard.events.append(withdrawal)

    def finish(self) -> None:
        """The end of a turn: what changed without a fact of its own is said once an incident."""
        self._moves.flush_quiet()


def _withdrawal(event: IncidentEvent, shard: Shard) -> IncidentEvent:
    """The headline of an incident that its shard does not know: whoever was told of it must be told that it is off."""
    headline = replace(event.headline, status=IncidentStatus.WITHDRAWN)
    why = "the shard lost its newest state and does not know this incident"
    return IncidentEvent(Fact.WITHDRAWN, shard.epoch, event.revision + 1, event.at, why, headline, shard.seen)

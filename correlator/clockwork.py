"""What time does to a shard. Everything here quietens, so all of it waits for the shard's time.

The shard's time is where every raw message that arrived before it is known to be in: a slow ingest, a door that was
down or a dead source resolves nothing.
"""

from __future__ import annotations

from correlator.changes import Changes
from correlator.commands import Commands
from correlator.heartbeats import Heartbeats
from correlator.moves import Moves
from correlator.state import Shard
from kernel.clock import Millis
from kernel.model.own import CANARY_RULE
from kernel.model.state import Member, MemberState


class Clockwork:
    """Fires a shard's timers in due order."""

    def __init__(self, moves: Moves, commands: Commands, changes: Changes, heartbeats: Heartbeats) -> None:
        self._moves = moves
        self._commands = commands
        self._changes = changes
        self._heartbeats = heartbeats
        self._shard: Shard = moves.shard

    def advance(self, to: Millis) -> None:
        """The shard's time moves on; it never moves back."""
        self._shard.time = max(self._shard.time, to)
        while (name := self._shard.due(self._shard.time)) is not None:
            self._fire(name, self._shard.time)

    def _fire(self, name: str, now: Millis) -> None:
        kind, _, key = name.partition(":")
        if kind == "stale":
            self._stale(key, now)
        elif kind == "drop":
            self._drop(key, now)
        elif kind == "count":
            self._unattributed(key)
        elif kind == "command":
            self._commands.expire(key, now)
        elif kind == "change":
            self._changes.expire(key, now)
        elif (incident := self._shard.incidents.get(key)) is not None:
            if kind == "close":
                self._moves.close(incident, now)
            elif kind == "fall":
                self._moves.fall(incident, now)
            elif kind == "forget":
                self._forget(key, now)

    def _stale(self, fingerprint: str, now: Millis) -> None:
        member = self._shard.members.get(fingerprint)
        if member is None or member.state is not MemberState.FIRING or member.valid_for is None:
            return
        due = self._stale_at(member)
        if now < due:
            self._shard.set_timer(f"stale:{fingerprint}", due)
            return
        member.state = MemberState.STALE
        self._shard.touch("members", fingerprint)
        facts = self._shard.facts[fingerprint]
        why = f"{facts.name} was not repeated for {member.valid_for // 1000} s while its source went on sending"
        self._moves.quieten(self._shard.incidents[member.incident], member, due, why)

    def _stale_at(self, member: Member) -> Millis:
        """When the member is stale at the earliest, as far as is known now; later where its source is silent."""
        assert member.valid_for is not None
        assert member.newest_firing is not None
        span = member.valid_for
        due = member.newest_firing.arrival + span
        name = self._shard.facts[member.fingerprint].source
        source = self._shard.sources[name]
        # Senders repeat about every quarter of the span; a gap of half of it is a silence, after which the member is
        # given its whole span to be repeated.
        due = max(due, self._shard.claimed_at + span, source.silence_ended(span // 2) + span)
        due = max(due, self._heartbeats.returned(name) + span)
        if self._heartbeats.silent(name):
            return max(due, self._shard.time + 1_000)
        # The source itself must have been heard that late: a dead one proves nothing.
        return due if source.newest >= member.newest_firing.arrival + span else max(due, self._shard.time + 1_000)

    def _drop(self, fingerprint: str, now: Millis) -> None:
        member = self._shard.members.get(fingerprint)
        if member is None:
            return
        incident = self._shard.incidents.get(member.incident)
        if member.state is MemberState.FIRING or (incident is not None and incident.doc.status.live):
            return
        due = member.newest.arrival + 2 * self._moves.config.correlation.lease
        if now < due:
            self._shard.set_timer(f"drop:{fingerprint}", due)
            return
        del self._shard.members[fingerprint], self._shard.facts[fingerprint]
        self._shard.touch("members", fingerprint)
        self._shard.touch("facts", fingerprint)
        if incident is not None:
            incident.members.discard(fingerprint)

    def _unattributed(self, fingerprint: str) -> None:
        waiting = self._shard.counts.pop(fingerprint, None)
        if waiting is not None:
            self._shard.total(f"unattributed:{waiting.reason}", waiting.firing + waiting.resolved)
            self._shard.touch("waiting", f"n:{fingerprint}")

    def _forget(self, name: str, now: Millis) -> None:
        incident = self._shard.incidents[name]
        if incident.members:
            # One of its members still fires, handled by a person: its counts belong here.
            for fingerprint in sorted(incident.members):
                self._shard.set_timer(f"drop:{fingerprint}", now)
            self._shard.set_timer(f"forget:{name}", now + self._moves.rulebook.keeps(incident.doc.rule))
            return
        # What stormfold sent itself is none of the alerts that the audit counts.
        of = "canaries" if incident.doc.rule == CANARY_RULE else "forgotten_alerts"
        self._shard.total(of, incident.doc.count)
        del self._shard.incidents[name]
        self._shard.successors.pop(name, None)
        self._shard.touch("incidents", name)

"""Late input may show that two incidents of one group were one all along: they are merged, the younger into the older.

So membership converges, whatever the order, for input late by less than the window while no cap is reached.
"""

from __future__ import annotations

from correlator.moves import Moves
from correlator.state import Incident, Shard
from kernel.clock import Millis
from kernel.model.incident import Fact, IncidentStatus
from kernel.model.state import MemberState


class Merger:
    """Merges live incidents of one rule and group that a window connects."""

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self._shard: Shard = moves.shard

    def check(self, incident: Incident, at: Millis) -> None:
        """The incident grew, earlier or later; `at` is the arrival of what made it grow."""
        place = (incident.doc.rule, incident.doc.group_key)
        names = self._shard.live.get(place, set())
        if len(names) < 2 or incident.doc.id not in names:
            return
        others = sorted((self._shard.incidents[name] for name in names), key=lambda i: (i.first, i.doc.id))
        for other in others:
            if other is not incident and other.doc.status.live and incident.doc.status.live:
                older, younger = sorted((incident, other), key=lambda i: (i.first, i.doc.id))
                if self._connected(older, younger):
                    self._merge(older, younger, at)
                    incident = older

    def _connected(self, older: Incident, younger: Incident) -> bool:
        rule = self._moves.rulebook.rule(older.doc.rule)
        if older.doc.id == younger.doc.predecessor or younger.doc.id == older.doc.predecessor:
            return False
        if len(older.members) + len(younger.members) > rule.size:
            return False
        if younger.doc.opened_at > older.doc.opened_at + rule.cap:
            return False
        return younger.first - self._shard.newest_firing(older) <= rule.window

    def _merge(self, older: Incident, younger: Incident, at: Millis) -> None:
        shard, moves = self._shard, self._moves
        for name in sorted(younger.members):
            member = shard.members[name]
            fires = member.state is MemberState.FIRING and not member.handled
            if fires:
                shard.counted(member, moves.config, -1)
            moves.enlist(older, member)
            if fires:
                shard.counted(member, moves.config, 1)
        younger.members.clear()
        older.doc.count += younger.doc.count
        older.doc.handled += younger.doc.handled
        younger.doc.count = younger.doc.handled = 0
        self._end(older, younger, at)
        moves.quietly(older, at, f"{younger.doc.id} was one with it")
        moves.rescore(older, at)

    def _end(self, older: Incident, younger: Incident, at: Millis) -> None:
        shard, doc = self._shard, younger.doc
        place = (doc.rule, doc.group_key)
        shard.ceases(younger)
        if shard.current.get(place) == doc.id:
            shard.current[place] = older.doc.id
        for name in shard.successors.pop(doc.id, set()):
            shard.incidents[name].doc.predecessor = older.doc.id
            shard.successors.setdefault(older.doc.id, set()).add(name)
            shard.touch("incidents", name)
        doc.status, doc.merged_into, doc.closed_at = IncidentStatus.CLOSED, older.doc.id, at
        doc.cause_arrival = at
        shard.drop_timer(f"fall:{doc.id}")
        shard.set_timer(f"forget:{doc.id}", at + self._moves.config.correlation.keep_closed)
        self._moves.say(younger, Fact.MERGED, at, f"one with {older.doc.id}: late input connects them")

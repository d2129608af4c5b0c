"""What people ask: acknowledge, take that back, note, resolve; each applied once, in order, or dead with its reason.

A command names an incident, or an alert whose incident is meant. What it is for may still be on its way: it waits, and
what comes later for the same target waits behind it. An answer to an alert is about what its sender knew of: it is not
for an episode that began after it arrived.
"""

from __future__ import annotations

from correlator.moves import ANSWERS, Moves
from correlator.state import Incident, Shard
from correlator.waiting import COMMAND_WAITS, MAX_BEHIND, MAX_TARGETS, WaitingCommand
from kernel.clock import Millis
from kernel.model.incident import Fact, IncidentStatus
from kernel.model.signals import Command, Verb
from kernel.model.state import MemberState

_BY_ALERT = "alert/"
AT_ONCE = 2_000
"""What was sent within so many ms may arrive in either order."""


def target_of(command: Command) -> str:
    """What a command is for, as the shard's waiting list names it: an incident's id, or `alert/` and a fingerprint."""
    return f"{_BY_ALERT}{command.alert}" if command.alert else command.incident


class Commands:
    """Takes commands into a shard. The fence is the highest (offset, place) taken of each answers partition."""

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self._shard: Shard = moves.shard

    def take(self, command: Command) -> None:
        """Apply a command, let it wait, or pass over one that was taken before."""
        shard, origin = self._shard, command.origin
        fence = f"commands:{origin.topic}.{origin.partition}"
        offset, _, item = shard.fences.get(fence, "-1.0").partition(".")
        if (origin.offset, origin.item) <= (int(offset), int(item)):
            return
        shard.fence(fence, f"{origin.offset}.{origin.item}")
        shard.arrival = max(shard.arrival, command.arrival)
        target = target_of(command)
        incident = self._ready(command)
        if incident is None or target in shard.commands:
            self._wait(target, command)
        else:
            self._apply(incident, command)

    def _wait(self, target: str, command: Command) -> None:
        shard = self._shard
        behind = shard.commands.get(target, [])
        if len(behind) >= MAX_BEHIND or (not behind and len(shard.commands) >= MAX_TARGETS):
            if command.broad:
                self._count(command, "overflow")
            else:
                self._give_up(command, "too many commands wait for what they are for")
            return
        until = command.arrival + COMMAND_WAITS
        shard.commands.setdefault(target, []).append(WaitingCommand(command, until))
        shard.touch("waiting", f"c:{target}")
        shard.set_timer(f"command:{target}", until)

    # --- what is meant

    def _ready(self, command: Command) -> Incident | None:
        """The incident that a command can be applied to now.

        An answer to an alert comes by another way than the alert: where its incident is over, the alert that opens the
        next episode may still be under way.
        """
        incident = self._meant(command)
        if command.alert and incident is not None and not incident.doc.status.live and command.verb is not Verb.NOTE:
            return None
        return incident

    def _meant(self, command: Command) -> Incident | None:
        """The incident of that name or of that alert, or the one that it was merged into."""
        name = command.incident
        if command.alert:
            member = self._shard.members.get(command.alert)
            name = member.incident if member is not None else ""
        incident = self._shard.incidents.get(name)
        while incident is not None and incident.doc.merged_into is not None:
            incident = self._shard.incidents.get(incident.doc.merged_into)
        return incident

    def _episodes(self, command: Command, incident: Incident) -> tuple[str, ...]:
        """The episode in force, and the last one of the named incident where that was merged into this one."""
        named = self._shard.incidents.get(command.incident, incident)
        return incident.doc.episode, named.doc.episode

    def _is_earlier(self, command: Command, incident: Incident) -> bool:
        """Whether it is about an earlier episode, by its name, or because it arrived before this one began."""
        if command.episode and command.episode not in self._episodes(command, incident):
            return True
        member = self._shard.members.get(command.alert)
        if member is None or command.verb is Verb.NOTE:
            return False
        fired = member.newest_firing.arrival if member.newest_firing is not None else 0
        return max(incident.doc.began, min(member.first, fired)) > command.arrival + AT_ONCE

    # --- those that wait

    def opened(self, name: str) -> None:
        """An incident came to be: what waited for it is applied in order."""
        self._arrived(name)

    def seen(self, fingerprint: str) -> None:
        """An alert was seen in full: it may be in a live incident now."""
        self._arrived(f"{_BY_ALERT}{fingerprint}")

    def _arrived(self, target: str) -> None:
        waiting = self._shard.commands.get(target)
        if waiting is None or self._ready(waiting[0].command) is None:
            return
        del self._shard.commands[target]
        self._shard.touch("waiting", f"c:{target}")
        self._shard.drop_timer(f"command:{target}")
        for entry in waiting:
            incident = self._meant(entry.command)
            if incident is not None:
                self._apply(incident, entry.command)

    def expire(self, target: str, now: Millis) -> None:
        """Commands for what never came are dead; those for an incident that is over change nothing."""
        waiting = self._shard.commands.get(target, [])
        rest = [entry for entry in waiting if entry.until > now]
        for entry in waiting:
            if entry.until <= now:
                incident = self._meant(entry.command)
                if incident is not None:
                    self._apply(incident, entry.command)
                elif entry.command.alert:
                    self._give_up(entry.command, f"no alert {entry.command.alert} is known in this shard")
                else:
                    self._give_up(entry.command, f"no incident {target} is known in this shard")
        if rest:
            self._shard.commands[target] = rest
            self._shard.set_timer(f"command:{target}", rest[0].until)
        else:
            self._shard.commands.pop(target, None)
        self._shard.touch("waiting", f"c:{target}")

    def _give_up(self, command: Command, why: str) -> None:
        if command.broad:
            # It was sent to every shard, and is meant for one of them at most.
            self._count(command, "elsewhere")
        else:
            self._shard.dead.append((command, why))

    def _count(self, command: Command, outcome: str) -> None:
        self._shard.total(f"commands:{command.verb}:{outcome}", 1)

    # --- effects

    def _apply(self, incident: Incident, command: Command) -> None:
        doc = incident.doc
        if command.tenant and command.tenant != doc.tenant:
            # Nothing of it may show in an incident of somebody else's.
            self._count(command, "other_tenant")
            self._give_up(command, f"the incident is not one of the tenant {command.tenant}")
            return
        if command.id in doc.answers:
            return
        doc.answers.append(command.id)
        del doc.answers[:-ANSWERS]
        self._shard.touch("incidents", doc.id)
        if self._is_earlier(command, incident):
            self._count(command, "other_episode")
            if doc.status.live:
                why = f"the {command.verb} by {command.by} is about an earlier episode; it changed nothing"
                self._moves.remark(incident, command.arrival, "passed over", why)
            return
        self._answer(incident, command)

    def _answer(self, incident: Incident, command: Command) -> None:
        doc, at = incident.doc, command.arrival
        said = f"by {command.by}" + (f": {command.note}" if command.note else "")
        if command.verb is Verb.ACKNOWLEDGE:
            if doc.status is IncidentStatus.OPEN:
                doc.status, doc.answered_by = IncidentStatus.ACKNOWLEDGED, command.by
                doc.cause_arrival = at
                self._moves.say(incident, Fact.ACKNOWLEDGED, at, said)
        elif command.verb is Verb.UNACKNOWLEDGE:
            if doc.status is IncidentStatus.ACKNOWLEDGED:
                doc.status, doc.answered_by = IncidentStatus.OPEN, None
                doc.cause_arrival = at
                self._moves.say(incident, Fact.UNACKNOWLEDGED, at, said)
        elif command.verb is Verb.NOTE:
            if command.note:
                self._moves.say(incident, Fact.NOTED, at, said)
        elif doc.status.live:
            self._handle(incident)
            self._moves.resolve(incident, at, said, command.by)

    def _handle(self, incident: Incident) -> None:
        """Those still firing are handled: the episode ends, not they."""
        for name in sorted(incident.members):
            member = self._shard.members[name]
            if member.state is MemberState.FIRING and not member.handled:
                self._shard.counted(member, self._moves.config, -1)
                member.handled = True
                incident.doc.handled += 1
                self._shard.touch("members", name)

"""What people ask: acknowledge and resolve, each applied once, in order, or dead with its reason."""

from __future__ import annotations

from correlator.moves import ANSWERS, Moves
from correlator.state import Incident, Shard
from correlator.waiting import COMMAND_WAITS, WaitingCommand
from kernel.clock import Millis
from kernel.model.incident import Fact, IncidentStatus
from kernel.model.signals import Command, Verb
from kernel.model.state import MemberState


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
        incident = self._meant(command.incident)
        if incident is None or command.incident in shard.commands:
            until = command.arrival + COMMAND_WAITS
            shard.commands.setdefault(command.incident, []).append(WaitingCommand(command, until))
            shard.touch("waiting", f"c:{command.incident}")
            shard.set_timer(f"command:{command.incident}", until)
            return
        self._apply(incident, command)

    def _meant(self, name: str) -> Incident | None:
        """The incident of that name, or the one that it was merged into."""
        incident = self._shard.incidents.get(name)
        while incident is not None and incident.doc.merged_into is not None:
            incident = self._shard.incidents.get(incident.doc.merged_into)
        return incident

    def arrived(self, name: str) -> None:
        """An incident came to be: what waited for it is applied in order."""
        waiting = self._shard.commands.pop(name, None)
        if waiting is None:
            return
        self._shard.touch("waiting", f"c:{name}")
        self._shard.drop_timer(f"command:{name}")
        for entry in waiting:
            self._apply(self._shard.incidents[name], entry.command)

    def expire(self, name: str, now: Millis) -> None:
        """Commands for an incident that never came are dead."""
        waiting = self._shard.commands.get(name, [])
        dead = [entry for entry in waiting if entry.until <= now]
        rest = [entry for entry in waiting if entry.until > now]
        for entry in dead:
            self._shard.dead.append((entry.command, f"no incident {name} is known in this shard"))
        if rest:
            self._shard.commands[name] = rest
            self._shard.set_timer(f"command:{name}", rest[0].until)
        else:
            self._shard.commands.pop(name, None)
        self._shard.touch("waiting", f"c:{name}")

    def _apply(self, incident: Incident, command: Command) -> None:
        doc = incident.doc
        doc.answers.append(command.id)
        del doc.answers[:-ANSWERS]
        self._shard.touch("incidents", doc.id)
        said = f"by {command.by}" + (f": {command.note}" if command.note else "")
        if command.verb is Verb.ACKNOWLEDGE:
            if doc.status is IncidentStatus.OPEN:
                doc.status, doc.answered_by = IncidentStatus.ACKNOWLEDGED, command.by
                doc.cause_arrival = command.arrival
                self._moves.say(incident, Fact.ACKNOWLEDGED, command.arrival, said)
        elif doc.status.live:
            self._handle(incident)
            self._moves.resolve(incident, command.arrival, said, command.by)

    def _handle(self, incident: Incident) -> None:
        """Those still firing are handled: the episode ends, not they."""
        for name in sorted(incident.members):
            member = self._shard.members[name]
            if member.state is MemberState.FIRING and not member.handled:
                self._shard.counted(member, self._moves.config, -1)
                member.handled = True
                incident.doc.handled += 1
                self._shard.touch("members", name)

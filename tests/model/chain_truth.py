"""What the correlator is given in a run, and what has to come of it: a plain fold, one signal after the other."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from correlator.decide import Decider
from correlator.state import Shard
from kernel.clock import Millis
from kernel.config.schema import Config
from kernel.model.alert import Alert, Origin, Severity, Stamp, Status
from kernel.model.delivery import Action, LedgerKey
from kernel.model.incident import IncidentStatus, Priority
from kernel.model.naming import episode_of
from kernel.model.signals import Command, Count, Counts, Passed, Signal, SignalRecord, Transition, Verb
from tests.model.schedule import BASE_MS

RULE, TARGET = "by-service", "target"
SPACING = 500
PRIORITIES = {Severity.CRITICAL: Priority.P1, Severity.MEDIUM: Priority.P2, Severity.LOW: Priority.P3}


def make_plan(rnd: random.Random, config: Config, alerts: str, answers: str) -> list[Signal]:
    """Transitions, counts and commands of one or two groups; observed times tie or are out of order in half of them."""
    n, groups = rnd.randint(3, 14), rnd.randint(1, 2)
    observed = [BASE_MS + SPACING * (1 + i // rnd.choice((1, 1, 3))) for i in range(n)]
    if rnd.random() < 0.3:
        rnd.shuffle(observed)
    plan: list[Signal] = []
    openers: dict[int, str] = {}
    fired: set[str] = set()
    taken = commands = 0
    for i in range(n):
        group, arrival, x = rnd.randrange(groups), BASE_MS + SPACING * i, rnd.random()
        stamp = Stamp(observed[i], arrival, 0, i, 0)
        if x < 0.2 and group in openers:
            commands += 1
            verb = rnd.choice(list(Verb))
            plan.append(Command(f"c{i}", verb, openers[group], "ann", Origin(answers, 0, commands, 0), arrival))
        elif x < 0.4:
            status = rnd.choice(list(Status))
            entry = Count(_fingerprint(group, rnd.randrange(2)), status, rnd.randint(1, 3), stamp)
            plan.append(Counts(alerts, 0, taken, i + 1, (entry,)))
            taken = i + 1
        else:
            alert = _alert(rnd, group, rnd.randrange(2), observed[i], arrival, Origin(alerts, 0, i, 0))
            if alert.fingerprint not in fired and alert.status is Status.RESOLVED:
                # It opens nothing and is not kept; ingest lets no older observation through in full after it.
                alert = replace(alert, observed_at=BASE_MS)
            else:
                fired.add(alert.fingerprint)
            plan.append(Transition(alert, Passed.FIRST_SIGHT))
            if alert.status is Status.FIRING and group not in openers:
                openers[group] = opened_by(config, alert)
    if rnd.random() < 0.3:
        # A command that is there before its incident.
        early = [signal for signal in plan if isinstance(signal, Command)]
        for signal in early[:1]:
            plan.remove(signal)
            plan.insert(0, signal)
    return plan


def _fingerprint(group: int, member: int) -> str:
    return f"{group:02x}{member:02x}".ljust(32, "0")


def opened_by(config: Config, alert: Alert) -> str:
    """The id of the incident that this alert opens where there is none: how it is derived is not for the model."""
    shard = Shard(0)
    Decider(shard, config, "").take(SignalRecord(0, alert.received_at, (Transition(alert, Passed.FIRST_SIGHT),)))
    return next(iter(shard.incidents))


def _alert(rnd: random.Random, group: int, member: int, observed: Millis, arrival: Millis, origin: Origin) -> Alert:
    status = Status.FIRING if rnd.random() < 0.6 else Status.RESOLVED
    severity = rnd.choice(list(PRIORITIES))
    name = _fingerprint(group, member)
    return Alert("model", name, f"m{member}", status, severity, observed, arrival, origin, service=f"g{group}")


@dataclass
class TrueMember:
    """A member by the fold."""

    severity: Severity
    newest: Stamp
    firing: bool = True
    handled: bool = False
    count: int = 0


@dataclass
class TrueIncident:
    """An incident by the fold, with every call that it demands."""

    id: str
    status: IncidentStatus
    episode: str
    priority: Priority = Priority.P4
    members: dict[str, TrueMember] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    @property
    def firing(self) -> list[TrueMember]:
        return [m for m in self.members.values() if m.firing and not m.handled]

    @property
    def worst(self) -> Priority:
        return min((PRIORITIES[m.severity] for m in self.firing), default=Priority.P4, key=lambda p: p.rank)


class Truth:
    """The fold of a plan in which no time passes: state of every incident, and every delivery that is owed."""

    def __init__(self, plan: Iterable[Signal], config: Config, acknowledges: bool) -> None:
        self._config = config
        self.incidents: dict[str, TrueIncident] = {}
        self.owed: set[LedgerKey] = set()
        self.waiting_counts: dict[str, list[Count]] = {}
        self._acknowledges = acknowledges
        self._commands: dict[str, list[Command]] = {}
        self._current: dict[str, TrueIncident] = {}
        self._topic = ""
        for signal in plan:
            if isinstance(signal, Transition):
                self._topic = signal.alert.origin.topic
                self._alert(signal.alert)
            elif isinstance(signal, Counts):
                self._topic = signal.topic
                self._counts(signal.entries)
            elif isinstance(signal, Command):
                self._command(signal)

    def _alert(self, alert: Alert) -> None:
        group, name = alert.service or "", alert.fingerprint
        incident = self._current.get(group)
        member = incident.members.get(name) if incident else None
        if incident is not None and member is not None:
            self._observe(incident, member, alert.status, alert.stamp, alert.origin, alert.severity)
            return
        if alert.status is Status.RESOLVED:
            return
        if incident is None:
            opened = opened_by(self._config, alert)
            incident = TrueIncident(opened, IncidentStatus.OPEN, "")
            self._current[group] = self.incidents[opened] = incident
            member = incident.members[name] = TrueMember(alert.severity, alert.stamp)
            self._episode(incident, alert.origin)
        else:
            member = incident.members[name] = TrueMember(alert.severity, alert.stamp)
            self._fires(incident, alert.origin)
        self._attribute(incident, name, member)
        for command in self._commands.pop(incident.id, ()):
            self._apply(incident, command)

    def _attribute(self, incident: TrueIncident, name: str, member: TrueMember) -> None:
        newest: dict[Status, Stamp] = {}
        for entry in self.waiting_counts.pop(name, ()):
            member.count += entry.n
            newest[entry.status] = max(entry.newest, newest.get(entry.status, entry.newest))
        for status, stamp in sorted(newest.items(), key=lambda item: item[1]):
            self._observe(incident, member, status, stamp, Origin(self._topic, *stamp[2:]), None)

    def _counts(self, entries: Sequence[Count]) -> None:
        for entry in entries:
            found = [i for i in self._current.values() if entry.fingerprint in i.members]
            if not found:
                self.waiting_counts.setdefault(entry.fingerprint, []).append(entry)
                continue
            member = found[0].members[entry.fingerprint]
            member.count += entry.n
            origin = Origin(self._topic, *entry.newest[2:])
            self._observe(found[0], member, entry.status, entry.newest, origin, None)

    def _observe(
        self,
        incident: TrueIncident,
        member: TrueMember,
        status: Status,
        stamp: Stamp,
        origin: Origin,
        severity: Severity | None,
    ) -> None:
        if stamp <= member.newest:
            return
        member.newest = stamp
        if status is Status.RESOLVED:
            counted, member.firing = member.firing and not member.handled, False
            member.handled = False
            if counted and incident.status.live and not incident.firing:
                self._resolve(incident)
            return
        rises = severity is not None and severity.rank < member.severity.rank
        again = not member.firing or (member.handled and rises)
        if severity is not None:
            member.severity = severity
        if again:
            member.firing, member.handled = True, False
            self._fires(incident, origin)
        elif not member.handled:
            self._raise(incident)

    def _fires(self, incident: TrueIncident, origin: Origin) -> None:
        if incident.status.live:
            self._raise(incident)
        else:
            self._episode(incident, origin)

    def _episode(self, incident: TrueIncident, origin: Origin) -> None:
        incident.status, incident.episode = IncidentStatus.OPEN, episode_of(origin)
        incident.priority = incident.worst
        self._call(incident)

    def _raise(self, incident: TrueIncident) -> None:
        if incident.status.live and incident.worst.rank < incident.priority.rank:
            incident.priority, incident.status = incident.worst, IncidentStatus.OPEN
            self._call(incident)

    def _call(self, incident: TrueIncident) -> None:
        action = Action.UPDATE if incident.priority is Priority.P3 else Action.PAGE
        self._owe(incident, action, incident.priority)

    def _owe(self, incident: TrueIncident, action: Action, priority: Priority) -> None:
        self.owed.add(LedgerKey(incident.id, incident.episode, action, priority, 0, TARGET))

    def _resolve(self, incident: TrueIncident) -> None:
        incident.status = IncidentStatus.RESOLVED
        self._owe(incident, Action.RESOLVE, incident.priority)

    def _command(self, command: Command) -> None:
        incident = self.incidents.get(command.incident)
        if incident is None:
            self._commands.setdefault(command.incident, []).append(command)
        else:
            self._apply(incident, command)

    def _apply(self, incident: TrueIncident, command: Command) -> None:
        incident.answers.append(command.id)
        if command.verb is Verb.RESOLVE and incident.status.live:
            for member in incident.firing:
                member.handled = True
            self._resolve(incident)
        elif command.verb is Verb.ACKNOWLEDGE and incident.status is IncidentStatus.OPEN:
            incident.status = IncidentStatus.ACKNOWLEDGED
            paged = [k for k in self.owed if (k.incident, k.episode) == (incident.id, incident.episode)]
            for key in paged:
                if key.action is Action.PAGE and self._acknowledges:
                    self._owe(incident, Action.ACKNOWLEDGE, key.priority)

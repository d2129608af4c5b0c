"""What observations do: alerts in full and counts move members, members move incidents.

Whatever the order, lateness and repetition of the input, a member ends with the same state, times and count: the
newest observation wins by (observed, arrival, partition, offset, place), counts are added once a range.
"""

from __future__ import annotations

from collections.abc import Mapping

from correlator.merge import Merger
from correlator.moves import Moves
from correlator.rules import Placing
from correlator.state import Incident, Shard, SourceSeen
from correlator.waiting import MAX_WAITING, WaitingCounts
from kernel.clock import Millis
from kernel.model.alert import Alert, Origin, Severity, Stamp, Status
from kernel.model.incident import IncidentStatus
from kernel.model.signals import Counts
from kernel.model.state import Facts, Member, MemberState


class Observer:
    """Takes alerts and counts into a shard."""

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self._shard: Shard = moves.shard
        self._config = moves.config
        self._merger = Merger(moves)

    # --- alerts in full

    def alert(self, alert: Alert, why: str) -> None:
        """A transition or a refresh."""
        self.heard(alert.source, alert.received_at)
        self.own(alert, why)

    def own(self, alert: Alert, why: str) -> None:
        """An alert of any source, or one that stormfold makes itself, of which no message arrived."""
        shard, stamp = self._shard, alert.stamp
        member = shard.members.get(alert.fingerprint)
        if member is None:
            if alert.status is Status.RESOLVED:
                return
            member = Member(
                alert.fingerprint,
                "",
                MemberState.FIRING,
                alert.severity,
                stamp,
                stamp,
                stamp.observed,
                0,
                alert.valid_for,
            )
            self._know(member, alert)
            shard.members[alert.fingerprint] = member
            self._place(member, alert.origin, why)
            self._watch(member)
            self._attribute(member)
            return
        member.first = min(member.first, stamp.observed)
        if stamp > shard.facts[alert.fingerprint].stamp:
            self._know_again(member, alert)
        shard.touch("members", alert.fingerprint)
        self._observe(member, alert.status, stamp, alert.origin, why, alert.severity)

    def own_resolved(self, member: Member, observed: Millis, at: Millis, origin: Origin, why: str) -> None:
        """The end of an alert that stormfold made itself."""
        was, member.state = member.state, MemberState.RESOLVED
        member.newest = Stamp(observed, at, origin.partition, origin.offset, origin.item)
        self._shard.touch("members", member.fingerprint)
        if was is MemberState.FIRING:
            self._moves.quieten(self._shard.incidents[member.incident], member, at, why)

    def _know(self, member: Member, alert: Alert) -> None:
        self._shard.facts[member.fingerprint] = Facts(
            alert.stamp,
            alert.source,
            alert.name,
            alert.service,
            alert.summary,
            alert.labels,
            tuple((link.text, link.href) for link in alert.links),
            alert.starts_at,
            alert.tenant,
            alert.kind,
        )
        self._shard.touch("facts", member.fingerprint)

    def _know_again(self, member: Member, alert: Alert) -> None:
        """Newer facts of a member; the extent of its incident is counted by them, so it leaves and joins again."""
        incident = self._shard.incidents[member.incident]
        old, counts = self._shard.facts[member.fingerprint], member.state is MemberState.FIRING and not member.handled
        moved = counts and (old.service, old.labels) != (alert.service, alert.labels)
        if moved:
            incident.extent.remove(old.service, old.labels, member.severity, self._config)
        self._know(member, alert)
        if moved:
            incident.extent.add(alert.service, alert.labels, member.severity, self._config)
        if alert.status is Status.FIRING and alert.valid_for != member.valid_for:
            if counts:
                incident.holding += (alert.valid_for is None) - (member.valid_for is None)
            member.valid_for = alert.valid_for
            self._watch(member)

    # --- counts

    def counts(self, counts: Counts) -> None:
        """The counts of a range, once: the fence of its raw partition says which ranges are in already."""
        shard = self._shard
        fence = f"fence:{counts.topic}.{counts.partition}"
        reached = int(shard.fences.get(fence, "-1"))
        if counts.end <= reached:
            return
        shard.fence(fence, str(counts.end))
        if counts.start < reached:
            shard.total("inexact_ranges", 1)
            shard.total("inexact_alerts", sum(entry.n for entry in counts.entries))
            return
        for entry in counts.entries:
            member = shard.members.get(entry.fingerprint)
            if member is None:
                self._wait(entry.fingerprint, counts, entry.newest.arrival).add(entry)
                continue
            self.heard(shard.facts[entry.fingerprint].source, entry.newest.arrival)
            self._add(member, entry.n)
            self._newest(member, entry.status, entry.newest, counts.topic)

    def _wait(self, fingerprint: str, counts: Counts, arrival: Millis) -> WaitingCounts:
        shard = self._shard
        waiting = shard.counts.get(fingerprint)
        if waiting is None:
            waiting = WaitingCounts(arrival, topic=counts.topic)
            if len(shard.counts) < MAX_WAITING:
                shard.counts[fingerprint] = waiting
                shard.set_timer(f"count:{fingerprint}", arrival + 2 * self._config.correlation.lease)
            else:
                shard.total("unattributed:overflow", sum(e.n for e in counts.entries if e.fingerprint == fingerprint))
        shard.touch("waiting", f"n:{fingerprint}")
        return waiting

    def _attribute(self, member: Member) -> None:
        """Counts that came before their member."""
        waiting = self._shard.counts.pop(member.fingerprint, None)
        if waiting is None:
            return
        self._shard.touch("waiting", f"n:{member.fingerprint}")
        self._shard.drop_timer(f"count:{member.fingerprint}")
        self._add(member, waiting.firing + waiting.resolved)
        seen = [
            (stamp, status)
            for stamp, status in ((waiting.newest_firing, Status.FIRING), (waiting.newest_resolved, Status.RESOLVED))
            if stamp is not None
        ]
        for stamp, status in sorted(seen):
            self._newest(member, status, stamp, waiting.topic)

    def _add(self, member: Member, n: int) -> None:
        member.count += n
        incident = self._shard.incidents[member.incident]
        incident.doc.count += n
        self._shard.touch("members", member.fingerprint)
        self._shard.touch("incidents", member.incident)

    def _newest(self, member: Member, status: Status, stamp: Stamp, topic: str) -> None:
        member.first = min(member.first, stamp.observed)
        origin = Origin(topic, stamp.partition, stamp.offset, stamp.item)
        self._observe(member, status, stamp, origin, "a repeat of it was counted", None)

    # --- members

    def _earlier(self, member: Member, stamp: Stamp) -> None:
        if stamp.observed < member.first:
            member.first = stamp.observed
            incident = self._shard.incidents[member.incident]
            if stamp.observed < incident.first:
                incident.first = stamp.observed
                self._merger.check(incident, stamp.arrival)

    def _observe(
        self, member: Member, status: Status, stamp: Stamp, origin: Origin, why: str, severity: Severity | None
    ) -> None:
        firing = status is Status.FIRING
        if firing and (member.newest_firing is None or stamp > member.newest_firing):
            member.newest_firing = stamp
            if member.state is MemberState.FIRING and not member.handled:
                incident = self._shard.incidents[member.incident]
                incident.newest = max(incident.newest, stamp.observed)
                self._merger.check(incident, stamp.arrival)
        if stamp <= member.newest:
            return
        member.newest = stamp
        if not firing:
            was, member.state = member.state, MemberState.RESOLVED
            if was is MemberState.FIRING:
                incident = self._shard.incidents[member.incident]
                self._moves.quieten(incident, member, stamp.arrival, f"{self._name(member)} resolved")
            return
        self._fires(member, origin, why, severity)

    def _fires(self, member: Member, origin: Origin, why: str, severity: Severity | None) -> None:
        rises = severity is not None and severity.rank < member.severity.rank
        incident = self._shard.incidents[member.incident]
        if member.state is MemberState.FIRING and not (member.handled and rises):
            if severity is not None and severity is not member.severity:
                if member.handled:
                    member.severity = severity
                elif self._shard.change_severity(member, severity):
                    self._moves.quietly(incident, member.newest.arrival, f"{self._name(member)} is now {severity}")
                    self._moves.rescore(incident, member.newest.arrival)
            return
        if severity is not None:
            member.severity = severity
        if member.handled:
            member.handled = False
            incident.doc.handled -= 1
        member.state = MemberState.FIRING
        self._watch(member)
        if incident.doc.status.live:
            self._moves.fire(incident, member, why)
        elif self._may_reopen(incident, member):
            self._moves.reopen(incident, member, origin, f"{self._name(member)} fires again: {why}", new=False)
        else:
            incident.members.discard(member.fingerprint)
            self._shard.drop_timer(f"drop:{member.fingerprint}")
            # What it was counted so far stays with the incident that is over.
            member.count = 0
            self._place(member, origin, why)

    def _may_reopen(self, incident: Incident, member: Member) -> bool:
        doc = incident.doc
        if doc.status is not IncidentStatus.RESOLVED or doc.resolved_at is None:
            return False
        if self._shard.current.get((doc.rule, doc.group_key)) != doc.id:
            return False
        return member.newest.arrival <= doc.resolved_at + self._moves.rulebook.rule(doc.rule).grace

    # --- placing

    def _place(self, member: Member, opener: Origin, why: str) -> None:
        """Find the incident of a firing alert that has none: join, reopen, or open one."""
        shard, facts = self._shard, self._shard.facts[member.fingerprint]
        view = _view(member, facts)
        placing = self._moves.rulebook.place(view, self._moves.domain(facts))
        incident = self._fitting(member, placing)
        if incident is None:
            self._moves.open(member, facts, view, placing, opener, why)
            return
        doc, rule = incident.doc, placing.rule
        full = doc.members >= rule.size or member.newest.arrival > doc.opened_at + rule.cap
        if doc.status.live:
            in_window = member.newest.observed - shard.newest_firing(incident) <= rule.window
            if in_window and not full:
                self._moves.join(incident, member, f"{self._name(member)} joined: {why}")
                self._merger.check(incident, member.newest.arrival)
                return
        elif not full and self._may_reopen(incident, member):
            self._moves.reopen(incident, member, opener, f"{self._name(member)} fires: {why}", new=True)
            return
        before = incident if doc.status.live and full else None
        said = f"{why}; the one before is full or too old to grow" if before else why
        self._moves.open(member, facts, view, placing, opener, said, before)

    def _fitting(self, member: Member, placing: Placing) -> Incident | None:
        """The incident of a group that the alert's time falls to; the newest one, unless late input fits another."""
        shard, place = self._shard, (placing.rule.name, placing.key)
        newest = shard.incidents.get(shard.current.get(place, ""))
        names = shard.live.get(place, set())
        if len(names) < 2:
            return newest
        at, window = member.newest.observed, placing.rule.window
        # Where times tie, the newest one goes first: those before it may be full.
        order = sorted((shard.incidents[name] for name in names), key=lambda i: (-i.first, i is not newest, i.doc.id))
        for incident in order:
            if incident.first - at <= window and at - shard.newest_firing(incident) <= window:
                return incident
        return newest

    # --- silence is not recovery

    def heard(self, source: str, arrival: Millis) -> None:
        """A message of the source arrived."""
        seen = self._shard.sources.get(source)
        if seen is None:
            seen = self._shard.sources[source] = SourceSeen(arrival)
        else:
            seen.arrived(arrival)
        self._shard.touch("waiting", f"s:{source}")
        self._shard.arrival = max(self._shard.arrival, arrival)

    def _watch(self, member: Member) -> None:
        if member.valid_for is not None and member.newest_firing is not None:
            self._shard.set_timer(f"stale:{member.fingerprint}", member.newest_firing.arrival + member.valid_for)

    def _name(self, member: Member) -> str:
        return self._shard.facts[member.fingerprint].name


def _view(member: Member, facts: Facts) -> Mapping[str, str]:
    return {
        **facts.labels,
        "alertname": facts.name,
        "name": facts.name,
        "source": facts.source,
        "service": facts.service or "",
        "severity": member.severity.value,
        "kind": facts.kind.value,
        "tenant": facts.tenant,
        "fingerprint": member.fingerprint,
    }

"""What can happen to an incident: opened, joined, raised, lowered, acknowledged, resolved, reopened, closed.

Each move changes the document, says so as a fact with its reason, and keeps the timeline. Nothing here asks the time
or a server.
"""

from __future__ import annotations

from collections.abc import Mapping

from correlator.priority import Extent, Scorer, score
from correlator.rules import Placing, Rulebook
from correlator.state import Incident, Shard
from kernel.clock import Millis
from kernel.config.schema import Config
from kernel.model.alert import Kind, Origin
from kernel.model.incident import Fact, Headline, IncidentEvent, IncidentStatus, Priority, TimelineEntry
from kernel.model.naming import episode_of, incident_id
from kernel.model.state import Facts, IncidentDoc, Member, MemberState

SAMPLE = 100
TIMELINE = 100
ANSWERS = 20


class Moves:
    """Moves of one shard's incidents under one configuration."""

    def __init__(self, shard: Shard, config: Config, rulebook: Rulebook, config_hash: str) -> None:
        self.shard = shard
        self.config = config
        self.rulebook = rulebook
        self.config_hash = config_hash
        self._score = Scorer(config)

    # --- saying

    def say(self, incident: Incident, fact: Fact, at: Millis, reason: str) -> None:
        """One fact with the whole headline; what was still to be said quietly is in it."""
        doc = incident.doc
        doc.revision += 1
        doc.epoch = self.shard.epoch
        doc.changed_at = max(doc.changed_at, at)
        if fact is not Fact.JOINED:
            _note_down(doc.timeline, TimelineEntry(at, fact.value, reason))
        self.shard.quiet.pop(doc.id, None)
        self.shard.touch("incidents", doc.id)
        line = self.headline(incident)
        self.shard.said += 1
        self.shard.events.append(IncidentEvent(fact, doc.epoch, doc.revision, at, reason, line, self.shard.seen))

    def remark(self, incident: Incident, at: Millis, what: str, why: str) -> None:
        """A line of the timeline that tells of something without effect; nobody else hears of it."""
        timeline = incident.doc.timeline
        if timeline and (timeline[-1].what, timeline[-1].why) == (what, why):
            return
        _note_down(timeline, TimelineEntry(at, what, why))
        self.shard.touch("incidents", incident.doc.id)

    def quietly(self, incident: Incident, at: Millis, reason: str) -> None:
        """Something that needs no fact of its own: one is said at the end of the turn."""
        self.shard.quiet[incident.doc.id] = (at, reason)
        self.shard.touch("incidents", incident.doc.id)

    def flush_quiet(self) -> None:
        """At the end of a turn: what changed quietly, once an incident."""
        for name in sorted(self.shard.quiet):
            at, reason = self.shard.quiet[name]
            self.say(self.shard.incidents[name], Fact.JOINED, at, reason)

    def headline(self, incident: Incident) -> Headline:
        """The incident in one screen."""
        doc = incident.doc
        return Headline(
            id=doc.id,
            tenant=doc.tenant,
            status=doc.status,
            episode=doc.episode,
            rule=doc.rule,
            group=doc.group,
            title=doc.title,
            priority=doc.score.priority,
            reached=doc.reached,
            score=doc.score,
            opened_at=doc.opened_at,
            changed_at=doc.changed_at,
            cause_arrival=doc.cause_arrival,
            firing=doc.firing,
            members=doc.members,
            count=doc.count,
            services=tuple(sorted(incident.extent.services)[:20]) or tuple(filter(None, (doc.labels.get("service"),))),
            sources=tuple(filter(None, (doc.labels.get("source"),))),
            team=doc.team,
            labels=doc.labels,
            summary=doc.summary,
            page_above=doc.page_above,
            quiet=doc.quiet,
            handled=doc.handled,
            predecessor=doc.predecessor,
            answered_by=doc.answered_by,
            severity=incident.extent.worst,
        )

    # --- opening, joining, reopening

    def domain(self, facts: Facts) -> tuple[str, ...]:
        """The domain of an alert: its tenant, and the further labels that the configuration names."""
        return (facts.tenant, *(facts.labels.get(name, "") for name in self.config.correlation.domain))

    def open(
        self,
        member: Member,
        facts: Facts,
        view: Mapping[str, str],
        placing: Placing,
        opener: Origin,
        why: str,
        before: Incident | None = None,
    ) -> Incident:
        """A new incident of one member; `before` is a live one of its group that is full or too old to grow."""
        shard, rule = self.shard, placing.rule
        at = member.newest.arrival
        name = incident_id(shard.number, self.domain(facts), rule.name, (placing.key,), opener)
        doc = IncidentDoc(
            id=name,
            tenant=view["tenant"],
            rule=rule.name,
            group=placing.group,
            group_key=placing.key,
            status=IncidentStatus.OPEN,
            episode=episode_of(opener),
            title=facts.summary or facts.name,
            score=_NO_SCORE,
            reached=Priority.P4,
            opened_at=at,
            changed_at=at,
            cause_arrival=at,
            epoch=shard.epoch,
            # An input that comes again opens the same incident: what is said of it must be newer than the withdrawal.
            revision=shard.withdrawn.pop(name, 0),
            team=rule.team,
            impact_words=list(rule.impact),
            labels={**facts.labels, "service": facts.service or "", "source": _source(facts), "name": facts.name},
            summary=facts.summary,
            config=self.config_hash,
            began=_began(member),
        )
        incident = Incident(doc)
        shard.incidents[name] = incident
        if before is not None:
            self._link(incident, before)
        shard.lives(incident)
        self.enlist(incident, member)
        shard.counted(member, self.config, 1)
        doc.score = self._score(incident.extent, doc.impact_words, at)
        doc.reached = doc.score.priority
        doc.episodes.append(doc.episode)
        doc.explanation = self._explain(view, placing, opener, why)
        self.say(incident, Fact.OPENED, at, why)
        return incident

    def _link(self, incident: Incident, before: Incident) -> None:
        doc = incident.doc
        doc.predecessor = before.doc.id
        paged = before.doc.reached
        if before.doc.page_above is not None and before.doc.page_above.rank < paged.rank:
            paged = before.doc.page_above
        doc.page_above = paged
        self.shard.successors.setdefault(before.doc.id, set()).add(doc.id)

    def _explain(self, view: Mapping[str, str], placing: Placing, opener: Origin, why: str) -> dict[str, str]:
        rule = placing.rule
        told = {
            "rule": rule.name,
            "group": ", ".join(f"{key}={value}" for key, value in placing.group.items()) or "all alerts of the rule",
            "window": self.rulebook.window_of(rule),
            "opened_by": ".".join(str(part) for part in opener),
            "why": why,
            "configuration": self.config_hash[:12],
        }
        runner_up = self.rulebook.runner_up(view, rule.name)
        if runner_up is not None:
            told["runner_up"] = runner_up
        return told

    def enlist(self, incident: Incident, member: Member) -> None:
        """The incident is the member's from here on; whether it counts as firing there is another matter."""
        doc = incident.doc
        member.incident = doc.id
        incident.members.add(member.fingerprint)
        incident.first = min(incident.first, member.first)
        doc.members += 1
        if len(doc.sample) < SAMPLE:
            doc.sample.append(member.fingerprint)
        self.shard.touch("members", member.fingerprint)

    def join(self, incident: Incident, member: Member, why: str) -> None:
        """A new firing member of a live incident."""
        self.enlist(incident, member)
        self.fire(incident, member, why)

    def fire(self, incident: Incident, member: Member, why: str) -> None:
        """A member of a live incident fires (again)."""
        moved = self.shard.counted(member, self.config, 1)
        incident.doc.cause_arrival = member.newest.arrival
        self.quietly(incident, member.newest.arrival, why)
        if moved or self.config.priority.trend_members:
            self.rescore(incident, member.newest.arrival)

    def reopen(self, incident: Incident, member: Member, opener: Origin, why: str, *, new: bool) -> None:
        """A new episode of a resolved incident, by a member that fires (again), or by a new one."""
        doc, at = incident.doc, member.newest.arrival
        if new:
            self.enlist(incident, member)
        self.shard.counted(member, self.config, 1)
        doc.status = IncidentStatus.OPEN
        self.shard.lives(incident)
        doc.episode = episode_of(opener)
        doc.episodes.append(doc.episode)
        del doc.episodes[:-ANSWERS]
        doc.cause_arrival, doc.began = at, _began(member)
        doc.resolved_at = doc.lower_since = doc.lower = doc.answered_by = doc.quiet = doc.page_above = None
        doc.config = self.config_hash
        doc.score = self._score(incident.extent, doc.impact_words, at)
        doc.reached = doc.score.priority
        self.shard.drop_timer(f"close:{doc.id}")
        self.shard.drop_timer(f"fall:{doc.id}")
        self.say(incident, Fact.REOPENED, at, why)

    # --- priority

    def rescore(self, incident: Incident, at: Millis) -> None:
        """Score again: a raise acts at once, a fall waits; a raise by configuration alone is marked as quiet."""
        doc = incident.doc
        if not doc.status.live:
            return
        new = self._score(incident.extent, doc.impact_words, at)
        by_config = doc.config != self.config_hash
        doc.config = self.config_hash
        old = doc.score.priority
        if new.priority.rank < old.rank:
            doc.score, doc.lower, doc.lower_since = new, None, None
            self.shard.drop_timer(f"fall:{doc.id}")
            if new.priority.rank < doc.reached.rank:
                doc.reached = new.priority
                doc.quiet = new.priority if by_config else None
                if not by_config:
                    doc.status, doc.answered_by = IncidentStatus.OPEN, None
            because = "the configuration changed" if by_config else "; ".join(new.reasons)
            self.say(incident, Fact.RAISED, at, f"{old} to {new.priority}: {because}")
        elif new.priority.rank > old.rank:
            doc.lower = new
            if doc.lower_since is None:
                doc.lower_since = at
                self.shard.set_timer(f"fall:{doc.id}", at + self.config.priority.hysteresis)
        else:
            doc.score, doc.lower, doc.lower_since = new, None, None
        self.shard.touch("incidents", doc.id)

    def fall(self, incident: Incident, at: Millis) -> None:
        """The lower score has stood long enough; a fall pages nobody."""
        doc = incident.doc
        if doc.lower is None or doc.lower_since is None or not doc.status.live:
            return
        due = doc.lower_since + self.config.priority.hysteresis
        if at < due:
            self.shard.set_timer(f"fall:{doc.id}", due)
            return
        old, doc.score = doc.score.priority, doc.lower
        doc.lower = doc.lower_since = None
        why = f"{old} to {doc.score.priority}: lower for {self.config.priority.hysteresis}"
        self.say(incident, Fact.LOWERED, due, why)

    # --- ending

    def quieten(self, incident: Incident, member: Member, at: Millis, why: str) -> None:
        """A member fires no longer; the last one resolves its incident."""
        doc = incident.doc
        if member.handled:
            member.handled = False
            doc.handled -= 1
            self.shard.touch("incidents", doc.id)
            return
        moved = self.shard.counted(member, self.config, -1)
        if not doc.status.live:
            return
        if doc.firing <= 0:
            self.resolve(incident, at, why)
            return
        doc.cause_arrival = at
        self.quietly(incident, at, why)
        if moved:
            self.rescore(incident, at)

    def resolve(self, incident: Incident, at: Millis, why: str, by: str | None = None) -> None:
        """The episode ends; it may reopen within the rule's grace."""
        doc = incident.doc
        doc.status = IncidentStatus.RESOLVED
        self.shard.ceases(incident)
        doc.resolved_at = doc.cause_arrival = at
        doc.lower = doc.lower_since = None
        if by is not None:
            doc.answered_by = by
        self.shard.drop_timer(f"fall:{doc.id}")
        self.shard.set_timer(f"close:{doc.id}", at + self.rulebook.rule(doc.rule).grace)
        self.say(incident, Fact.RESOLVED, at, why)
        self._free_successors(doc.id, at)

    def _free_successors(self, name: str, at: Millis) -> None:
        """The predecessor is over: what it had paged for no longer stands in for its successors' pages."""
        for successor in sorted(self.shard.successors.pop(name, ())):
            incident = self.shard.incidents.get(successor)
            if incident is not None and incident.doc.page_above is not None:
                incident.doc.page_above = None
                if incident.doc.status.live:
                    incident.doc.cause_arrival = at
                    self.say(incident, Fact.REPEATED, at, f"its predecessor {name} is resolved")

    def close(self, incident: Incident, at: Millis, early: str = "") -> None:
        """The grace is over, or `early` says why nothing waits for it: a new firing alert opens a new incident."""
        doc = incident.doc
        if doc.status is not IncidentStatus.RESOLVED or doc.resolved_at is None:
            return
        due = at if early else doc.resolved_at + self.rulebook.rule(doc.rule).grace
        if at < due:
            self.shard.set_timer(f"close:{doc.id}", due)
            return
        doc.status, doc.closed_at = IncidentStatus.CLOSED, due
        if self.shard.current.get((doc.rule, doc.group_key)) == doc.id:
            del self.shard.current[doc.rule, doc.group_key]
        for name in sorted(incident.members):
            if self.shard.members[name].state is not MemberState.FIRING:
                self.shard.set_timer(f"drop:{name}", due)
        self.shard.set_timer(f"forget:{doc.id}", due + self.rulebook.keeps(doc.rule))
        self.shard.drop_timer(f"close:{doc.id}")
        self.say(incident, Fact.CLOSED, due, early or "stayed resolved for its grace")


def _began(member: Member) -> Millis:
    """When the episode did that a member opens."""
    return min(member.newest.observed, member.newest.arrival)


def _source(facts: Facts) -> str:
    """Where an incident comes from; a heartbeat's is that of the source which is silent."""
    return facts.labels["source"] if facts.kind is Kind.HEARTBEAT else facts.source


def _note_down(timeline: list[TimelineEntry], entry: TimelineEntry) -> None:
    """The first quarter of a full timeline stays: how it began; what follows gives way to what is new."""
    timeline.append(entry)
    if len(timeline) > TIMELINE:
        del timeline[TIMELINE // 4]


_NO_SCORE = score(Extent(), (), Config(), 0)

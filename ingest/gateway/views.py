"""The shapes that the incident API answers with. Times are RFC 3339 in UTC; what is absent is null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct, field

from ingest.gateway.changes import ChangeView, related
from kernel.clock import Millis, rfc3339
from kernel.config.schema import Config
from kernel.model.alert import Severity
from kernel.model.delivery import Action, Outcome
from kernel.model.incident import IncidentStatus, Level, Priority
from kernel.model.naming import shard_tag
from kernel.model.state import Facts, IncidentDoc, KnownChange, LedgerEntry, Member, MemberState
from kernel.store.incidents import Detail, Listing


class IncidentSummary(Struct, kw_only=True):
    """An incident in one line. `firing` of its `members` still fire, `handled` of these since before a person resolved
    it; `alerts` were counted in all.
    """

    id: str
    status: IncidentStatus
    priority: Priority
    title: str
    rule: str
    group: dict[str, str]
    team: str | None
    members: int
    firing: int
    handled: int
    alerts: int
    opened_at: str
    changed_at: str
    resolved_at: str | None
    answered_by: str | None


class IncidentList(Struct, kw_only=True):
    """Incidents, live ones first, then by priority. `lost_shards` are those whose incidents cannot be told now."""

    incidents: list[IncidentSummary]
    lost_shards: list[str] = field(default_factory=list)
    error: str | None = None


class ScoreView(Struct, kw_only=True):
    """The priority with its reasons; `reached` is the most urgent one of this episode."""

    priority: Priority
    reached: Priority
    impact: Level
    impact_reasons: list[str]
    urgency: Level
    urgency_reasons: list[str]


class MemberView(Struct, kw_only=True):
    """An alert of an incident; `count` is how often it was seen, `first` and `last` when."""

    fingerprint: str
    state: MemberState
    severity: Severity
    name: str | None
    service: str | None
    source: str | None
    summary: str | None
    labels: dict[str, str]
    links: list[tuple[str, str]]
    count: int
    first: str
    last: str
    handled: bool


class DeliveryView(Struct, kw_only=True):
    """One delivery: what to which target, and what became of it; `outcome` null means it is under way."""

    action: Action
    target: str
    priority: Priority
    step: int
    attempt: int
    outcome: Outcome | None
    reason: str
    remote_id: str
    at: str | None


class TimelineView(Struct, kw_only=True):
    """When, what, why."""

    at: str
    what: str
    why: str


class TeamView(Struct, kw_only=True):
    """Who owns the incident, and by which decision."""

    name: str | None
    why: str | None


class IncidentView(IncidentSummary, kw_only=True):
    """What is open and why. `window` is the rule's, as the configuration in force has it; `member_alerts` are the
    first 100 members; `changes` began before it opened and were under way in the two hours before.
    """

    episode: str
    tenant: str
    group_key: str
    window: str | None
    summary: str
    labels: dict[str, str]
    score: ScoreView
    assigned: TeamView
    explanation: dict[str, str]
    timeline: list[TimelineView]
    member_alerts: list[MemberView]
    deliveries: list[DeliveryView]
    changes: list[ChangeView]
    predecessor: str | None
    closed_at: str | None


class Answer(Struct, kw_only=True, forbid_unknown_fields=True):
    """The optional body of an answer: who gives it, and a note for the timeline."""

    by: Annotated[str, Meta(min_length=1, max_length=200)] = "operator"
    note: Annotated[str, Meta(max_length=4_000)] = ""


class Effect(Struct, kw_only=True):
    """What a command did: the incident's status and how many of its members still fire."""

    status: IncidentStatus
    firing: int
    command: str


class Queued(Struct, kw_only=True):
    """The command is on Kafka, its effect was not seen in time."""

    command: str
    queued: bool = True


class Problem(Struct, kw_only=True):
    """Every error, with a sentence that says what to do."""

    error: str


def _time(at: Millis | None) -> str | None:
    return rfc3339(at) if at is not None else None


def _common(doc: IncidentDoc) -> dict[str, object]:
    return {
        "id": doc.id,
        "status": doc.status,
        "priority": doc.score.priority,
        "title": doc.title,
        "rule": doc.rule,
        "group": doc.group,
        "team": doc.team,
        "members": doc.members,
        "firing": doc.firing + doc.handled,
        "handled": doc.handled,
        "alerts": doc.count,
        "opened_at": rfc3339(doc.opened_at),
        "changed_at": rfc3339(doc.changed_at),
        "resolved_at": _time(doc.resolved_at),
        "answered_by": doc.answered_by,
    }


def listing_view(listing: Listing) -> IncidentList:
    """The answer to a listing, with an error where shards are lost."""
    tags = [shard_tag(shard) for shard in listing.lost]
    error = None
    if tags:
        error = (
            f"the state of {', '.join(tags)} is not in the store: lost, or not claimed yet; the other incidents are "
            "here; where it stays so, `stormfold shard reset` is the way out"
        )
    found = [IncidentSummary(**_common(doc)) for doc in listing.incidents]  # type: ignore[arg-type]
    return IncidentList(incidents=found, lost_shards=tags, error=error)


def _member(member: Member, facts: Facts | None) -> MemberView:
    return MemberView(
        fingerprint=member.fingerprint,
        state=member.state,
        severity=member.severity,
        name=facts.name if facts else None,
        service=facts.service if facts else None,
        source=facts.source if facts else None,
        summary=facts.summary if facts else None,
        labels=facts.labels if facts else {},
        links=list(facts.links) if facts else [],
        count=member.count,
        first=rfc3339(member.first),
        last=rfc3339(member.newest.observed),
        handled=member.handled,
    )


def _delivery(entry: LedgerEntry) -> DeliveryView:
    return DeliveryView(
        action=entry.key.action,
        target=entry.key.target,
        priority=entry.key.priority,
        step=entry.key.step,
        attempt=entry.attempt,
        outcome=entry.outcome,
        reason=entry.reason,
        remote_id=entry.remote_id,
        at=rfc3339(entry.at) if entry.at else None,
    )


def detail_view(detail: Detail, config: Config, changes: Sequence[KnownChange] = ()) -> IncidentView:
    """The answer about one incident; `changes` are those of its tenant shortly before it opened."""
    doc, told = detail.doc, detail.told
    window = next((str(rule.window) for rule in config.rules if rule.name == doc.rule), None)
    score = doc.score
    return IncidentView(
        **_common(doc),  # type: ignore[arg-type]
        episode=doc.episode,
        tenant=doc.tenant,
        group_key=doc.group_key,
        window=doc.explanation.get("window", window),
        summary=doc.summary,
        labels=doc.labels,
        score=ScoreView(
            priority=score.priority,
            reached=doc.reached,
            impact=score.impact,
            impact_reasons=list(score.impact_reasons),
            urgency=score.urgency,
            urgency_reasons=list(score.urgency_reasons),
        ),
        assigned=TeamView(
            name=(told.team if told else None) or doc.team,
            why=(told.team_reason if told else None) or doc.explanation.get("team"),
        ),
        explanation=doc.explanation,
        timeline=[TimelineView(at=rfc3339(entry.at), what=entry.what, why=entry.why) for entry in doc.timeline],
        member_alerts=[_member(member, facts) for member, facts in detail.members],
        deliveries=[_delivery(entry) for entry in (told.ledger if told else ())],
        changes=related(detail, changes, config),
        predecessor=doc.predecessor,
        closed_at=_time(doc.closed_at),
    )

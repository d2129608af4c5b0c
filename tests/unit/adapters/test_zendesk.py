"""Zendesk: tickets as reports, by events and by triggers whose body is anybody's."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Reason
from ingest.adapters.registry import detect
from kernel.model.alert import Kind, Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, SAMPLES, only, parse, parse_sample, sample

OWN = "s03-abcdefghij234567#abcd2345"


def _print(**identity: str) -> str:
    return fingerprint("default", "zendesk", identity)


def _event(kind: str, event: Any = None, **detail: Any) -> dict[str, Any]:
    """The sample of a created ticket as another event."""
    body: dict[str, Any] = sample("zendesk/event_created")
    body |= {"type": f"zen:event-type:ticket.{kind}", "event": event or {}}
    body["detail"] |= detail
    return body


def test_the_events_of_a_ticket_are_one_report() -> None:
    names = ("created", "priority_changed", "status_solved", "soft_deleted")
    alerts = [only(parse_sample(f"zendesk/event_{name}")) for name in names]
    assert {a.fingerprint for a in alerts} == {_print(ticket="812", account="4400123")}
    assert {a.kind for a in alerts} == {Kind.REPORT}
    assert [a.status for a in alerts] == [Status.FIRING, Status.FIRING, Status.RESOLVED, Status.RESOLVED]
    assert [a.severity for a in alerts[:3]] == [Severity.HIGH, Severity.CRITICAL, Severity.HIGH]
    assert sorted(alerts, key=lambda a: a.stamp) == alerts


def test_facts_of_a_ticket() -> None:
    parsed = parse_sample("zendesk/event_created")
    assert (parsed.outcome, parsed.reason) == (Outcome.REPORT, "")
    alert = only(parsed)
    assert (alert.name, alert.service) == ("Basket is empty", "basket")
    assert alert.description == "The basket stays empty after login."
    assert (alert.observed_at, alert.starts_at) == (1_772_438_401_123, 1_772_438_400_000)
    assert (alert.ends_at, alert.valid_for) == (None, None)
    assert alert.labels == {
        "type": "incident",
        "channel": "web",
        "organization": "5501",
        "brand": "71",
        "group": "9",
        "requester": "620",
        "ticket": "812",
        "account": "4400123",
        "tags": "plan:gold,service:basket,web",
        "plan": "gold",
        "service": "basket",
    }


def test_facts_of_a_template() -> None:
    opened, solved = only(parse_sample("zendesk/trigger_open")), only(parse_sample("zendesk/trigger_solved"))
    assert opened.fingerprint == solved.fingerprint == _print(ticket="77", account="Acme")
    assert (opened.status, solved.status) == (Status.FIRING, Status.RESOLVED)
    assert (opened.name, opened.service, opened.severity) == ("Cannot pay", "payments", Severity.CRITICAL)
    assert [(link.text, link.href) for link in opened.links] == [
        ("ticket", "https://acme.zendesk.com/agent/tickets/77")
    ]
    assert (opened.observed_at, opened.starts_at) == (1_772_438_400_000, 1_772_438_280_000)
    assert solved.ends_at == 1_772_439_600_000
    assert opened.labels["organization"] == "Blue Shop"
    assert opened.labels["type"] == "incident"


def test_a_ticket_in_an_object_and_one_of_on_call() -> None:
    nested = parse_sample("zendesk/trigger_nested")
    assert (only(nested).status, only(nested).severity) == (Status.FIRING, Severity.MEDIUM)
    assert only(nested).fingerprint == _print(ticket="77")
    assert nested.defaults == {Default.SEVERITY_MISSING: 1}
    assert only(nested).observed_at == ARRIVAL
    critical, over = (only(parse_sample(f"zendesk/trigger_on_call{end}")) for end in ("", "_recovery"))
    assert critical.fingerprint == over.fingerprint == _print(ticket="91")
    assert (critical.status, critical.severity) == (Status.FIRING, Severity.CRITICAL)
    assert over.status is Status.RESOLVED
    assert critical.description == "Nobody can log in"


def test_a_solve_trigger_without_priority_takes_no_default() -> None:
    parsed = parse({"ticket": {"id": 4, "status": "closed"}}, "zendesk")
    assert (only(parsed).status, parsed.defaults) == (Status.RESOLVED, {})


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NEW", Status.FIRING),
        ("PENDING", Status.FIRING),
        ("HOLD", Status.FIRING),
        ("On-hold", Status.FIRING),
        ("CLOSED", Status.RESOLVED),
    ],
)
def test_every_unsolved_state_fires(word: str, status: Status) -> None:
    assert only(parse(_event("created", status=word), "zendesk")).status is status


def test_what_changed_is_told_by_the_event() -> None:
    """The detail may be that of a later moment: the events of one action come in any order."""
    event = {"previous": "SOLVED", "current": "OPEN"}
    assert only(parse(_event("status_changed", event, status="SOLVED"), "zendesk")).status is Status.FIRING
    event = {"previous": "LOW", "current": "URGENT"}
    assert only(parse(_event("priority_changed", event, priority="LOW"), "zendesk")).severity is Severity.CRITICAL
    odd = {"tags_added": ["x"], "current": 4}
    assert only(parse(_event("tags_changed", odd, status="SOLVED"), "zendesk")).status is Status.RESOLVED


@pytest.mark.parametrize(
    ("tags", "service"),
    [
        (["service:checkout"], "checkout"),
        (["a", "service_check_out"], "check_out"),
        (["service:checkout", "service_checkout"], "checkout"),
        (["service:checkout", "service:basket"], None),
        (["service", "service:", "self-service:x"], None),
        ("eu service_checkout", "checkout"),
        ("eu, service:checkout", "checkout"),
        (None, None),
        ({"service": "x"}, None),
        ([4, None, "service:x"], "x"),
    ],
)
def test_a_tag_names_the_service(tags: Any, service: str | None) -> None:
    assert only(parse(_event("created", tags=tags), "zendesk")).service == service


def test_a_field_of_the_template_names_the_service_before_tags() -> None:
    alert = only(parse({**sample("zendesk/trigger_open"), "service": "ledger"}, "zendesk"))
    assert (alert.service, alert.labels["service"]) == ("ledger", "ledger")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (_event("comment_added"), "ticket.comment_added: this neither opens nor solves a ticket"),
        (_event("agent_assignment_changed"), "ticket.agent_assignment_changed: this neither"),
        (_event("merged"), "ticket.merged: this neither"),
        ({"type": "zen:event-type:organization.created"}, "organization.created: this neither"),
        ({"ticket": {"id": 1}, "event": {"type": "ticket.comment_added"}}, "comment_added: this neither"),
        ({"ticket_id": "1", "message_type": "INFO"}, "info: this neither"),
        ({"event": {"type": "test"}}, "a test of the webhook"),
        ({"test": True}, "a test of the webhook"),
        (_event("created", external_id=OWN), "external id is stormfold's own key"),
        ({"ticket_id": "1", "ticket_status": "Open", "ticket_external_id": f"{OWN}#P1"}, "stormfold's own key"),
    ],
)
def test_what_is_no_report(body: Any, says: str) -> None:
    parsed = parse(body, "zendesk")
    assert (parsed.outcome, parsed.alerts) == (Outcome.IGNORED, [])
    assert says in parsed.reason


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (_event("created", status=None), Reason.MISSING_FIELD, "got none"),
        (_event("created", status="Gelöst"), Reason.WRONG_TYPE, "got Gelöst; in an account of another language"),
        (_event("created", status=[]), Reason.WRONG_TYPE, "status must be text or a whole number, got a list"),
        (_event("created", id=None), Reason.MISSING_IDENTITY, "the ticket's id is missing"),
        (_event("created", id=True), Reason.WRONG_TYPE, "id must be text or a whole number"),
        (_event("created", id=10**400), Reason.WRONG_TYPE, "digits"),
        ({"type": "zen:event-type:ticket.created"}, Reason.WRONG_TYPE, "detail must be an object, got null"),
        ({"ticket_id": "1", "message": "**Status:** Open"}, Reason.MISSING_FIELD, "the ticket's status is missing"),
        ({"ticket_id": "{{ticket.id}}", "ticket_status": "open"}, Reason.MISSING_IDENTITY, "id is missing"),
        (
            {"ticket_id": "1", "ticket_status": "{{ticket.stat}}"},
            Reason.MISSING_FIELD,
            "the ticket's status is missing",
        ),
        ({"ticket_id": "1", "ticket_status": "open", "updated_at": {}}, Reason.WRONG_TYPE, "must be a time"),
    ],
)
def test_refusals(body: Any, reason: Reason, says: str) -> None:
    parsed = parse(body, "zendesk")
    assert parsed.outcome is Outcome.QUARANTINED
    assert [r.reason for r in parsed.refusals] == [reason]
    assert says in parsed.reason


def test_an_unknown_word_of_priority_is_high_and_counted() -> None:
    parsed = parse(_event("created", priority="Dringend"), "zendesk")
    assert (only(parsed).severity, parsed.defaults) == (Severity.HIGH, {Default.SEVERITY_UNKNOWN: 1})


def test_a_day_without_time_is_arrival_and_counted() -> None:
    parsed = parse({"ticket_id": "1", "status": "open", "priority": "low", "updated_at": "March 2, 2026"}, "zendesk")
    assert (only(parsed).observed_at, parsed.defaults) == (ARRIVAL, {Default.TIME_UNREADABLE: 1})


def test_a_body_that_is_no_object() -> None:
    with pytest.raises(NotUnderstood, match="must be an object"):
        parse([], "zendesk")


def test_detection() -> None:
    known = {path.stem for path in SAMPLES.glob("zendesk/*.json") if _detected(sample(f"zendesk/{path.stem}"))}
    assert known >= {"event_created", "event_user_created", "trigger_open", "trigger_solved", "trigger_on_call"}
    assert not _detected({"ticket": {"id": 4, "status": "solved"}})
    assert not _detected({"url": "https://acme.zendesk.com/agent/tickets/4", "status": "open"})


def _detected(body: Any) -> bool:
    found = detect(body, {})
    return found is not None and found.name == "zendesk"

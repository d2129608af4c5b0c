"""PagerDuty: incidents of others, what people answer, stormfold's own pages coming back, events of the Events API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Reason
from ingest.adapters.registry import ADAPTERS, detect
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity, Status
from kernel.model.change import ChangeOutcome
from kernel.model.delivery import Action, LedgerKey
from kernel.model.incident import Priority
from kernel.model.naming import fingerprint
from kernel.model.signals import CommandBody, Verb
from notifier.channels.pagerduty import dedup_key
from tests.unit.adapters.helpers import ARRIVAL, SAMPLES, only, parse, parse_sample, sample

INCIDENT = "s03-abcdefghij234567"
EPISODE = "abcd2345"
OWN = f"{INCIDENT}#{EPISODE}#P2"


def _print(**identity: str) -> str:
    return fingerprint("default", "pagerduty", identity)


def _v3(kind: str, **data: Any) -> dict[str, Any]:
    """The acknowledged sample as another event."""
    body: dict[str, Any] = sample("pagerduty/v3_acknowledged")
    body["event"]["event_type"] = f"incident.{kind}"
    body["event"]["data"] |= data
    return body


def _answer(body: Any) -> CommandBody:
    parsed = parse(body, "pagerduty")
    assert not parsed.refusals, parsed.reason
    assert not parsed.alerts
    (command,) = parsed.commands
    assert parsed.outcome is Outcome.COMMANDS
    return command


def test_an_incident_is_told_by_its_id_even_where_its_key_comes_and_goes() -> None:
    fired, raised, resolved = (
        only(parse_sample(f"pagerduty/{name}")) for name in ("v3_triggered", "v3_priority", "v3_resolved_without_key")
    )
    assert {a.fingerprint for a in (fired, raised, resolved)} == {_print(incident="QA0001")}
    assert [a.status for a in (fired, raised, resolved)] == [Status.FIRING, Status.FIRING, Status.RESOLVED]
    assert [a.severity for a in (fired, raised)] == [Severity.HIGH, Severity.CRITICAL]
    assert fired.stamp < raised.stamp < resolved.stamp
    assert (fired.observed_at, fired.starts_at, fired.ends_at) == (1_772_438_401_250, 1_772_438_400_000, None)
    assert resolved.ends_at == resolved.observed_at == 1_772_439_300_000
    assert fired.valid_for is None


def test_facts_of_an_incident() -> None:
    alert = only(parse_sample("pagerduty/v3_triggered"))
    assert (alert.name, alert.service) == ("Checkout answers slowly", "checkout")
    assert alert.labels == {
        "incident_id": "QA0001",
        "incident_key": "checkout/slow",
        "service": "checkout",
        "urgency": "high",
        "escalation_policy": "Shop",
        "team": "shop,web",
        "incident_type": "incident_default",
        "client": "Probe",
    }
    assert [link.href for link in alert.links] == [
        "https://shop.pagerduty.example/incidents/QA0001",
        "https://probe.example.org/1",
    ]


def test_a_source_may_tell_incidents_by_their_key() -> None:
    config = SourceConfig(identity=("incident_key",))
    alert = only(parse_sample("pagerduty/v3_triggered", config=config))
    assert alert.fingerprint == _print(incident_key="checkout/slow")
    answered = parse(_v3("acknowledged", incident_key="checkout/slow"), "pagerduty", config=config)
    assert [c.alert for c in answered.commands] == [alert.fingerprint]
    # A note does not name the key, so nothing tells what it answers.
    note = parse_sample("pagerduty/v3_note", config=config)
    assert [r.reason for r in note.refusals] == [Reason.MISSING_IDENTITY]


@pytest.mark.parametrize(
    ("change", "severity", "default"),
    [
        ({"priority": {"summary": "P4"}}, Severity.LOW, None),
        ({"priority": {"name": "SEV-1"}, "urgency": "low"}, Severity.CRITICAL, None),
        ({"priority": {"summary": "Dreadful"}}, Severity.HIGH, Default.SEVERITY_UNKNOWN),
        ({"priority": "P1", "urgency": "low"}, Severity.LOW, None),
        ({"priority": None, "urgency": "low"}, Severity.LOW, None),
        ({"priority": None, "urgency": None}, Severity.MEDIUM, Default.SEVERITY_MISSING),
    ],
)
def test_severity_is_the_priority_else_the_urgency(
    change: dict[str, Any], severity: Severity, default: Default | None
) -> None:
    parsed = parse(_v3("triggered", **change), "pagerduty")
    assert only(parsed).severity is severity
    assert set(parsed.defaults) == ({default} if default else set())


def test_a_new_priority_of_a_resolved_incident_does_not_fire() -> None:
    parsed = parse(_v3("priority_updated", status="resolved"), "pagerduty")
    assert (parsed.outcome, parsed.total) == (Outcome.IGNORED, 0)
    assert "resolved already" in parsed.reason


def test_reopened_starts_again() -> None:
    alert = only(parse(_v3("reopened", reopened_at="2026-03-02T08:01:59Z"), "pagerduty"))
    assert (alert.status, alert.starts_at) == (Status.FIRING, 1_772_438_519_000)


def test_opening_is_the_events_own_time_where_the_incident_has_none() -> None:
    assert only(parse(_v3("triggered", created_at=None), "pagerduty")).starts_at == 1_772_438_520_000
    assert only(parse(_v3("resolved", created_at=None), "pagerduty")).starts_at is None


def test_without_a_readable_time_arrival_counts() -> None:
    body = _v3("resolved")
    body["event"]["occurred_at"] = "soon"
    parsed = parse(body, "pagerduty")
    assert (only(parsed).observed_at, only(parsed).ends_at) == (ARRIVAL, None)
    assert parsed.defaults == {Default.TIME_UNREADABLE: 1}


@pytest.mark.parametrize(("kind", "verb"), [("acknowledged", Verb.ACKNOWLEDGE), ("unacknowledged", Verb.UNACKNOWLEDGE)])
def test_answers_are_to_the_alert(kind: str, verb: Verb) -> None:
    command = _answer(_v3(kind))
    assert (command.verb, command.alert, command.incident) == (verb, _print(incident="QA0001"), "")
    assert (command.by, command.id) == ("Ada Byron", "01HTESTEVENT00000000000003")
    assert command == _answer(_v3(kind))


def test_an_acknowledgement_that_ran_out_has_no_person() -> None:
    body = _v3("unacknowledged")
    body["event"]["agent"] = None
    assert _answer(body).by == "pagerduty"


def test_notes_find_their_incident_by_its_id_alone() -> None:
    command = _answer(sample("pagerduty/v3_note"))
    assert (command.verb, command.note) == (Verb.NOTE, "Rolled back\nto 41")
    assert command.alert == _print(incident="QA0001")


@pytest.mark.parametrize("kind", ["status_update_published", "responder.added", "responder.replied"])
def test_what_carries_text_is_a_note(kind: str) -> None:
    body = sample("pagerduty/v3_note")
    body["event"]["event_type"] = f"incident.{kind}"
    body["event"]["data"]["message"] = body["event"]["data"].pop("content")
    assert _answer(body).verb is Verb.NOTE
    body["event"]["data"]["message"] = None
    assert parse(body, "pagerduty").outcome is Outcome.IGNORED


@pytest.mark.parametrize("kind", ["reassigned", "escalated", "delegated", "workflow.started", "of_the_future"])
def test_what_moves_an_incident_among_people_changes_nothing(kind: str) -> None:
    parsed = parse(_v3(kind), "pagerduty")
    assert (parsed.outcome, parsed.total, parsed.commands) == (Outcome.IGNORED, 0, [])
    assert f"{kind}: this neither fires nor resolves" in parsed.reason


def test_what_is_about_no_incident() -> None:
    assert "test of the subscription" in parse_sample("pagerduty/v3_ping").reason
    body = sample("pagerduty/v3_ping")
    body["event"]["event_type"] = "service.updated"
    assert (parse(body, "pagerduty").outcome, parse(body, "pagerduty").commands) == (Outcome.IGNORED, [])


# --- stormfold's own pages


def test_the_key_is_the_one_that_the_channel_gives() -> None:
    ledger = LedgerKey(INCIDENT, EPISODE, Action.PAGE, Priority.P2, 0, "on-call")
    assert dedup_key(ledger) == OWN


@pytest.mark.parametrize("kind", ["triggered", "reopened", "priority_updated", "reassigned", "escalated"])
@pytest.mark.parametrize("key", [OWN, f"{INCIDENT}#{EPISODE}"])
def test_an_incident_of_our_own_is_no_alert(kind: str, key: str) -> None:
    parsed = parse(_v3(kind, incident_key=key), "pagerduty")
    assert (parsed.outcome, parsed.total, parsed.commands) == (Outcome.IGNORED, 0, [])
    assert "stormfold's own key" in parsed.reason


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        ("acknowledged", Verb.ACKNOWLEDGE),
        ("unacknowledged", Verb.UNACKNOWLEDGE),
        ("resolved", Verb.RESOLVE),
    ],
)
def test_what_a_person_does_to_it_answers_that_episode(kind: str, verb: Verb) -> None:
    command = _answer(_v3(kind, incident_key=OWN, id=None))
    assert (command.verb, command.incident, command.episode, command.alert) == (verb, INCIDENT, EPISODE, "")
    assert command.by == "Ada Byron"


@pytest.mark.parametrize("kind", ["acknowledged", "unacknowledged", "resolved"])
@pytest.mark.parametrize(
    "agent", [None, {"type": "inbound_integration_reference", "summary": "Events API V2"}, {"summary": "Ada"}, "Ada"]
)
def test_what_no_person_does_to_it_is_our_own_doing(kind: str, agent: Any) -> None:
    body = _v3(kind, incident_key=OWN)
    body["event"]["agent"] = agent
    parsed = parse(body, "pagerduty")
    assert (parsed.outcome, parsed.total, parsed.commands) == (Outcome.IGNORED, 0, [])
    assert "no person did this" in parsed.reason


def test_our_name_stands_in_for_a_key_that_is_missing() -> None:
    assert "stormfold's own key or name" in parse_sample("pagerduty/v3_own_triggered").reason
    body = _v3("acknowledged")
    body["event"]["client"] = {"name": "stormfold"}
    assert "nothing tells which" in parse(body, "pagerduty").reason


def test_our_key_among_the_alerts_of_a_group() -> None:
    body = sample("pagerduty/v2_messages")
    for entry in body["messages"]:
        entry["incident"]["alerts"] = [{"alert_key": "queue-full"}, {"alert_key": OWN}]
    parsed = parse(body, "pagerduty")
    assert parsed.alerts == []
    assert [(c.verb, c.incident, c.note) for c in parsed.commands] == [(Verb.NOTE, INCIDENT, "Draining it")]


@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve"])
def test_an_event_with_our_key_is_ignored(action: str) -> None:
    parsed = parse({**sample("pagerduty/event_own"), "event_action": action}, "pagerduty")
    assert (parsed.outcome, parsed.total, parsed.commands) == (Outcome.IGNORED, 0, [])
    assert "stormfold's own key" in parsed.reason


# --- versions 2 and 1


def test_messages_of_version_2() -> None:
    parsed = parse_sample("pagerduty/v2_messages")
    alert = only(parsed)
    assert (alert.fingerprint, alert.name, alert.service) == (_print(incident="QB0002"), "Queue is full", "queue")
    assert (alert.severity, alert.starts_at) == (Severity.LOW, 1_772_438_399_000)
    (note,) = parsed.commands
    assert (note.verb, note.alert, note.note) == (Verb.NOTE, alert.fingerprint, "Draining it")
    assert note.id.endswith("0002")


def test_messages_of_version_1() -> None:
    alert = only(parse_sample("pagerduty/v1_messages"))
    assert (alert.fingerprint, alert.name, alert.service) == (_print(incident="QC0003"), "Mail bounces", "mail")
    assert (alert.status, alert.ends_at) == (Status.RESOLVED, 1_772_439_000_000)
    body = sample("pagerduty/v1_messages")
    body["messages"][0]["data"]["incident"]["incident_key"] = OWN
    assert (_answer(body).verb, _answer(body).by) == (Verb.RESOLVE, "Ada Byron")
    body["messages"][0]["data"]["incident"]["last_status_change_by"] = "null"
    assert parse(body, "pagerduty").commands == []


def test_one_bad_message_does_not_take_its_neighbours_along() -> None:
    body = sample("pagerduty/v2_messages")
    body["messages"][0]["incident"]["id"] = None
    parsed = parse(body, "pagerduty")
    assert [(r.index, r.reason) for r in parsed.refusals] == [(0, Reason.MISSING_IDENTITY)]
    assert len(parsed.commands) == 1
    assert parse({"messages": []}, "pagerduty").outcome is Outcome.IGNORED


# --- events


def test_events_of_one_key_are_one_alert_in_every_version() -> None:
    fired, old, resolved = (
        only(parse_sample(f"pagerduty/{name}")) for name in ("event_trigger", "event_v1_trigger", "event_resolve")
    )
    assert {a.fingerprint for a in (fired, old, resolved)} == {_print(dedup_key="disk/web-7")}
    assert resolved.status is Status.RESOLVED
    command = _answer(sample("pagerduty/event_acknowledge"))
    assert (command.verb, command.alert, command.by) == (Verb.ACKNOWLEDGE, fired.fingerprint, "pagerduty")
    assert command.id == f"{'ab' * 16}.3.77.0"


def test_facts_of_an_event() -> None:
    alert = only(parse_sample("pagerduty/event_trigger"))
    assert (alert.name, alert.severity, alert.service) == ("Disk of web-7 fills up", Severity.HIGH, "shop")
    assert (alert.starts_at, alert.observed_at) == (ARRIVAL - 60_000, ARRIVAL)
    assert alert.labels == {
        "source": "web-7",
        "component": "disk",
        "group": "web",
        "class": "capacity",
        "client": "Probe",
        "env": "prod",
        "service": "shop",
        "used": "0.96",
    }
    assert alert.description == "output: line one\nline two\ntop: /var=91 %\nhosts: web-7, 7"
    assert [(link.text, link.href) for link in alert.links] == [
        ("runbook", "https://runbooks.example.org/disk"),
        ("use", "https://probe.example.org/2.png"),
        ("Probe", "https://probe.example.org/2"),
    ]


def test_a_trigger_sent_again_after_its_end_is_newer_whatever_its_timestamp() -> None:
    resolved = only(parse_sample("pagerduty/event_resolve", arrival=ARRIVAL))
    again = only(parse_sample("pagerduty/event_trigger", arrival=ARRIVAL + 1))
    assert again.stamp > resolved.stamp


def test_component_is_the_service_where_no_detail_names_one() -> None:
    body = sample("pagerduty/event_trigger")
    del body["payload"]["custom_details"]["service"]
    assert only(parse(body, "pagerduty")).service == "disk"


def test_repeats_of_a_sender_with_an_interval_stand_for_so_long() -> None:
    config = SourceConfig(repeat_interval=Duration(3_600_000))
    assert only(parse_sample("pagerduty/event_trigger", config=config)).valid_for == 7_800_000
    assert only(parse_sample("pagerduty/v3_triggered", config=config)).valid_for is None


@pytest.mark.parametrize("key", [None, "", "  "])
def test_a_trigger_without_a_key_is_an_alert_of_its_own(key: str | None) -> None:
    parsed = parse({**sample("pagerduty/event_trigger"), "dedup_key": key}, "pagerduty")
    assert only(parsed).fingerprint == _print(event=f"{'ab' * 16}.3.77.0")
    assert "no dedup_key" in parsed.reason
    for action in ("acknowledge", "resolve"):
        refused = parse({"event_action": action, "dedup_key": key}, "pagerduty")
        assert [r.reason for r in refused.refusals] == [Reason.MISSING_IDENTITY]


def test_the_routing_key_is_in_nothing_that_is_made() -> None:
    for path in SAMPLES.glob("pagerduty/*.json"):
        parsed = parse(path.read_bytes(), "pagerduty")
        assert "0123456789abcdef" not in repr((parsed.alerts, parsed.changes, parsed.commands, parsed.reason))
    body = sample("pagerduty/event_trigger")
    other = only(parse({**body, "routing_key": "f" * 32}, "pagerduty"))
    assert other == only(parse(body, "pagerduty"))


@pytest.mark.parametrize(
    ("timestamp", "starts"),
    [
        ("2026-03-02T08:19:00+00:00Z", ARRIVAL - 60_000),
        ("2026-03-02T09:19:00+0100", ARRIVAL - 60_000),
        (None, None),
        ("yesterday", None),
    ],
)
def test_timestamps(timestamp: str | None, starts: int | None) -> None:
    body = sample("pagerduty/event_trigger")
    body["payload"]["timestamp"] = timestamp
    assert only(parse(body, "pagerduty")).starts_at == starts


def test_a_change_event() -> None:
    parsed = parse_sample("pagerduty/change")
    (change,) = parsed.changes
    assert (change.what, change.name, change.outcome) == ("change", "checkout 42 rolled out", ChangeOutcome.UNKNOWN)
    assert (change.where, change.service, change.when) == ("deployer", "checkout", 1_772_438_400_000)
    assert change.link == "https://deploy.example.org/42"
    body = sample("pagerduty/change")
    assert parse(body, "pagerduty").changes == parsed.changes
    del body["routing_key"]  # as the drop-in door forwards it
    assert parse(body, "pagerduty").changes == parsed.changes
    body["payload"]["timestamp"] = "2026-03-02T08:00:01Z"
    assert parse(body, "pagerduty").changes[0].fingerprint != change.fingerprint


@pytest.mark.parametrize(
    ("name", "change", "reason", "says"),
    [
        ("event_trigger", {"payload": {}}, Reason.MISSING_FIELD, "payload.summary"),
        ("event_trigger", {"payload": []}, Reason.MISSING_FIELD, "payload.summary"),
        ("event_trigger", {"payload": "x"}, Reason.WRONG_TYPE, "payload must be an object"),
        ("event_trigger", {"payload": {"summary": 4}}, Reason.WRONG_TYPE, "payload.summary must be text"),
        ("change", {"payload": {"summary": ""}}, Reason.MISSING_FIELD, "payload.summary must say what changed"),
        ("v3_acknowledged", {"event": {**_v3("acknowledged")["event"], "id": None}}, Reason.MISSING_IDENTITY, "no id"),
        ("v3_acknowledged", {"event": {"event_type": "incident.triggered"}}, Reason.WRONG_TYPE, "event.data"),
        (
            "v3_acknowledged",
            {"event": {"event_type": "incident.triggered", "data": {"id": 4}}},
            Reason.MISSING_IDENTITY,
            "the incident's id must be text, got a number",
        ),
        ("v2_messages", {"messages": [{"type": "x"}]}, Reason.WRONG_TYPE, "must begin with incident."),
        ("v2_messages", {"messages": [4]}, Reason.WRONG_TYPE, "a message must be an object"),
    ],
)
def test_refusals(name: str, change: dict[str, Any], reason: Reason, says: str) -> None:
    parsed = parse({**sample(f"pagerduty/{name}"), **change}, "pagerduty")
    assert parsed.outcome is Outcome.QUARANTINED
    assert [r.reason for r in parsed.refusals] == [reason]
    assert says in parsed.reason


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "must be an object"),
        ({}, "neither event"),
        ({"event": {}}, "event_type is missing"),
        ({"event": 4}, "event must be an object"),
        ({"messages": {}}, "messages must be a list"),
        ({"event_action": "explode"}, "must be one of trigger, acknowledge, resolve, got explode"),
        ({"event_action": None, "dedup_key": "x"}, "got none"),
        ({"event_action": "resolve", "dedup_key": 4}, "dedup_key must be text"),
    ],
)
def test_bodies_that_are_nothing_of_pagerduty(body: Any, says: str) -> None:
    with pytest.raises(NotUnderstood, match=says):
        parse(body, "pagerduty")


def test_detection() -> None:
    for path in SAMPLES.glob("pagerduty/*.json"):
        assert detect(json.loads(path.read_text()), {}) is ADAPTERS["pagerduty"], path


@pytest.mark.parametrize(
    "body",
    [{"event": {"type": "message"}}, {"messages": []}, {"event_type": "trigger"}, {"payload": {"summary": "x"}}, [], 4],
)
def test_bodies_of_others_are_not_taken(body: Any) -> None:
    assert detect(body, {}) is not ADAPTERS["pagerduty"]

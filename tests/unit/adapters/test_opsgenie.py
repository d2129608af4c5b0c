"""Opsgenie: alerts by their alias, answers of people, stormfold's own alias, bodies of the alert API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Reason
from ingest.adapters.registry import ADAPTERS, detect
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from kernel.model.signals import CommandBody, Verb
from tests.unit.adapters.helpers import ARRIVAL, SAMPLES, only, parse, parse_sample, sample

INCIDENT = "s03-abcdefghij234567"
EPISODE = "abcd2345"
OWN = f"{INCIDENT}#{EPISODE}#P2"
PLACE = f"{'ab' * 16}.3.77.0"


def _print(**identity: str) -> str:
    return fingerprint("default", "opsgenie", identity)


DISK = _print(alias="disk/web-7")


def _webhook(action: str, **alert: Any) -> dict[str, Any]:
    """The acknowledging sample with another action."""
    body: dict[str, Any] = sample("opsgenie/acknowledge")
    body["action"] = action
    body["alert"] |= alert
    return body


def _answer(body: Any) -> CommandBody:
    parsed = parse(body, "opsgenie")
    assert not parsed.refusals, parsed.reason
    assert not parsed.alerts
    (command,) = parsed.commands
    assert parsed.outcome is Outcome.COMMANDS
    return command


def test_webhooks_and_requests_of_one_alias_are_one_alert() -> None:
    names = ("create", "update_priority", "close", "api_create", "door_close")
    alerts = [only(parse_sample(f"opsgenie/{name}")) for name in names]
    assert {a.fingerprint for a in alerts} == {DISK}
    firing, resolved = Status.FIRING, Status.RESOLVED
    assert [a.status for a in alerts] == [firing, firing, resolved, firing, resolved]
    assert [a.severity for a in alerts[:2]] == [Severity.HIGH, Severity.CRITICAL]
    assert alerts[0].stamp < alerts[1].stamp < alerts[2].stamp


def test_facts_of_an_alert() -> None:
    alert = only(parse_sample("opsgenie/create"))
    assert (alert.name, alert.service, alert.description) == ("Disk of web-7 fills up", "shop", "96 % used")
    assert (alert.starts_at, alert.observed_at) == (1_772_438_400_000, 1_772_438_400_123)
    assert alert.labels == {
        "env": "prod",
        "service": "shop",
        "runbook_url": "https://runbooks.example.org/disk",
        "attempt": "2",
        "tags": "env:prod,critical-path",
        "entity": "web-7",
        "alias": "disk/web-7",
        "source": "https://probe.example.org/2",
    }
    assert [(link.text, link.href) for link in alert.links] == [
        ("source", "https://probe.example.org/2"),
        ("runbook", "https://runbooks.example.org/disk"),
    ]


def test_a_close_says_who_and_why() -> None:
    alert = only(parse_sample("opsgenie/close"))
    assert (alert.ends_at, alert.description) == (1_772_439_000_123, "closed by Ada Byron: fixed")
    assert only(parse_sample("opsgenie/door_close")).description == "closed by probe: recovered"


def test_an_alert_without_alias_is_told_by_its_id_as_opsgenie_tells_it() -> None:
    alert = only(parse_sample("opsgenie/jsm_short"))
    assert alert.fingerprint == _print(alias="22222222-bbbb-4000-8000-000000000002")
    assert (alert.severity, alert.observed_at, alert.starts_at) == (Severity.LOW, ARRIVAL, None)


@pytest.mark.parametrize("action", ["Close", "closed", "Delete", "CLOSE"])
def test_both_ends(action: str) -> None:
    assert only(parse(_webhook(action), "opsgenie")).status is Status.RESOLVED


@pytest.mark.parametrize(
    ("priority", "severity", "default"),
    [
        ("P1", Severity.CRITICAL, None),
        (2, Severity.HIGH, None),
        ("3", Severity.MEDIUM, None),
        ("p4", Severity.LOW, None),
        ("P5", Severity.INFO, None),
        ("P6", Severity.HIGH, Default.SEVERITY_UNKNOWN),
        ({}, Severity.HIGH, Default.SEVERITY_UNKNOWN),
        (True, Severity.HIGH, Default.SEVERITY_UNKNOWN),
        (None, Severity.MEDIUM, Default.SEVERITY_MISSING),
    ],
)
def test_severity(priority: Any, severity: Severity, default: Default | None) -> None:
    parsed = parse(_webhook("Create", priority=priority), "opsgenie")
    assert only(parsed).severity is severity
    assert set(parsed.defaults) == ({default} if default else set())


def test_a_close_without_priority_left_nothing_out() -> None:
    parsed = parse(_webhook("Close", priority=None), "opsgenie")
    assert (only(parsed).severity, parsed.defaults) == (Severity.MEDIUM, {})


def test_times_as_digits() -> None:
    alert = only(parse(_webhook("Close", createdAt="1772438400000", updatedAt="1772438500123000456"), "opsgenie"))
    assert (alert.starts_at, alert.ends_at, alert.observed_at) == (
        1_772_438_400_000,
        1_772_438_500_123,
        1_772_438_500_123,
    )


@pytest.mark.parametrize(("action", "verb"), [("Acknowledge", Verb.ACKNOWLEDGE), ("UnAcknowledge", Verb.UNACKNOWLEDGE)])
def test_answers_are_to_the_alert(action: str, verb: Verb) -> None:
    command = _answer(_webhook(action))
    assert (command.verb, command.alert, command.incident, command.by) == (verb, DISK, "", "Ada Byron")


def test_an_answer_has_one_name_however_often_it_comes() -> None:
    first = _answer(_webhook("AddNote", note="one"))
    assert first == _answer(_webhook("AddNote", note="one"))
    assert (first.verb, first.note) == (Verb.NOTE, "one")
    others = (
        _webhook("AddNote", note="two"),
        _webhook("AddNote", note="one", updatedAt=1),
        _webhook("Acknowledge", note="one"),
    )
    assert len({first.id, *(_answer(body).id for body in others)}) == 4
    assert _answer(_webhook("AddNote", note="one", updatedAt=None)).id == PLACE


def test_any_action_with_a_note_is_one() -> None:
    command = _answer(_webhook("AssignOwnership", note="over to you"))
    assert (command.verb, command.note) == (Verb.NOTE, "over to you")


@pytest.mark.parametrize("action", ["Escalate", "AssignOwnership", "AddTags", "Snooze", "UpdateMessage", "Reboot it"])
def test_all_else_changes_nothing(action: str) -> None:
    parsed = parse(_webhook(action), "opsgenie")
    assert (parsed.outcome, parsed.total, parsed.commands) == (Outcome.IGNORED, 0, [])
    assert f"{action}: this action neither fires nor resolves" in parsed.reason
    assert parse_sample("opsgenie/escalate").outcome is Outcome.IGNORED


# --- stormfold's own alias


@pytest.mark.parametrize("action", ["Create", "created", "UpdatePriority", "Delete", "AddTags", "Escalate"])
def test_our_own_alias_is_no_alert(action: str) -> None:
    parsed = parse(_webhook(action, alias=OWN), "opsgenie")
    assert (parsed.outcome, parsed.total, parsed.commands) == (Outcome.IGNORED, 0, [])
    assert "stormfold's own key" in parsed.reason


@pytest.mark.parametrize(
    ("action", "verb"),
    [
        ("Acknowledge", Verb.ACKNOWLEDGE),
        ("UnAcknowledge", Verb.UNACKNOWLEDGE),
        ("Close", Verb.RESOLVE),
        ("AddNote", Verb.NOTE),
    ],
)
def test_what_a_person_does_to_it_answers_that_episode(action: str, verb: Verb) -> None:
    command = _answer(_webhook(action, alias=OWN, note="on it"))
    assert (command.verb, command.incident, command.episode, command.alert) == (verb, INCIDENT, EPISODE, "")
    assert (command.by, command.note) == ("Ada Byron", "on it")


@pytest.mark.parametrize(
    ("source", "alert"),
    [
        ({"name": "stormfold", "type": "API"}, {}),
        ({"name": "", "type": "api"}, {}),
        ({"name": "", "type": ""}, {}),
        ("Probe", {}),
        (None, {}),
        ({"name": "", "type": "web"}, {"userId": ""}),
        ({"name": "", "type": "web"}, {"userId": None}),
        ({"name": "", "type": "web"}, {"username": "System"}),
    ],
)
@pytest.mark.parametrize("action", ["Acknowledge", "Close", "AddNote"])
def test_what_no_person_does_to_it_is_our_own_doing(source: Any, alert: dict[str, Any], action: str) -> None:
    body = _webhook(action, alias=OWN, note="x", **alert)
    body["source"] = source
    parsed = parse(body, "opsgenie")
    assert (parsed.outcome, parsed.total, parsed.commands) == (Outcome.IGNORED, 0, [])
    assert "no person did this" in parsed.reason


def test_our_own_requests_through_the_drop_in_door_are_no_alerts() -> None:
    created = parse({**sample("opsgenie/api_create"), "alias": OWN}, "opsgenie")
    closed = parse({**sample("opsgenie/door_close"), "alert": {"alias": OWN}}, "opsgenie")
    for parsed in (created, closed, parse_sample("opsgenie/own_close_by_api")):
        assert (parsed.outcome, parsed.total, parsed.commands) == (Outcome.IGNORED, 0, [])


# --- the alert API


def test_a_request_that_creates() -> None:
    alert = only(parse_sample("opsgenie/api_create"))
    assert (alert.name, alert.severity, alert.service) == ("Disk of web-7 fills up", Severity.MEDIUM, "shop")
    assert (alert.observed_at, alert.starts_at, alert.valid_for) == (ARRIVAL, None, None)
    config = SourceConfig(repeat_interval=Duration(3_600_000))
    assert only(parse_sample("opsgenie/api_create", config=config)).valid_for == 7_800_000
    assert only(parse_sample("opsgenie/create", config=config)).valid_for is None


def test_a_create_without_alias_is_an_alert_of_its_own() -> None:
    parsed = parse({**sample("opsgenie/api_create"), "alias": None}, "opsgenie")
    assert only(parsed).fingerprint == _print(request=PLACE)
    assert "no alias" in parsed.reason


@pytest.mark.parametrize(
    ("action", "verb"),
    [("Acknowledge", Verb.ACKNOWLEDGE), ("UnAcknowledge", Verb.UNACKNOWLEDGE), ("AddNote", Verb.NOTE)],
)
def test_what_the_drop_in_door_forwards(action: str, verb: Verb) -> None:
    command = _answer({**sample("opsgenie/door_note"), "action": action})
    assert (command.verb, command.alert, command.by, command.note) == (verb, DISK, "probe", "97 % now")
    assert command.id == PLACE
    assert _answer({**sample("opsgenie/door_note"), "requestId": "r-1"}).id == "r-1"
    bare = _answer({"action": "Acknowledge", "alert": {"alias": "disk/web-7"}})
    assert (bare.alert, bare.by) == (DISK, "opsgenie")


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (_webhook("Create", alias=None, alertId=None), Reason.MISSING_IDENTITY, "must have a value"),
        (_webhook("Acknowledge", alias="", alertId=""), Reason.MISSING_IDENTITY, "which alert this answers"),
        (_webhook("Create", alias=7), Reason.WRONG_TYPE, "alert.alias must be text"),
        (_webhook("Create", createdAt={}), Reason.WRONG_TYPE, "alert.createdAt must be a time"),
        ({"message": " "}, Reason.MISSING_FIELD, "message must say"),
        ({"message": 4}, Reason.WRONG_TYPE, "message must be text"),
    ],
)
def test_refusals(body: dict[str, Any], reason: Reason, says: str) -> None:
    parsed = parse(body, "opsgenie")
    assert parsed.outcome is Outcome.QUARANTINED
    assert [r.reason for r in parsed.refusals] == [reason]
    assert says in parsed.reason


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "must be an object"),
        ({}, "neither action and alert"),
        ({"alert": {}}, "action is missing"),
        ({"action": 4, "alert": {}}, "action must be text"),
        ({"action": "Create"}, "alert must be an object"),
        ({"alias": "x", "user": "y"}, "whose address says what is asked"),
        ({"id": "x", "tinyId": "1", "message": "y"}, "an alert as Opsgenie's REST API lists it"),
        ({"id": "x", "status": "open", "impactedServices": [], "message": "y"}, "an incident as Opsgenie's REST"),
    ],
)
def test_bodies_that_no_webhook_sends(body: Any, says: str) -> None:
    with pytest.raises(NotUnderstood, match=says):
        parse(body, "opsgenie")


def test_odd_ornaments_cost_no_alert() -> None:
    odd = _webhook("Create", tags={"a": 1}, details=["x"], description=4, entity=[], source={}, username=None)
    assert only(parse(odd, "opsgenie")).labels == {"alias": "disk/web-7"}


def test_a_source_may_tell_alerts_by_labels_and_then_answers_too() -> None:
    config = SourceConfig(identity=("service", "entity"))
    alert = only(parse_sample("opsgenie/create", config=config))
    assert alert.fingerprint == _print(service="shop", entity="web-7")
    answered = parse_sample("opsgenie/acknowledge", config=config)
    assert [c.alert for c in answered.commands] == [alert.fingerprint]
    note = parse_sample("opsgenie/door_note", config=config)
    assert [r.reason for r in note.refusals] == [Reason.MISSING_IDENTITY]


def test_detection() -> None:
    api = {"api_create", "door_close", "door_note", "rest_alert"}
    for path in SAMPLES.glob("opsgenie/*.json"):
        found = detect(json.loads(path.read_text()), {})
        assert (found is ADAPTERS["opsgenie"]) == (path.stem not in api), path
    assert detect({"action": "created", "alert": {"number": 1}}, {}) is not ADAPTERS["opsgenie"]

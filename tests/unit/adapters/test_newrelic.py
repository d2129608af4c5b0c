"""New Relic: issues of workflows by anybody's template, incidents of the older channels."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Reason
from ingest.adapters.registry import detect
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, SAMPLES, only, parse, parse_sample, sample

ISSUE = fingerprint("default", "newrelic", {"issue": "0ea2df1c-adab-45d2-aae0-042b609d2322"})
INCIDENT = fingerprint("default", "newrelic", {"incident": "55"})
APM = "N3xBUE18QVBQTElDQVRJT058NDE"
"""7|APM|APPLICATION|41, as New Relic writes it: base64 without padding."""


def _with(**change: Any) -> dict[str, Any]:
    """The sample of an activated issue with other fields; None takes one out."""
    body = {**sample("newrelic/workflow_activated"), **change}
    return {key: value for key, value in body.items() if value is not None}


def test_an_issue_from_created_to_closed_is_one_alert() -> None:
    alerts = [only(parse_sample(f"newrelic/workflow_{state}")) for state in ("created", "activated", "closed")]
    assert {a.fingerprint for a in alerts} == {ISSUE}
    assert [a.status for a in alerts] == [Status.FIRING, Status.FIRING, Status.RESOLVED]
    assert [a.severity for a in alerts] == [Severity.HIGH, Severity.CRITICAL, Severity.HIGH]
    assert [a.observed_at for a in alerts] == [1_772_438_400_100, 1_772_438_700_000, 1_772_439_300_000]
    assert {a.starts_at for a in alerts} == {1_772_438_400_000}
    assert alerts[-1].ends_at == 1_772_439_299_000
    assert {a.name for a in alerts} == {"Basket latency"}


def test_facts_of_an_issue() -> None:
    parsed = parse_sample("newrelic/workflow_activated")
    alert = only(parsed)
    assert (parsed.outcome, parsed.reason) == (Outcome.ALERTS, "")
    assert alert.summary == "basket query result is > 2.0 on 'Basket latency'"
    assert (alert.service, alert.valid_for) == (None, None)  # an entity without a GUID may be anything
    assert alert.labels == {
        "alertname": "Basket latency",
        "condition": "Basket latency",
        "policy": "Shop",
        "entity": "basket",
        "workflow": "to stormfold",
    }
    assert [(link.text, link.href) for link in alert.links] == [
        ("issue", "https://radar-api.service.newrelic.com/accounts/7/issues/0ea2df1c")
    ]


def test_facts_of_a_template_of_ones_own() -> None:
    alert = only(parse_sample("newrelic/workflow_own_template"))
    assert alert.fingerprint == fingerprint("default", "newrelic", {"issue": "9b"})
    assert (alert.name, alert.service, alert.severity) == ("two things", "basket", Severity.LOW)
    assert (alert.observed_at, alert.starts_at) == (1_772_438_460_000, 1_772_438_400_000)
    assert alert.description == ""
    assert alert.labels["env"] == "prod"
    assert alert.labels["team"] == "shop"
    assert alert.labels["condition"] == "Latency, CPU"
    assert [link.text for link in alert.links] == ["issue", "runbook", "source"]


def test_an_incident_of_the_older_channels() -> None:
    opened, closed = (only(parse_sample(f"newrelic/older_{state}")) for state in ("open", "closed"))
    assert opened.fingerprint == closed.fingerprint == INCIDENT
    assert (opened.status, opened.severity, opened.starts_at) == (Status.FIRING, Severity.MEDIUM, 1_772_438_400_000)
    assert (closed.status, closed.ends_at) == (Status.RESOLVED, 1_772_439_000_000)
    assert (opened.name, opened.description, opened.service) == ("Basket apdex", "Apdex < 0.7", "basket")
    assert opened.labels["env"] == "prod"
    assert opened.labels["account"] == "Acme"
    assert [link.text for link in opened.links] == ["issue", "runbook", "policy", "target"]
    # A link that acknowledges when it is opened is not one to show.
    assert not any("acknowledge" in link.href for link in opened.links)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (sample("newrelic/older_acknowledged"), "acknowledged (bob): somebody acknowledged it"),
        (_with(state="ACKNOWLEDGED", owner="N/A"), "ACKNOWLEDGED: somebody acknowledged it"),
        (_with(state="DEACTIVATED"), "neither that it is open nor that it is over"),
        (sample("newrelic/older_test"), "test: a test of the channel"),
    ],
)
def test_what_neither_opens_nor_closes(body: Any, says: str) -> None:
    parsed = parse(body, "newrelic")
    assert (parsed.outcome, parsed.alerts) == (Outcome.IGNORED, [])
    assert says in parsed.reason


def test_the_opening_of_a_closed_issue_is_not_its_clock() -> None:
    closed = only(parse(_with(state="CLOSED", updatedAt=None), "newrelic"))
    assert (closed.observed_at, closed.starts_at, closed.ends_at) == (ARRIVAL, 1_772_438_400_000, None)
    created = only(parse(_with(state="created", updatedAt="null"), "newrelic"))
    assert created.observed_at == 1_772_438_400_000


def test_a_closed_issue_without_priority_takes_no_default() -> None:
    parsed = parse(_with(state="CLOSED", priority=None), "newrelic")
    assert (only(parsed).severity, parsed.defaults) == (Severity.MEDIUM, {})
    parsed = parse(_with(priority="{{ json priority }}"), "newrelic")
    assert (only(parsed).severity, parsed.defaults) == (Severity.MEDIUM, {Default.SEVERITY_MISSING: 1})
    parsed = parse(_with(priority="DREADFUL"), "newrelic")
    assert (only(parsed).severity, parsed.defaults) == (Severity.HIGH, {Default.SEVERITY_UNKNOWN: 1})


@pytest.mark.parametrize(
    ("change", "service"),
    [
        ({"service": "ledger"}, "ledger"),
        ({"accumulations": {"tag": {"service": ["ledger"]}}}, "ledger"),
        ({"accumulations": {"tag": {"service": ["ledger", "pay"]}}}, None),
        ({"labels": {"service": "ledger"}}, "ledger"),
        ({"entityNames": ["basket"], "impactedEntities": None, "entityGuids": [APM]}, "basket"),
        ({"impactedEntities": ["basket", "pay"], "entityGuids": [APM, APM]}, None),
        ({"impactedEntities": ["basket"], "entityGuids": [APM, APM]}, None),
        ({"impactedEntities": ["basket"], "entityGuids": ["%%%"]}, None),
        ({"impactedEntities": ["basket"], "entityGuids": ["/////w"]}, None),
        ({"impactedEntities": ["basket", "host"], "entityGuids": [APM, 4]}, "basket"),
        ({"impactedEntities": [None, "host"], "entityGuids": [APM, None]}, None),
        ({"impactedEntities": "basket", "entityGuids": APM}, None),
        ({"targets": [{"name": "web-1", "type": "Server"}]}, None),
        ({"targets": [{"name": "pay", "type": "Service"}, {"name": "web-1", "type": "Host"}, 4]}, "pay"),
        ({"service": "$SERVICE", "appName": "pay"}, "pay"),
    ],
)
def test_service(change: dict[str, Any], service: str | None) -> None:
    assert only(parse(_with(**change), "newrelic")).service == service


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (_with(state=None), Reason.MISSING_FIELD, "state must be one of an issue's, got none"),
        (_with(state="hello"), Reason.WRONG_TYPE, "state must be one of an issue's, got hello"),
        (_with(state=["ACTIVATED"]), Reason.WRONG_TYPE, "state must be text or a number, got a list"),
        (_with(id=None), Reason.MISSING_IDENTITY, "issueId (or id) is missing"),
        (_with(id="{{ json issueId }}"), Reason.MISSING_IDENTITY, "issueId (or id) is missing"),
        (_with(id=True), Reason.WRONG_TYPE, "id must be text or a number"),
        (_with(id=10**400), Reason.WRONG_TYPE, "digits"),
        (_with(updatedAt=[]), Reason.WRONG_TYPE, "updatedAt must be a time"),
        ({"current_state": "open", "timestamp": 4}, Reason.MISSING_IDENTITY, "incident_id is missing"),
        ({"current_state": "ajar", "incident_id": 4}, Reason.WRONG_TYPE, "current_state must be open"),
        ({"incident_id": 4}, Reason.MISSING_FIELD, "current_state must be open, acknowledged or closed, got none"),
    ],
)
def test_refusals(body: Any, reason: Reason, says: str) -> None:
    parsed = parse(body, "newrelic")
    assert parsed.outcome is Outcome.QUARANTINED
    assert [r.reason for r in parsed.refusals] == [reason]
    assert says in parsed.reason


def test_a_body_that_is_no_object() -> None:
    with pytest.raises(NotUnderstood, match="must be an object"):
        parse([], "newrelic")


def test_detection() -> None:
    for path in SAMPLES.glob("newrelic/*.json"):
        found = detect(json.loads(path.read_text()), {})
        assert found is not None
        assert found.name == "newrelic", path.stem
    assert detect({"id": 4, "state": "activated", "title": "x"}, {}) is None
    assert detect({"current_state": "open", "id": 4}, {}) is None

"""Alertmanager's webhook and Grafana, unified and legacy."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import NotUnderstood, Outcome, Reason
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, only, parse, parse_sample, sample

LATER = ARRIVAL + 10 * 3_600_000


def test_a_group_of_two() -> None:
    parsed = parse_sample("alertmanager/firing_two", arrival=LATER)
    assert (parsed.outcome, parsed.reason) == (Outcome.ALERTS, "")
    invoices, mails = parsed.alerts
    assert (invoices.status, invoices.severity, invoices.service) == (Status.FIRING, Severity.HIGH, "orders")
    assert (invoices.starts_at, invoices.ends_at, invoices.valid_for) == (1_772_442_012_500, None, None)
    assert invoices.observed_at == LATER
    assert [link.text for link in invoices.links] == ["dashboard", "source"]
    assert invoices.fingerprint != mails.fingerprint
    assert (invoices.origin.item, mails.origin.item) == (0, 1)


def test_status_of_the_alert_before_that_of_the_group_and_truncation_named() -> None:
    firing = parse_sample("alertmanager/firing_two", arrival=LATER)
    mixed = parse_sample("alertmanager/mixed", arrival=LATER)
    assert [a.status for a in mixed.alerts] == [Status.RESOLVED, Status.FIRING]
    assert [a.fingerprint for a in mixed.alerts] == [a.fingerprint for a in firing.alerts]
    assert mixed.alerts[0].ends_at == 1_772_443_212_500
    assert mixed.alerts[0].observed_at == mixed.alerts[1].observed_at == LATER
    assert "12 further alerts" in mixed.reason


def test_status_of_the_group_where_alerts_have_none_and_identity_without_fingerprint() -> None:
    old = only(parse_sample("alertmanager/old_without_fingerprint", arrival=LATER))
    assert old.status is Status.RESOLVED
    assert old.fingerprint == parse_sample("alertmanager/firing_two", arrival=LATER).alerts[0].fingerprint


def test_equal_labels_are_one_alert_whatever_the_vendors_fingerprint() -> None:
    body = sample("alertmanager/firing_two")
    body["alerts"][1]["labels"] = dict(body["alerts"][0]["labels"])
    first, second = parse(body, "alertmanager").alerts
    assert first.fingerprint == second.fingerprint


def test_repeat_interval_gives_valid_for_to_firing_alerts_only() -> None:
    config = SourceConfig(repeat_interval=Duration(3_600_000))
    resolved, firing = parse_sample("alertmanager/mixed", config=config, arrival=LATER).alerts
    assert (resolved.valid_for, firing.valid_for) == (None, 2 * 3_600_000 + 600_000)


def test_without_labels_the_fingerprint_then_the_groups_key_is_the_identity() -> None:
    def identity(alert: dict[str, Any]) -> str:
        body = {"status": "firing", "groupKey": "{}:{}", "alerts": [{"labels": {}, **alert}]}
        return only(parse(body, "alertmanager")).fingerprint

    assert identity({"fingerprint": "5d"}) == fingerprint("default", "alertmanager", {"fingerprint": "5d"})
    assert identity({}) == fingerprint("default", "alertmanager", {"groupKey": "{}:{}"})
    assert identity({"fingerprint": "$ID"}) == identity({})
    parsed = parse({"status": "firing", "alerts": [{"labels": {}}]}, "alertmanager")
    assert [r.reason for r in parsed.refusals] == [Reason.MISSING_IDENTITY]


def test_common_labels_complete_but_do_not_identify() -> None:
    alert = {"status": "firing", "labels": {"alertname": "A", "x": "1"}}
    alone = only(parse({"status": "firing", "alerts": [alert]}, "alertmanager"))
    company = only(
        parse({"status": "firing", "alerts": [alert], "commonLabels": {"x": "2", "severity": "low"}}, "alertmanager")
    )
    assert alone.fingerprint == company.fingerprint
    assert company.labels == {"alertname": "A", "x": "1", "severity": "low"}
    assert company.severity is Severity.LOW


@pytest.mark.parametrize(
    ("alert", "reason", "says"),
    [
        ({"labels": "x"}, Reason.WRONG_TYPE, "labels must be an object"),
        ({"labels": {"a": {}}}, Reason.WRONG_TYPE, "labels.a must be text, got an object"),
        (
            {"labels": {"a": "b"}, "status": "burning"},
            Reason.WRONG_TYPE,
            "status must be firing or resolved, got burning",
        ),
        ({"labels": {"a": "b"}, "status": 3}, Reason.WRONG_TYPE, "got a number"),
        ({"labels": {"a": "b"}, "startsAt": 3}, Reason.WRONG_TYPE, "startsAt must be text"),
        ({"labels": {"alertname": "${ALERT_NAME}"}}, Reason.MISSING_IDENTITY, "template did not fill in"),
        ("x", Reason.WRONG_TYPE, "an alert must be an object"),
    ],
)
@pytest.mark.parametrize("source", ["alertmanager", "grafana"])
def test_one_bad_alert_is_refused_and_its_neighbours_live(source: str, alert: Any, reason: Reason, says: str) -> None:
    parsed = parse({"status": "firing", "alerts": [alert, {"labels": {"alertname": "B"}}]}, source)
    assert [a.origin.item for a in parsed.alerts] == [1]
    assert [(r.index, r.reason) for r in parsed.refusals] == [(0, reason)]
    assert says in parsed.refusals[0].detail


def test_numbers_in_labels_are_written_as_text() -> None:
    parsed = parse(
        {"status": "firing", "alerts": [{"labels": {"n": 4, "b": True, "f": 1.5, "z": None}}]}, "alertmanager"
    )
    assert only(parsed).labels == {"n": "4", "b": "true", "f": "1.5"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"status": "firing"}, Reason.MISSING_FIELD),
        ({"status": "firing", "alerts": {}}, Reason.WRONG_TYPE),
        ({"status": "firing", "alerts": [], "truncatedAlerts": 2}, Reason.MISSING_FIELD),
        ({"receiver": {"name": "x"}, "alerts": []}, Reason.WRONG_TYPE),
        ([], Reason.WRONG_TYPE),
    ],
)
def test_a_body_of_another_form_is_not_understood(body: Any, reason: Reason) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse(body, "alertmanager")
    assert caught.value.reason is reason


def test_a_group_without_alerts_is_ignored() -> None:
    assert parse({"status": "firing", "alerts": []}, "alertmanager").outcome is Outcome.IGNORED


def test_grafana_unified_pair() -> None:
    firing = only(parse_sample("grafana/unified_firing", arrival=LATER))
    resolved = only(parse_sample("grafana/unified_resolved", arrival=LATER))
    assert firing.fingerprint == resolved.fingerprint
    assert (firing.status, firing.severity, firing.service) == (Status.FIRING, Severity.HIGH, "checkout")
    assert (resolved.status, resolved.ends_at) == (Status.RESOLVED, 1_772_443_800_000)
    assert [link.text for link in firing.links] == ["source", "dashboard", "silence"]
    assert "2.31" in firing.description


def test_grafana_legacy_states() -> None:
    firing, ok, silent = (only(parse_sample(f"grafana/legacy_{s}")) for s in ("alerting", "ok", "no_data"))
    assert [a.status for a in (firing, ok, silent)] == [Status.FIRING, Status.RESOLVED, Status.FIRING]
    assert {a.fingerprint for a in (firing, ok, silent)} == {
        fingerprint("default", "grafana", {"orgId": "1", "ruleId": "41"})
    }
    assert firing.labels == {"zone": "a", "severity": "warning", "service": "web", "alertname": "Web load"}
    assert (firing.severity, firing.service, firing.observed_at) == (Severity.MEDIUM, "web", ARRIVAL)
    pending = parse_sample("grafana/legacy_pending")
    assert (pending.outcome, pending.total) == (Outcome.IGNORED, 0)
    assert "pending" in pending.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"state": None}, "state is missing"),
        ({"state": "odd"}, "state must be alerting"),
        ({"ruleId": [1]}, "ruleId must be a whole number"),
        ({"ruleId": True}, "ruleId must be a whole number"),
        ({"evalMatches": 3}, "evalMatches must be a list"),
        ({"evalMatches": [3]}, "evalMatches must be an object"),
        ({"ruleId": None, "ruleName": None}, "must have a value"),
        ({"title": 3}, "title must be text"),
    ],
)
def test_bad_legacy_bodies(change: dict[str, Any], says: str) -> None:
    try:
        reason = parse({**sample("grafana/legacy_alerting"), **change}, "grafana").reason
    except NotUnderstood as error:
        reason = error.detail
    assert says in reason


def test_oncall_pair_and_what_it_may_not_leave_out() -> None:
    firing, ok = only(parse_sample("grafana/oncall_alerting")), only(parse_sample("grafana/oncall_ok"))
    told = {"alert_uid": "7f3c1a52-0d6e-4c58-9a35-1f0f5f9d2b11"}
    assert firing.fingerprint == ok.fingerprint == fingerprint("default", "grafana", told)
    assert (firing.status, ok.status) == (Status.FIRING, Status.RESOLVED)
    assert [link.href for link in firing.links] == ["https://status.example.org/checkout"]
    for change, reason in (({"alert_uid": ""}, Reason.MISSING_IDENTITY), ({"state": ""}, Reason.MISSING_FIELD)):
        assert parse(sample("grafana/oncall_ok") | change, "grafana").refusals[0].reason is reason

"""Datadog: what users' templates send, and the partner bus."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Reason
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, only, parse, parse_sample, sample


def test_trigger_renotification_and_recovery_are_one_alert() -> None:
    alerts = [only(parse_sample(f"datadog/{name}")) for name in ("triggered", "renotified", "recovered")]
    assert {a.fingerprint for a in alerts} == {
        fingerprint("default", "datadog", {"monitor_id": "900100", "scope": "host:web-7"})
    }
    assert [a.status for a in alerts] == [Status.FIRING, Status.FIRING, Status.RESOLVED]
    assert {a.severity for a in alerts} == {Severity.HIGH}
    assert {a.name for a in alerts} == {"Disk of web-7 fills up"}
    triggered, again, recovered = alerts
    assert (triggered.starts_at, again.starts_at, recovered.ends_at) == (1_772_440_000_000, None, 1_772_444_000_000)


def test_facts_of_a_trigger() -> None:
    alert = only(parse_sample("datadog/triggered"))
    assert alert.observed_at == ARRIVAL + 300_000  # an event of the future, by our clock
    assert (alert.service, alert.description) == ("web", "Disk of **web-7** is at 96 %")
    assert alert.labels == {
        "env": "prod",
        "host": "web-7",
        "service": "web",
        "monitor_id": "900100",
        "alertname": "Disk of web-7 fills up",
    }
    assert [link.text for link in alert.links] == ["event"]


def test_observed_at_is_the_events_own_date_so_late_recoveries_stay_in_order() -> None:
    late = ARRIVAL + 86_400_000
    assert only(parse_sample("datadog/recovered", arrival=late)).observed_at == 1_772_444_000_000


def test_a_nested_template_with_numbers_seconds_and_unset_variables() -> None:
    alert = only(parse_sample("datadog/nested_warn", arrival=ARRIVAL + 1_000_000))
    assert alert.fingerprint == fingerprint("default", "datadog", {"monitor_id": "5501"})
    assert (alert.status, alert.severity, alert.service) == (Status.FIRING, Severity.MEDIUM, "queue")
    assert alert.starts_at == 1_772_440_000_000


def test_title_alone_is_enough() -> None:
    alert = only(parse_sample("datadog/title_only"))
    assert (alert.name, alert.status, alert.severity) == ("Payment probe", Status.FIRING, Severity.MEDIUM)
    assert alert.fingerprint == fingerprint("default", "datadog", {"title": "Payment probe", "group": "probe-1"})


def test_partner_bus() -> None:
    alert = only(parse_sample("datadog/partner_bus", arrival=ARRIVAL + 86_400_000))
    assert (alert.name, alert.status, alert.severity, alert.service) == (
        "API errors",
        Status.FIRING,
        Severity.HIGH,
        "api",
    )
    assert alert.observed_at == 1_772_449_200_000


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({"alert_priority": "P1"}, Severity.CRITICAL),
        ({"alert_priority": 5}, Severity.INFO),
        ({"alert_priority": "null"}, Severity.HIGH),  # the title's mark
        ({"alert_priority": "$ALERT_PRIORITY", "title": "x"}, Severity.HIGH),
        ({"alert_priority": None, "title": "x", "alert_type": "warning"}, Severity.MEDIUM),
        ({"alert_priority": None, "title": "x", "alert_type": "dreadful"}, Severity.HIGH),
    ],
)
def test_severity(change: dict[str, Any], severity: Severity) -> None:
    assert only(parse({**sample("datadog/triggered"), **change}, "datadog")).severity is severity


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"alert_transition": "Exploded"}, Reason.WRONG_TYPE, "not one of Datadog's"),
        ({"alert_transition": "null", "title": "x"}, Reason.MISSING_FIELD, "no transition"),
        ({"title": ["x"]}, Reason.WRONG_TYPE, "alert_title must be text, got a list"),
        ({"tags": 4}, Reason.WRONG_TYPE, "tags must be text"),
        ({"tags": ["a:b", 4]}, Reason.WRONG_TYPE, "tags must be text"),
        ({"date": {}}, Reason.WRONG_TYPE, "date must be a time"),
        ({"alert_id": 10**400}, Reason.WRONG_TYPE, "digits"),
        ({"alert_id": None, "title": None}, Reason.MISSING_IDENTITY, "must have a value"),
    ],
)
def test_refusals(change: dict[str, Any], reason: Reason, says: str) -> None:
    parsed = parse({**sample("datadog/triggered"), **change}, "datadog")
    assert parsed.outcome is Outcome.QUARANTINED
    assert [r.reason for r in parsed.refusals] == [reason]
    assert says in parsed.reason


@pytest.mark.parametrize("date", ["soon", "9" * 19 + "9", -4, 12, 1e300])
def test_an_absurd_date_is_arrival_and_counted(date: Any) -> None:
    parsed = parse({**sample("datadog/triggered"), "date": date}, "datadog")
    assert only(parsed).observed_at == ARRIVAL
    assert parsed.defaults == {Default.TIME_UNREADABLE: 1}


def test_a_body_that_is_no_object() -> None:
    with pytest.raises(NotUnderstood, match="must be an object"):
        parse([], "datadog")
    with pytest.raises(NotUnderstood, match=r"detail\.meta must be an object"):
        parse({"source": "aws.partner/datadog.com/x", "detail": {}}, "datadog")

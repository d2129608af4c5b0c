"""Sentry: issues by their own webhooks and by events of alerts, metric alerts by their rule, the older plugin."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Reason
from ingest.adapters.registry import ADAPTERS, detect
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, SAMPLES, message, only, parse, parse_sample, sample

ISSUE = fingerprint("default", "sentry", {"issue": "7001"})
RULE = fingerprint("default", "sentry", {"metric_alert": "31", "projects": "shop"})
STARTED = 1_772_438_400_250


def _hook(name: str, kind: str, **change: Any) -> dict[str, Any]:
    """A sample with other fields in what it is about; None takes one out."""
    body: dict[str, Any] = sample(f"sentry/{name}")
    told = {**body["data"][kind], **change}
    body["data"][kind] = {key: value for key, value in told.items() if value is not None}
    return body


def test_an_issue_is_one_alert_whoever_tells_of_it() -> None:
    names = ("issue_created", "event_alert", "event_alert_older", "error", "plugin", "issue_resolved")
    alerts = [only(parse_sample(f"sentry/{name}")) for name in (*names, "issue_unresolved")]
    assert {a.fingerprint for a in alerts} == {ISSUE}
    firing, resolved = Status.FIRING, Status.RESOLVED
    assert [a.status for a in alerts] == [firing, firing, firing, firing, firing, resolved, firing]
    critical, high, medium = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM
    assert [a.severity for a in alerts] == [high, critical, critical, critical, medium, high, high]
    assert {a.observed_at for a in alerts} == {ARRIVAL}
    assert [a.starts_at for a in alerts] == [STARTED] * 6 + [None]


def test_facts_of_an_issue() -> None:
    parsed = parse_sample("sentry/issue_created")
    alert = only(parsed)
    assert (parsed.outcome, parsed.reason) == (Outcome.ALERTS, "")
    assert (alert.name, alert.description, alert.service) == ("TypeError: basket is None", "basket is None", "shop")
    assert alert.labels == {
        "short_id": "SHOP-3",
        "culprit": "basket in add",
        "platform": "python",
        "alertname": "TypeError: basket is None",
        "project": "shop",
        "level": "error",
        "service": "shop",
    }
    assert [(link.text, link.href) for link in alert.links] == [("issue", "https://acme.sentry.io/issues/7001/")]


def test_facts_of_an_alerts_event() -> None:
    alert = only(parse_sample("sentry/event_alert"))
    assert (alert.name, alert.service) == ("TypeError: basket is None", "shop")
    assert alert.labels == {
        "level": "fatal",
        "server_name": "web-7",
        "release": "shop@1.2",
        "culprit": "basket in add",
        "platform": "python",
        "environment": "prod",
        "rule": "new in prod",
        "alertname": "TypeError: basket is None",
        "project": "shop",
        "service": "shop",
    }
    assert "id:4" not in str(alert)
    assert [link.text for link in alert.links] == ["event"]


def test_the_tag_service_comes_before_the_project() -> None:
    alert = only(parse_sample("sentry/error"))
    assert (alert.service, alert.labels["project"]) == ("basket", "shop")


def test_facts_of_the_plugin() -> None:
    alert = only(parse_sample("sentry/plugin"))
    assert (alert.name, alert.description, alert.service) == ("Slow basket", "basket is slow", "shop")
    assert (alert.labels["rule"], alert.labels["environment"]) == ("a, b", "prod")
    assert [link.text for link in alert.links] == ["issue"]


def test_a_metric_alert_is_its_rule() -> None:
    critical, resolved = (only(parse_sample(f"sentry/metric_{state}")) for state in ("critical", "resolved"))
    later = only(parse(_hook("metric_critical", "metric_alert", id="89", identifier="10"), "sentry"))
    assert critical.fingerprint == resolved.fingerprint == later.fingerprint == RULE
    assert (critical.status, critical.severity, critical.name) == (
        Status.FIRING,
        Severity.CRITICAL,
        "Too many errors",
    )
    assert (critical.starts_at, critical.service) == (1_772_438_400_000, "shop")
    assert critical.summary == "Critical: Too many errors"
    assert (resolved.status, resolved.ends_at) == (Status.RESOLVED, 1_772_439_300_000)
    assert parse_sample("sentry/metric_resolved").defaults == {}


def test_a_metric_alert_of_other_projects_is_another() -> None:
    both = only(parse(_hook("metric_critical", "metric_alert", projects=["shop", "admin"]), "sentry"))
    assert both.fingerprint == fingerprint("default", "sentry", {"metric_alert": "31", "projects": "admin,shop"})
    assert (both.service, both.labels["projects"]) == (None, "admin,shop")
    ruleless = only(parse(_hook("metric_critical", "metric_alert", alert_rule=None), "sentry"))
    assert ruleless.fingerprint == fingerprint("default", "sentry", {"metric_alert_episode": "88"})
    assert ruleless.name == "odd name"


def test_a_warning_is_less_than_critical() -> None:
    body = {**sample("sentry/metric_critical"), "action": "warning"}
    assert only(parse(body, "sentry")).severity is Severity.MEDIUM


def test_only_what_an_alert_repeats_goes_stale_and_only_where_that_is_configured() -> None:
    config = SourceConfig(repeat_interval=Duration(3_600_000))

    def stands(name: str) -> int | None:
        return only(parse_sample(f"sentry/{name}", config=config)).valid_for

    assert (stands("event_alert"), stands("plugin")) == (7_800_000, 7_800_000)
    assert (stands("issue_created"), stands("metric_critical")) == (None, None)
    assert only(parse_sample("sentry/event_alert")).valid_for is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (sample("sentry/issue_archived"), "the issue was archived, which says neither"),
        ({**sample("sentry/issue_archived"), "action": "ignored"}, "the issue was archived"),
        (_hook("activity_alert", "issue", status="ignored"), "the issue was archived"),
        (_hook("activity_alert", "issue", status="muted"), "issue triggered: this neither opens nor resolves"),
        (sample("sentry/issue_assigned"), "issue assigned: this neither opens nor resolves an issue"),
        (sample("sentry/comment"), "created: this neither opens nor resolves an issue"),
        (sample("sentry/installation"), "installation created: this neither"),
        ({"action": "x", "data": {}}, "nothing x: this neither"),
    ],
)
def test_what_neither_opens_nor_resolves(body: Any, says: str) -> None:
    parsed = parse(body, "sentry")
    assert (parsed.outcome, parsed.alerts) == (Outcome.IGNORED, [])
    assert says in parsed.reason


def test_an_alert_on_activity_is_as_the_issue_stands() -> None:
    assert only(parse_sample("sentry/activity_alert")).status is Status.RESOLVED
    assert only(parse(_hook("activity_alert", "issue", status="unresolved"), "sentry")).status is Status.FIRING


def test_the_header_names_a_resource_that_the_body_does_not() -> None:
    given = msgspec.structs.replace(
        message({"action": "started", "data": {"run_id": 4}}, "sentry"), headers={"sentry-hook-resource": "seer"}
    )
    parsed = ADAPTERS["sentry"].parse(given)
    assert parsed.reason == "seer started: this neither opens nor resolves an issue"


@pytest.mark.parametrize(
    ("level", "severity", "defaults"),
    [
        ("warning", Severity.MEDIUM, {}),
        ("debug", Severity.INFO, {}),
        ("sample", Severity.HIGH, {Default.SEVERITY_UNKNOWN: 1}),
        (None, Severity.MEDIUM, {Default.SEVERITY_MISSING: 1}),
        (4, Severity.HIGH, {Default.SEVERITY_UNKNOWN: 1}),
    ],
)
def test_severity(level: Any, severity: Severity, defaults: Any) -> None:
    parsed = parse(_hook("issue_created", "issue", level=level), "sentry")
    assert (only(parsed).severity, parsed.defaults) == (severity, defaults)


@pytest.mark.parametrize(
    "tags",
    [None, 4, [4, ["a"], ["a", 4], {"key": "a"}, [["a"], "b"]], {"a": 4}, "level:fatal"],
)
def test_odd_tags_cost_no_alert(tags: Any) -> None:
    alert = only(parse(_hook("event_alert", "event", tags=tags), "sentry"))
    assert (alert.severity, "a" in alert.labels) == (Severity.CRITICAL, False)


def test_tags_as_an_object_and_a_level_in_tags() -> None:
    alert = only(parse(_hook("event_alert", "event", tags={"level": "warning", "region": "eu"}, level=None), "sentry"))
    assert (alert.severity, alert.labels["region"]) == (Severity.MEDIUM, "eu")


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (
            _hook("issue_created", "issue", id=None),
            Reason.MISSING_IDENTITY,
            "the id of the issue or of the metric alert is missing",
        ),
        (_hook("issue_created", "issue", id=[]), Reason.WRONG_TYPE, "id must be text or a whole number, got a list"),
        (_hook("issue_created", "issue", id=True), Reason.WRONG_TYPE, "id must be text or a whole number"),
        (_hook("issue_created", "issue", id=10**400), Reason.WRONG_TYPE, "digits"),
        (_hook("issue_created", "issue", firstSeen={}), Reason.WRONG_TYPE, "the start must be a time"),
        (
            _hook("event_alert", "event", issue_id=None, issue_url="https://x/9", web_url=None),
            Reason.MISSING_IDENTITY,
            "the id of the issue or of the metric alert is missing",
        ),
        (
            {**sample("sentry/metric_critical"), "action": "odd"},
            Reason.WRONG_TYPE,
            "critical, warning or resolved, got odd",
        ),
        (
            _hook("metric_critical", "metric_alert", id=None, alert_rule=None),
            Reason.MISSING_IDENTITY,
            "the id of the issue or of the metric alert is missing",
        ),
        ({"action": 4, "data": {}}, Reason.WRONG_TYPE, "action must be text, got a number"),
        ({"action": "created"}, Reason.WRONG_TYPE, "data must be an object, got null"),
        ({"action": "created", "data": {"issue": 4}}, Reason.WRONG_TYPE, "data.issue must be an object"),
    ],
)
def test_refusals(body: Any, reason: Reason, says: str) -> None:
    parsed = parse(body, "sentry")
    assert parsed.outcome is Outcome.QUARANTINED
    assert [r.reason for r in parsed.refusals] == [reason]
    assert says in parsed.reason


@pytest.mark.parametrize(("body", "says"), [([], "must be an object"), ({"hello": "world"}, "neither action and data")])
def test_a_body_that_is_none_of_sentrys(body: Any, says: str) -> None:
    with pytest.raises(NotUnderstood, match=says):
        parse(body, "sentry")


def test_detection() -> None:
    for path in SAMPLES.glob("sentry/*.json"):
        found = detect(json.loads(path.read_text()), {})
        assert found is not None
        assert found.name == "sentry", path.stem
    assert detect({"action": "created", "data": {}}, {}) is None
    by_header = detect({"action": "created", "data": {}}, {"sentry-hook-resource": "comment"})
    assert by_header is not None
    assert by_header.name == "sentry"

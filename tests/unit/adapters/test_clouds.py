"""Azure, Google Cloud, Dynatrace, Elastic, CloudEvents and OpenTelemetry: what the corpus does not show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ingest.adapters.base import NotUnderstood, Outcome, Reason, Reply
from ingest.adapters.registry import ADAPTERS, detect
from kernel.config.schema import LogSeverity, SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity, Status
from kernel.model.change import ChangeOutcome
from tests.unit.adapters.helpers import ARRIVAL, message, only, parse, parse_sample, sample

AT = 1_772_438_400_000


@pytest.mark.parametrize(
    ("firing", "resolved"),
    [
        ("azure_monitor/fired", "azure_monitor/resolved"),
        ("gcp_monitoring/open", "gcp_monitoring/closed"),
        ("gcp_monitoring/pushed", "gcp_monitoring/closed"),
        ("dynatrace/open", "dynatrace/resolved"),
        ("elastic/active", "elastic/recovered"),
    ],
)
def test_firing_and_resolved_meet(firing: str, resolved: str) -> None:
    first, second = only(parse_sample(firing)), only(parse_sample(resolved))
    assert (first.status, second.status) == (Status.FIRING, Status.RESOLVED)
    assert first.fingerprint == second.fingerprint
    assert (first.service, first.severity) == ("checkout", Severity.CRITICAL if "gcp" in firing else Severity.HIGH)


# --- Azure Monitor


def test_azure_places_an_alert_and_says_its_condition() -> None:
    alert = only(parse_sample("azure_monitor/fired"))
    assert alert.summary == "Percentage CPU GreaterThan 90, is 97.5"
    assert (alert.labels["resource_group"], alert.labels["resource"]) == ("shop", "web-1")
    assert (alert.observed_at, alert.starts_at) == (AT, AT)
    assert only(parse_sample("azure_monitor/resolved")).observed_at == AT + 900_000


def test_azure_an_administrative_activity_is_a_change() -> None:
    (change,) = parse_sample("azure_monitor/activity").changes
    assert (change.what, change.name, change.who) == ("activity", "restart", "ann@example.org")
    assert (change.outcome, change.service) == (ChangeOutcome.FAILED, "web-1")


def test_azure_older_schemas() -> None:
    assert only(parse_sample("azure_monitor/metric")).severity is Severity.MEDIUM
    classic = only(parse_sample("azure_monitor/classic"))
    assert (classic.status, classic.ends_at, classic.service) == (Status.RESOLVED, AT, "checkout")


@pytest.mark.parametrize(("word", "reason"), [("Sulking", Reason.WRONG_TYPE), (None, Reason.MISSING_FIELD)])
def test_azure_an_unknown_state_is_refused(word: str | None, reason: Reason) -> None:
    body = sample("azure_monitor/fired")
    body["data"]["essentials"]["monitorCondition"] = word
    assert [r.reason for r in parse(body, "azure_monitor").refusals] == [reason]


@pytest.mark.parametrize(
    ("first", "second"), [("service_active", "service_resolved"), ("resource_down", "resource_up")]
)
def test_azure_healths_are_told_by_what_they_are_about(first: str, second: str) -> None:
    """Every update is Fired, with an id of its own."""
    bad, good = only(parse_sample(f"azure_monitor/{first}")), only(parse_sample(f"azure_monitor/{second}"))
    assert (bad.status, good.status) == (Status.FIRING, Status.RESOLVED)
    assert bad.fingerprint == good.fingerprint
    assert (bad.starts_at, good.ends_at, good.observed_at) == (AT, AT + 600_000, AT + 600_000)
    assert not {"communication", "impactedServices"} & set(bad.labels)


def test_azure_health_that_is_not_known_is_no_recovery() -> None:
    body = sample("azure_monitor/resource_up")
    body["data"]["alertContext"] = {"status": "Updated", "properties": {"currentHealthStatus": "Unknown"}}
    parsed = parse(body, "azure_monitor")
    assert (parsed.outcome, "stays open" in parsed.reason) == (Outcome.IGNORED, True)


def test_azure_schemas_that_are_not_read_are_named() -> None:
    with pytest.raises(NotUnderstood, match=r"Insights/LogAlert is not read; switch the common alert schema on"):
        parse({"schemaId": "Microsoft.Insights/LogAlert", "data": {}}, "azure_monitor")


# --- Google Cloud Monitoring


def test_google_times_and_a_push() -> None:
    closed = only(parse_sample("gcp_monitoring/closed"))
    assert (closed.starts_at, closed.ends_at, closed.observed_at) == (AT, AT + 600_000, AT + 600_000)
    pushed = sample("gcp_monitoring/pushed")
    assert detect(pushed, {}) is ADAPTERS["gcp_monitoring"]
    pushed["message"]["data"] = "!!!"
    with pytest.raises(NotUnderstood, match="incident is missing"):
        parse(pushed, "gcp_monitoring")


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"severity": "No severity", "policy_user_labels": {"severity": "low"}}, Severity.LOW),
        ({"severity": None, "metadata": {"system_labels": {"severity": "error"}}}, Severity.HIGH),
        ({"severity": "Warning"}, Severity.MEDIUM),
        ({"severity": "Loud"}, Severity.HIGH),
    ],
)
def test_google_severity(changes: dict[str, Any], severity: Severity) -> None:
    body = sample("gcp_monitoring/open")
    body["incident"] |= changes
    assert only(parse(body, "gcp_monitoring")).severity is severity


def test_google_a_state_in_between_is_refused() -> None:
    body = sample("gcp_monitoring/open")
    body["incident"]["state"] = "acknowledged"
    assert parse(body, "gcp_monitoring").refusals[0].reason is Reason.WRONG_TYPE


# --- Dynatrace


def test_dynatrace_variables_left_unfilled_are_absent() -> None:
    whole, unfilled = only(parse_sample("dynatrace/open")), only(parse_sample("dynatrace/unfilled"))
    # The problem's address holds the id that its own variable should have held.
    assert unfilled.fingerprint == whole.fingerprint
    assert (unfilled.severity, "env" in unfilled.labels) == (Severity.MEDIUM, False)
    assert (whole.labels["env"], whole.labels["beta"]) == ("production", "true")


def test_dynatrace_a_merged_problem_is_over_and_an_unknown_state_is_refused() -> None:
    body = sample("dynatrace/open")
    assert only(parse(body | {"State": "MERGED"}, "dynatrace")).status is Status.RESOLVED
    assert parse(body | {"State": "ASLEEP"}, "dynatrace").refusals[0].reason is Reason.WRONG_TYPE
    body |= {"PID": "", "ProblemURL": "", "ProblemID": ""}
    assert parse(body, "dynatrace").refusals[0].reason is Reason.MISSING_IDENTITY


def test_dynatrace_davis_events() -> None:
    alert = only(parse_sample("dynatrace/davis"))
    assert (alert.name, alert.severity, alert.observed_at) == ("Host unavailable", Severity.CRITICAL, AT + 10_000)
    closed = only(parse(sample("dynatrace/davis") | {"event.status": "CLOSED"}, "dynatrace"))
    assert (closed.status, closed.fingerprint) == (Status.RESOLVED, alert.fingerprint)
    assert parse_sample("dynatrace/davis_info").outcome is Outcome.IGNORED


def test_dynatrace_a_problem_is_one_whichever_way_it_comes() -> None:
    body = sample("dynatrace/davis_problem")
    assert detect(body, {}) is ADAPTERS["dynatrace"]
    alert = only(parse(body, "dynatrace"))
    assert (alert.service, alert.severity, alert.starts_at) == ("checkout", Severity.HIGH, AT)
    assert (alert.labels["display_id"], alert.labels["env"], alert.labels["beta"]) == ("P-7", "production", "true")
    notified = sample("dynatrace/resolved") | {"PID": body["event.id"]}
    assert only(parse(notified, "dynatrace")).fingerprint == alert.fingerprint


# --- Elastic


def test_elastic_instances_of_a_rule_are_alerts_of_their_own() -> None:
    body = sample("elastic/active")
    first = only(parse(body, "elastic"))
    assert (first.service, first.labels["beta"], first.summary) == ("checkout", "true", "15 % of requests fail")
    assert only(parse(body | {"alertId": "web-2"}, "elastic")).fingerprint != first.fingerprint
    assert parse(body | {"status": "dozing"}, "elastic").refusals[0].reason is Reason.WRONG_TYPE
    assert parse(body | {"tags": 3}, "elastic").refusals[0].reason is Reason.WRONG_TYPE


def test_elastic_documents_are_read_flat_and_nested() -> None:
    flat = only(parse_sample("elastic/document"))
    assert (flat.severity, flat.labels["host"], flat.observed_at) == (Severity.CRITICAL, "web-1", AT)
    nested = sample("elastic/document") | {"kibana": {"alert": {"status": "recovered"}}}
    del nested["kibana.alert.status"]
    assert only(parse(nested, "elastic")).status is Status.RESOLVED


def test_elastic_an_execution_is_no_identity() -> None:
    body = sample("elastic/watch")
    first = only(parse(body, "elastic"))
    over = only(parse(body | {"entity_id": "another", "message_type": "RECOVERY"}, "elastic"))
    assert (over.status, over.fingerprint) == (Status.RESOLVED, first.fingerprint)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"actionGroup": "query matched"}, Status.FIRING),
        ({"actionGroup": "recovered"}, Status.RESOLVED),
        ({"actionGroup": "", "eventType": "alert_recovered"}, Status.RESOLVED),
    ],
)
def test_elastic_an_action_group_stands_for_the_state(body: dict[str, Any], status: Status) -> None:
    whole = sample("elastic/action_group") | body
    assert detect(whole, {}) is ADAPTERS["elastic"]
    assert only(parse(whole, "elastic")).status is status


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("elastic/active", {"status": "untracked"}),
        ("elastic/document", {"kibana.alert.status": "untracked"}),
        ("elastic/watch", {"message_type": "INFO"}),
        ("elastic/watch", {"message_type": "ACKNOWLEDGEMENT"}),
    ],
)
def test_elastic_neither_active_nor_recovered(name: str, changes: dict[str, str]) -> None:
    parsed = parse(sample(name) | changes, "elastic")
    assert (parsed.outcome, "stays open" in parsed.reason) == (Outcome.IGNORED, True)


def test_elastic_the_whole_context_of_a_watch() -> None:
    body = sample("elastic/watch_context")
    assert detect(body, {}) is ADAPTERS["elastic"]
    alert = only(parse(body, "elastic"))
    assert (alert.name, alert.severity, alert.service, alert.observed_at) == (
        "orders",
        Severity.CRITICAL,
        "orders",
        AT,
    )
    again = body | {"id": "orders_9a2-2026-03-02T08:01:00Z", "execution_time": "2026-03-02T08:01:00.000Z"}
    assert only(parse(again, "elastic")).fingerprint == alert.fingerprint


# --- CloudEvents


def test_cloudevents_in_every_mode() -> None:
    structured = only(parse_sample("cloudevents/firing"))
    assert (structured.service, structured.severity, structured.observed_at) == ("checkout", Severity.HIGH, AT)
    event = sample("cloudevents/firing")
    headers = {f"ce-{name}": event[name] for name in ("specversion", "type", "source", "id", "subject", "time")}
    binary = msgspec.structs.replace(message(event["data"], "cloudevents"), headers=headers)
    assert only(ADAPTERS["cloudevents"].parse(binary)).fingerprint == structured.fingerprint
    assert set(headers) <= set(ADAPTERS["cloudevents"].headers)
    assert detect(event["data"], headers) is ADAPTERS["cloudevents"]
    batch = parse_sample("cloudevents/batch")
    assert [alert.status for alert in batch.alerts] == [Status.FIRING, Status.RESOLVED]
    assert batch.alerts[1].name == "Slow"


def test_cloudevents_of_stormfold_itself_are_no_alerts() -> None:
    parsed = parse_sample("cloudevents/own")
    assert (parsed.outcome, "itself" in parsed.reason) == (Outcome.IGNORED, True)


def test_cloudevents_without_a_state_are_not_guessed_at() -> None:
    assert parse_sample("cloudevents/silent").refusals[0].reason is Reason.MISSING_FIELD
    assert parse({"specversion": "1.0", "id": "1"}, "cloudevents").refusals[0].reason is Reason.MISSING_FIELD


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        # Other people's events use the same words of other things.
        ("com.example.issue.closed", {}, None),
        ("com.example.user.created", {"state": "active"}, None),
        ("com.example.build.failed", {}, None),
        ("com.example.issue.closed", {"severity": "low"}, Status.RESOLVED),
        ("com.example.host.down", {"fingerprint": "web-1"}, Status.FIRING),
        ("com.example.alert.open", {}, Status.FIRING),
        ("com.example.check", {"status": "firing"}, Status.FIRING),
        ("com.example.check.recovered", {}, Status.RESOLVED),
    ],
)
def test_cloudevents_what_makes_an_alert(kind: str, data: dict[str, str], status: Status | None) -> None:
    event = sample("cloudevents/firing") | {"type": kind, "data": data}
    parsed = parse(event, "cloudevents")
    assert [alert.status for alert in parsed.alerts] == ([status] if status else [])
    assert [refusal.reason for refusal in parsed.refusals] == ([] if status else [Reason.MISSING_FIELD])


def test_cloudevents_neither_firing_nor_resolved_or_stormfolds_own_key() -> None:
    parsed = parse_sample("cloudevents/acknowledged")
    assert (parsed.outcome, "stays open" in parsed.reason) == (Outcome.IGNORED, True)
    event = sample("cloudevents/firing")
    event["data"]["dedup_key"] = "s07-abcdefghijklmnop#abcdefgh"
    parsed = parse(event, "cloudevents")
    assert (parsed.outcome, parsed.reason) == (Outcome.IGNORED, "the key is stormfold's own")


def test_cloudevents_without_a_subject_are_told_by_name_or_type() -> None:
    def seen(kind: str, **data: str) -> str:
        event = {"specversion": "1.0", "source": "/shop/eu", "id": "1", "type": kind, "data": data}
        return only(parse(event, "cloudevents")).fingerprint

    assert seen("com.example.alert.firing") == seen("com.example.alert.resolved")
    assert seen("com.example.alert.firing") != seen("com.example.alarm.firing")
    assert seen("com.example.alert.firing", name="a") != seen("com.example.alert.firing", name="b")


def test_cloudevents_headers_are_percent_encoded() -> None:
    event = sample("cloudevents/firing") | {"subject": "Köln/checkout"}
    headers = {f"ce-{name}": event[name] for name in ("specversion", "type", "source", "id")}
    headers["ce-subject"] = "K%C3%B6ln/checkout"
    binary = msgspec.structs.replace(message(event["data"], "cloudevents"), headers=headers)
    structured = only(parse(event, "cloudevents"))
    assert only(ADAPTERS["cloudevents"].parse(binary)).fingerprint == structured.fingerprint


# --- OpenTelemetry


def test_otlp_records_at_or_above_the_threshold_fire() -> None:
    parsed = parse_sample("opentelemetry/errors")
    error, fatal = parsed.alerts
    assert "1 records below error" in parsed.reason
    assert (error.severity, fatal.severity) == (Severity.HIGH, Severity.CRITICAL)
    assert (fatal.name, fatal.labels["order"], error.service) == ("shop.payment.lost", "7", "checkout")
    assert (error.observed_at, error.valid_for) == (AT, None)


def test_otlp_what_changes_with_every_record_is_no_identity() -> None:
    body = sample("opentelemetry/errors")
    records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    other = {**records[0], "body": {"stringValue": "request 12 failed after 907 ms"}, "traceId": "5b8e"}
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"] = [records[0], other]
    first, second = parse(body, "opentelemetry").alerts
    assert first.fingerprint == second.fingerprint
    exception = only(parse_sample("opentelemetry/exception"))
    assert (exception.name, exception.summary, exception.description) == ("TimeoutError", "no answer", "at main")


@pytest.mark.parametrize(
    ("record", "taken"),
    [
        ({"severityNumber": "17"}, True),
        ({"severityNumber": "SEVERITY_NUMBER_ERROR2"}, True),
        ({"severityNumber": None, "severityText": "Critical"}, True),
        ({"severityNumber": 0, "severityText": ""}, False),
        ({"severityNumber": 99, "severityText": ""}, False),
        ({"severityNumber": "seventeen", "severityText": ""}, False),
    ],
)
def test_otlp_severities_as_they_are_written(record: dict[str, Any], taken: bool) -> None:
    body = sample("opentelemetry/below")
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0] |= record
    assert bool(parse(body, "opentelemetry").alerts) is taken


def test_otlp_the_threshold_and_the_repeat_interval_are_the_sources() -> None:
    config = SourceConfig(min_severity=LogSeverity.INFO, repeat_interval=Duration(60_000))
    alert = only(parse_sample("opentelemetry/below", config=config))
    assert (alert.severity, alert.valid_for) == (Severity.INFO, 720_000)
    assert alert.received_at == ARRIVAL


@pytest.mark.parametrize("name", ["service.name", "service.namespace"])
def test_otlp_stormfolds_own_logs_do_not_feed_themselves(name: str) -> None:
    """Nor as dead letters, whose log line would be the next one."""
    body = sample("opentelemetry/exception")
    body["resourceLogs"][0]["resource"]["attributes"][0] = {"key": name, "value": {"stringValue": "stormfold"}}
    parsed = parse(body, "opentelemetry")
    assert (parsed.outcome, parsed.total, "own logs" in parsed.reason) == (Outcome.IGNORED, 0, True)


def test_otlp_records_without_a_severity_are_counted_apart() -> None:
    body = sample("opentelemetry/below")
    records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    records.append({"body": {"stringValue": "no idea"}})
    assert parse(body, "opentelemetry").reason == "1 records below error; 1 records without a severity"


def test_otlp_an_unreadable_time_gives_way_to_the_other() -> None:
    body = sample("opentelemetry/exception")
    record = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    record |= {"timeUnixNano": "then", "observedTimeUnixNano": str(AT * 1_000_000)}
    alert = only(parse(body, "opentelemetry"))
    assert (alert.observed_at, alert.starts_at) == (AT, AT)
    assert not {"exception.stacktrace", "exception.message"} & set(alert.labels)


def test_otlp_senders_hear_what_the_protocol_asks_for() -> None:
    assert ADAPTERS["opentelemetry"].accepted == Reply(200, b"{}")

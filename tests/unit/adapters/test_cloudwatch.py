"""CloudWatch, whichever way an alarm comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.adapters.base import Outcome, Reason
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, only, parse, parse_sample, sample

LATER = ARRIVAL + 86_400_000
ARN = "arn:aws:cloudwatch:eu-central-1:210987654321:alarm:orders-db-connections"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("sns_alarm", Status.FIRING),
        ("sns_ok", Status.RESOLVED),
        ("sns_alarm_old_form", Status.FIRING),
        ("eventbridge_alarm", Status.FIRING),
        ("lambda_action", Status.RESOLVED),
    ],
)
def test_one_alarm_is_one_alert_whichever_way_it_comes(name: str, status: Status) -> None:
    alert = only(parse_sample(f"cloudwatch/{name}", arrival=LATER))
    assert alert.fingerprint == fingerprint("default", "cloudwatch", {"arn": ARN})
    assert (alert.name, alert.status, alert.valid_for) == ("orders-db-connections", status, None)


def test_facts_of_an_alarm() -> None:
    alert = only(parse_sample("cloudwatch/sns_alarm", arrival=LATER))
    assert (alert.severity, alert.service) == (Severity.HIGH, "orders")
    assert alert.observed_at == alert.starts_at == 1_772_452_801_250
    assert alert.labels["DBInstanceIdentifier"] == "orders-db"
    assert (alert.labels["metric"], alert.labels["namespace"]) == ("DatabaseConnections", "AWS/RDS")
    assert alert.labels["region"] == "eu-central-1"
    recovered = only(parse_sample("cloudwatch/sns_ok", arrival=LATER))
    assert (recovered.starts_at, recovered.ends_at) == (None, 1_772_452_801_250)
    machine = only(parse_sample("cloudwatch/eventbridge_alarm", arrival=LATER))
    assert machine.labels["instance"] == "i-0abc"


def test_a_bare_message_is_told_by_account_region_and_name() -> None:
    alert = only(parse_sample("cloudwatch/bare", arrival=LATER))
    identity = {"account": "210987654321", "region": "EU (Frankfurt)", "name": "orders-db-connections"}
    assert alert.fingerprint == fingerprint("default", "cloudwatch", identity)


def test_handshakes_do_not_show_the_token() -> None:
    parsed = parse_sample("cloudwatch/sns_subscription")
    assert (parsed.outcome, parsed.total) == (Outcome.HANDSHAKE, 0)
    assert "SubscribeURL" in parsed.reason
    assert "00aa" not in parsed.reason


def test_insufficient_data_is_ignored() -> None:
    parsed = parse_sample("cloudwatch/sns_insufficient_data")
    assert (parsed.outcome, parsed.total) == (Outcome.IGNORED, 0)
    assert "INSUFFICIENT_DATA" in parsed.reason


def test_records_of_a_lambda_are_judged_one_by_one() -> None:
    parsed = parse_sample("cloudwatch/lambda_two_records", arrival=LATER)
    assert (parsed.outcome, [a.origin.item for a in parsed.alerts]) == (Outcome.ALERTS, [0])
    assert [(r.index, r.reason) for r in parsed.refusals] == [(1, Reason.NOT_DETECTED)]


@pytest.mark.parametrize("name", ["sns_text", "eventbridge_other"])
def test_what_is_no_alarm_is_quarantined_with_a_way_out(name: str) -> None:
    parsed = parse_sample(f"cloudwatch/{name}")
    assert (parsed.outcome, [r.reason for r in parsed.refusals]) == (Outcome.QUARANTINED, [Reason.NOT_DETECTED])
    assert "docs/mappings.md" in parsed.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"NewStateValue": None}, Reason.MISSING_FIELD),
        ({"NewStateValue": "ON FIRE"}, Reason.WRONG_TYPE),
        ({"NewStateValue": 1}, Reason.WRONG_TYPE),
        ({"AlarmName": "", "AlarmArn": None}, Reason.MISSING_IDENTITY),
        ({"StateChangeTime": []}, Reason.WRONG_TYPE),
        ({"Trigger": []}, None),
        ({"Trigger": 4}, Reason.WRONG_TYPE),
        ({"Trigger": {"Dimensions": {"a": "b"}}}, Reason.WRONG_TYPE),
        ({"Trigger": {"Dimensions": [4]}}, Reason.WRONG_TYPE),
        ({"AWSAccountId": 210987654321}, None),
    ],
)
def test_bad_alarms(change: dict[str, Any], reason: Reason | None) -> None:
    body = sample("cloudwatch/sns_alarm")
    body["Message"] = json.dumps({**json.loads(body["Message"]), **change})
    assert [r.reason for r in parse(body, "cloudwatch").refusals] == ([reason] if reason else [])


def test_a_message_that_is_an_object_instead_of_text() -> None:
    body = sample("cloudwatch/sns_alarm")
    text = only(parse(body, "cloudwatch"))
    body["Message"] = json.loads(body["Message"])
    assert only(parse(body, "cloudwatch")) == text

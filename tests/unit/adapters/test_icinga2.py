"""Icinga 2: four forms of one check, numbers of states, and what says nothing of a state."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import Outcome, Reason
from ingest.adapters.registry import ADAPTERS, detect
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import only, parse, parse_sample, sample

LOAD = fingerprint("default", "icinga2", {"host": "shop-web-2", "service": "load"})


def _sample(name: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = sample(f"icinga2/{name}")
    return body | changes


def test_a_service_by_the_macros_of_a_notification_command() -> None:
    problem, recovery = (only(parse_sample(f"icinga2/service_{name}")) for name in ("problem", "recovery"))
    assert problem.fingerprint == recovery.fingerprint
    assert (problem.status, problem.severity, problem.name) == (Status.FIRING, Severity.HIGH, "replication")
    assert (problem.starts_at, problem.observed_at) == (1_772_438_400_250, 1_772_438_700_000)
    assert (recovery.status, recovery.ends_at) == (Status.RESOLVED, 1_772_439_000_000)


def test_a_macro_of_icinga_that_was_not_filled_in_is_absent() -> None:
    body = _sample("service_problem", ICINGA_SERVICE_NAME="$service.name$", ICINGA_HOST_STATE="DOWN")
    assert only(parse(body, "icinga2")).fingerprint == fingerprint("default", "icinga2", {"host": "shop-db-1"})


@pytest.mark.parametrize("name", ["check_result", "notification", "process_event", "send_notification"])
def test_one_check_is_one_alert_whichever_way_it_comes(name: str) -> None:
    alert = only(parse_sample(f"icinga2/{name}"))
    assert (alert.fingerprint, alert.name, alert.labels["check"]) == (LOAD, "load", "load")
    assert alert.service is None
    assert alert.status is (Status.RESOLVED if name in ("notification", "send_notification") else Status.FIRING)


@pytest.mark.parametrize(
    ("kind", "state", "status"),
    [
        ("StateChange", 0.0, Status.RESOLVED),
        ("StateChange", 1.0, Status.FIRING),
        ("CheckResult", 0.0, Status.RESOLVED),
        ("CheckResult", 1.0, Status.RESOLVED),
        ("CheckResult", 2.0, Status.FIRING),
        ("CheckResult", 3.0, Status.FIRING),
    ],
)
def test_a_host_has_a_state_of_its_own_but_its_check_has_a_plugins(kind: str, state: float, status: Status) -> None:
    after = {"state": state, "state_type": 1.0}
    body = _sample("state_change_host", type=kind, state=state, check_result={"vars_after": after, "state": state})
    alert = only(parse(body, "icinga2"))
    assert (alert.status, alert.name) == (status, "Host shop-web-2")
    assert alert.fingerprint == fingerprint("default", "icinga2", {"host": "shop-web-2"})


def test_only_what_changed_has_a_beginning() -> None:
    body = _sample("check_result")
    assert only(parse(body, "icinga2")).starts_at is None
    body["check_result"]["vars_before"]["state_type"] = 0.0
    changed = only(parse(body, "icinga2"))
    assert changed.starts_at == changed.observed_at == 1_772_438_700_500


def test_a_soft_state_is_not_told() -> None:
    parsed = parse(_sample("state_change_host", state_type=0.0), "icinga2")
    assert (parsed.outcome, parsed.total) == (Outcome.IGNORED, 0)
    assert "SOFT" in parsed.reason


def test_a_downtime_is_a_label_and_no_recovery() -> None:
    assert "in_downtime" not in only(parse_sample("icinga2/state_change_host")).labels
    alert = only(parse(_sample("state_change_host", downtime_depth=1.0), "icinga2"))
    assert (alert.status, alert.labels["in_downtime"]) == (Status.FIRING, "true")


@pytest.mark.parametrize(
    "body",
    [
        _sample("acknowledged"),
        {"type": "DowntimeAdded", "timestamp": 1_772_438_700.5, "downtime": {"host_name": "a"}},
        _sample("process_event", type="acknowledgement-set"),
        _sample("notification", notification_type="DOWNTIMESTART"),
        {"jsonrpc": "2.0", "method": "GetInfo", "id": 2},
    ],
    ids=["acknowledgement", "downtime", "event that is no state", "notification of a downtime", "another call"],
)
def test_what_says_nothing_of_a_state_is_ignored(body: dict[str, Any]) -> None:
    parsed = parse(body, "icinga2")
    assert (parsed.outcome, parsed.total) == (Outcome.IGNORED, 0)
    assert parsed.reason
    assert detect(body, {}) is ADAPTERS["icinga2"]


@pytest.mark.parametrize(
    "body",
    [
        {"jsonrpc": "2.0", "method": "host.get", "params": {}, "id": 1},
        {"name": "x", "tags": {"team": "a"}, "severity": "warning", "message": "m", "url": "https://example.org"},
        {"type": "Notification", "timestamp": 1_772_438_700.5, "text": "x"},
        {"type": "ObjectCreated", "timestamp": 1_772_438_700, "key": "b"},
    ],
    ids=["another call", "tags without a host", "a notification of nothing", "another store's object"],
)
def test_bodies_of_others_are_not_taken_for_icingas(body: dict[str, Any]) -> None:
    assert not ADAPTERS["icinga2"].recognises(body, {})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (_sample("state_change_host", host=""), Reason.MISSING_IDENTITY),
        (_sample("state_change_host", state=None), Reason.MISSING_FIELD),
        (_sample("state_change_host", state=4), Reason.WRONG_TYPE),
        (_sample("state_change_host", state=True), Reason.WRONG_TYPE),
        (_sample("process_event", tags={}), Reason.MISSING_IDENTITY),
        (_sample("process_event", severity=None), Reason.MISSING_FIELD),
        ({"hello": "world"}, Reason.MISSING_IDENTITY),
    ],
    ids=["no host", "no state", "a fifth state", "true", "no tags", "no severity", "nothing"],
)
def test_what_is_refused(body: dict[str, Any], reason: Reason) -> None:
    assert [refusal.reason for refusal in parse(body, "icinga2").refusals] == [reason]


def test_an_environment_tells_two_icingas_apart_and_variables_are_labels() -> None:
    body = _sample("process_event")
    alert = only(parse(body, "icinga2"))
    assert (alert.labels["os"], alert.labels["team"], alert.labels["hostgroup"]) == ("linux", "storefront", "web,linux")
    assert "rack" not in alert.labels
    body["tags"]["environment"] = "0843"
    assert only(parse(body, "icinga2")).fingerprint != alert.fingerprint


def test_a_problem_stands_as_long_as_the_source_says() -> None:
    config = SourceConfig(repeat_interval=Duration(1_800_000))
    for name in ("service_problem", "state_change_host", "process_event"):
        assert only(parse_sample(f"icinga2/{name}")).valid_for is None
        assert only(parse_sample(f"icinga2/{name}", config=config)).valid_for == 4_200_000

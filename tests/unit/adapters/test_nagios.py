"""Nagios: macros under any of their names, soft states, and notifications that say neither firing nor resolved."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Reason
from ingest.adapters.registry import ADAPTERS, detect
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, only, parse, parse_sample, sample


def _host(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = sample("nagios/host_down")
    return body | changes


def test_a_service_by_the_macros_of_the_environment() -> None:
    problem, recovery = (only(parse_sample(f"nagios/service_{name}")) for name in ("problem", "recovery"))
    told = {"host": "shop-db-1", "service": "Disk /var"}
    assert problem.fingerprint == recovery.fingerprint == fingerprint("default", "nagios", told)
    assert (problem.status, problem.severity) == (Status.FIRING, Severity.MEDIUM)
    assert (problem.starts_at, problem.observed_at) == (1_772_438_400_000, 1_772_438_700_000)
    assert (recovery.status, recovery.ends_at) == (Status.RESOLVED, 1_772_439_000_000)
    assert recovery.observed_at > problem.observed_at
    assert problem.service is None
    assert problem.labels["check"] == "Disk /var"
    assert [link.href for link in problem.links] == ["https://wiki.example.org/disk"]


def test_a_macro_that_was_not_filled_in_is_absent() -> None:
    host = only(parse_sample("nagios/host_down"))
    assert host.fingerprint == fingerprint("default", "nagios", {"host": "shop-web-2"})
    assert (host.name, host.severity) == ("Host shop-web-2", Severity.CRITICAL)
    refused = parse(_host(host_name="$HOSTNAME$"), "nagios").refusals[0]
    assert refused.reason is Reason.MISSING_IDENTITY


@pytest.mark.parametrize(
    "kind",
    ["ACKNOWLEDGEMENT", "ACKNOWLEDGEMENT (jo)", "FLAPPINGSTART", "FLAPPINGSTOP", "DOWNTIMESTART", "CUSTOM"],
)  # fmt: skip
def test_notifications_about_notifications_are_ignored(kind: str) -> None:
    parsed = parse(_host(notification_type=kind), "nagios")
    assert parsed.outcome is Outcome.IGNORED
    assert "what is open stays open" in parsed.reason


def test_a_soft_state_is_no_problem_yet_and_a_soft_recovery_is_one() -> None:
    soft = parse(_host(state_type="SOFT"), "nagios")
    assert (soft.outcome, soft.total) == (Outcome.IGNORED, 0)
    assert "SOFT" in soft.reason
    recovered = _host(state_type="SOFT", state="UP", notification_type="RECOVERY")
    assert only(parse(recovered, "nagios")).status is Status.RESOLVED


@pytest.mark.parametrize(
    ("state", "status"), [("DOWN", Status.FIRING), ("UNREACHABLE", Status.FIRING), ("UP", Status.RESOLVED)]
)
def test_without_a_type_the_state_decides(state: str, status: Status) -> None:
    assert only(parse(_host(notification_type="", state=state), "nagios")).status is status


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"notification_type": "RECOVERY"}, Reason.WRONG_TYPE),
        ({"state": "UP"}, Reason.WRONG_TYPE),
        ({"notification_type": "SHOUT"}, Reason.WRONG_TYPE),
        ({"notification_type": "", "state": "ODD"}, Reason.WRONG_TYPE),
        ({"notification_type": "", "state": ""}, Reason.MISSING_FIELD),
        ({"timestamp": True}, None),
    ],
    ids=["recovery of what is down", "problem of what is up", "no type", "no state's word", "nothing", "time"],
)  # fmt: skip
def test_what_is_refused(changes: dict[str, Any], reason: Reason | None) -> None:
    parsed = parse(_host(**changes), "nagios")
    assert [refusal.reason for refusal in parsed.refusals] == ([reason] if reason else [])


def test_an_unknown_state_of_a_problem_is_high_and_a_missing_one_medium() -> None:
    odd, none = parse(_host(state="MELTING"), "nagios"), parse(_host(state=""), "nagios")
    assert (only(odd).severity, odd.defaults) == (Severity.HIGH, {Default.SEVERITY_UNKNOWN: 1})
    assert (only(none).severity, none.defaults) == (Severity.MEDIUM, {Default.SEVERITY_MISSING: 1})


def test_times_that_say_nothing() -> None:
    never = parse(sample("nagios/service_problem") | {"NAGIOS_LASTSERVICESTATECHANGE": "0"}, "nagios")
    assert (only(never).starts_at, never.defaults) == (None, {})
    assert only(parse(_host(timestamp="Tue Mar 3 09:00"), "nagios")).observed_at == ARRIVAL


def test_a_problem_stands_as_long_as_the_source_says() -> None:
    assert only(parse_sample("nagios/host_down")).valid_for is None
    config = SourceConfig(repeat_interval=Duration(1_800_000))
    assert only(parse_sample("nagios/host_down", config=config)).valid_for == 4_200_000


def test_what_is_detected() -> None:
    assert detect(sample("nagios/service_problem"), {}) is ADAPTERS["nagios"]
    assert detect(_host(), {}) is ADAPTERS["nagios"]
    with pytest.raises(NotUnderstood, match="body must be an object"):
        parse([], "nagios")

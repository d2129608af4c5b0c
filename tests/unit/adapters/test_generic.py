"""Generic JSON and stormfold's own commands."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import Default, NotUnderstood, Outcome, Reason
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration
from kernel.model.alert import Kind, Link, Severity, Status
from kernel.model.change import ChangeOutcome
from kernel.model.naming import fingerprint
from kernel.model.signals import CommandBody, Verb
from tests.unit.adapters.helpers import ARRIVAL, only, parse, parse_sample, sample


def test_a_problem_and_its_resolve() -> None:
    problem, resolved = only(parse_sample("generic/problem")), only(parse_sample("generic/resolved"))
    assert problem.fingerprint == fingerprint("default", "generic", {"id": "backup-orders"}) == resolved.fingerprint
    assert (problem.status, problem.severity, problem.kind) == (Status.FIRING, Severity.HIGH, Kind.PROBLEM)
    assert (problem.service, problem.starts_at, problem.observed_at) == ("orders", 1_772_417_400_000, ARRIVAL)
    assert problem.links == (
        Link("link", "https://backups.shop.example/orders"),
        Link("runbook", "https://runbooks.shop.example/backup"),
    )
    assert (resolved.starts_at, resolved.ends_at) == (1_772_417_400_000, 1_772_421_000_000)


def test_reports() -> None:
    parsed = parse_sample("generic/reports")
    assert parsed.outcome is Outcome.REPORT
    assert [a.kind for a in parsed.alerts] == [Kind.REPORT, Kind.REPORT]
    assert parsed.alerts[0].fingerprint == fingerprint("default", "generic", {"id": "8812"})
    mixed = parse([*sample("generic/reports"), {"name": "x"}], "generic")
    assert mixed.outcome is Outcome.ALERTS


def test_without_an_id_name_service_and_labels_identify() -> None:
    bodies = [
        {"name": "a"},
        {"name": "a", "service": "s"},
        {"name": "a", "labels": {"service": "s"}},
        {"name": "a", "labels": {"x": "1"}},
        {"name": "a", "labels": {"x": "2"}},
        {"id": "a", "name": "b"},
    ]
    assert len({a.fingerprint for a in parse(bodies, "generic").alerts}) == len(bodies)
    changed = {"name": "a", "status": "resolved", "severity": "low", "summary": "s", "starts_at": 1_772_417_400}
    assert only(parse(changed, "generic")).fingerprint == only(parse({"name": "a"}, "generic")).fingerprint


def test_defaults_are_counted_and_unknown_fields_named() -> None:
    parsed = parse({"name": "a", "severty": "high"}, "generic")
    alert = only(parsed)
    assert (alert.status, alert.severity) == (Status.FIRING, Severity.MEDIUM)
    assert parsed.defaults == {Default.SEVERITY_MISSING: 1}
    assert "severty" in parsed.reason
    unknown = parse({"name": "a", "severity": "gruesome"}, "generic")
    assert only(unknown).severity is Severity.HIGH
    assert unknown.defaults == {Default.SEVERITY_UNKNOWN: 1}


def test_a_refused_alert_takes_no_defaults() -> None:
    parsed = parse([{"name": "a", "id": "1", "starts_at": "soon", "links": 3}], "generic")
    assert (len(parsed.refusals), parsed.defaults) == (1, {})


def test_repeat_interval() -> None:
    config = SourceConfig(repeat_interval=Duration(60_000))
    assert only(parse({"name": "a"}, "generic", config=config)).valid_for == 720_000


@pytest.mark.parametrize(
    ("entry", "reason", "says"),
    [
        ({}, Reason.MISSING_FIELD, "name is missing"),
        ({"name": 3}, Reason.WRONG_TYPE, "name must be text, got a number"),
        ({"name": "a", "status": "ok"}, Reason.WRONG_TYPE, "status must be firing or resolved, got 'ok'"),
        ({"name": "a", "kind": "party"}, Reason.WRONG_TYPE, "kind must be problem or change or report or heartbeat"),
        ({"name": "a", "severity": 1}, Reason.WRONG_TYPE, "severity must be text"),
        ({"name": "a", "labels": {"n": 1}}, Reason.WRONG_TYPE, "labels.n must be text, got a number"),
        ({"name": "a", "labels": []}, Reason.WRONG_TYPE, "labels must be an object"),
        ({"name": "a", "id": 1.5}, Reason.WRONG_TYPE, "id must be text or a whole number"),
        ({"name": "a", "id": 10**300}, Reason.WRONG_TYPE, "digits"),
        ({"name": "a", "starts_at": True}, Reason.WRONG_TYPE, "starts_at must be a time"),
        ({"name": "a", "links": {}}, None, ""),
        ({"name": "a", "links": "https://x.example"}, Reason.WRONG_TYPE, "links must be a list"),
        ({"name": "a", "links": [4]}, Reason.WRONG_TYPE, "links must be an object"),
        (None, Reason.WRONG_TYPE, "an alert must be an object, got null"),
    ],
)
def test_types_are_strict(entry: Any, reason: Reason | None, says: str) -> None:
    parsed = parse([entry, {"name": "good"}], "generic")
    assert parsed.alerts[-1].name == "good"
    assert [r.reason for r in parsed.refusals] == ([reason] if reason else [])
    assert says in parsed.reason


@pytest.mark.parametrize("body", [b"7", b"null", b'"x"', b"{", b"\xff\xfe"])
def test_bodies_that_are_no_object(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        parse(body, "generic")


def test_an_empty_list_is_ignored() -> None:
    assert parse([], "generic").outcome is Outcome.IGNORED


def test_a_command() -> None:
    parsed = parse_sample("commands/acknowledge")
    assert (parsed.outcome, parsed.alerts) == (Outcome.COMMANDS, [])
    assert parsed.commands == [CommandBody("0190", Verb.ACKNOWLEDGE, "s03-abcdefghijklmnop", "mira", "on it")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"verb": "explode"}, "verb"),
        ({"incident": ""}, "command must name an incident"),
        ({"by": "x" * 201}, "command.by must have"),
        ({"note": 4}, "note"),
        ({"sudo": True}, "sudo"),
    ],
)
def test_commands_are_strict(change: dict[str, Any], says: str) -> None:
    body = {"command": {**sample("commands/acknowledge")["command"], **change}}
    with pytest.raises(NotUnderstood, match=says):
        parse(body, "commands")


def test_a_change() -> None:
    parsed = parse_sample("generic/change")
    (change,) = parsed.changes
    assert (parsed.outcome, change.what, change.outcome) == (Outcome.CHANGES, "deployment", ChangeOutcome.FAILED)
    assert (change.where, change.who, change.revision) == ("production", "ann", "c0ffee")
    assert change.when == 1_772_438_400_000
    again = parse(sample("generic/change") | {"outcome": "started"}, "generic")
    assert again.changes[0].fingerprint == change.fingerprint
    other = parse(sample("generic/change") | {"revision": "f00"}, "generic")
    assert other.changes[0].fingerprint != change.fingerprint
    wrong = parse(sample("generic/change") | {"outcome": "exploded"}, "generic")
    assert wrong.refusals[0].reason is Reason.WRONG_TYPE


def test_a_heartbeat() -> None:
    parsed = parse_sample("generic/heartbeat")
    assert (parsed.outcome, parsed.heartbeats, parsed.alerts) == (Outcome.HEARTBEAT, ["nightly backup"], [])

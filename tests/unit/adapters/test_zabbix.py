"""Zabbix: macros under any name, its default texts, updates, and what identifies a problem."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.base import Default, Outcome, Reason
from ingest.adapters.registry import ADAPTERS, detect
from kernel.config.schema import SourceConfig
from kernel.model.alert import Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, only, parse, parse_sample, sample


def _sample(name: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = sample(f"zabbix/{name}")
    return body | changes


def test_a_problem_and_its_recovery_by_the_documented_media_type() -> None:
    problem, recovery = (only(parse_sample(f"zabbix/{name}")) for name in ("problem", "recovery"))
    assert problem.fingerprint == recovery.fingerprint == fingerprint("default", "zabbix", {"event": "8801"})
    assert (problem.status, problem.severity, problem.service) == (Status.FIRING, Severity.CRITICAL, "checkout")
    assert problem.starts_at == problem.observed_at == 1_772_438_400_000
    assert (recovery.status, recovery.starts_at, recovery.ends_at) == (
        Status.RESOLVED,
        1_772_438_400_000,
        1_772_439_000_000,
    )
    assert recovery.observed_at == recovery.ends_at
    assert (problem.labels["scope"], problem.labels["trigger_id"]) == ("performance", "512")
    assert problem.summary == "load 9.1"
    assert problem.valid_for is None


def test_a_recovery_without_its_time_is_of_its_arrival() -> None:
    body = _sample("recovery", event_recovery_timestamp="{EVENT.RECOVERY.TIMESTAMP}")
    parsed = parse(body, "zabbix")
    assert (only(parsed).observed_at, only(parsed).ends_at, parsed.defaults) == (ARRIVAL, None, {})


def test_a_macro_by_any_of_its_names() -> None:
    body = {"eventId": 8801, "EVENT.VALUE": "1", "EVENT.NAME": "x", "eventSeverity": "High", "HostName": "h"}
    alert = only(parse(body, "zabbix"))
    assert alert.fingerprint == only(parse_sample("zabbix/problem")).fingerprint
    assert (alert.name, alert.severity, alert.labels["host"]) == ("x", Severity.HIGH, "h")


def test_default_texts_in_plain_and_in_markup() -> None:
    problem, resolved = (only(parse_sample(f"zabbix/default_{name}")) for name in ("problem", "resolved"))
    assert problem.fingerprint == resolved.fingerprint == fingerprint("default", "zabbix", {"event": "8803"})
    assert (problem.status, resolved.status) == (Status.FIRING, Status.RESOLVED)
    assert (problem.name, problem.severity, problem.labels["host"]) == ("Disk is full", Severity.HIGH, "shop-db-1")
    assert problem.observed_at == ARRIVAL


@pytest.mark.parametrize("name", ["update_acknowledged", "default_update"])
def test_an_update_says_neither(name: str) -> None:
    parsed = parse_sample(f"zabbix/{name}")
    assert (parsed.outcome, parsed.total) == (Outcome.IGNORED, 0)
    assert "what is open stays open" in parsed.reason


def test_an_update_of_the_severity_fires_with_it_unless_the_problem_is_over() -> None:
    changed = {
        "event_update_action": "changed severity from Disaster to Average",
        "event_update_severity": "Average",
        "event_update_timestamp": "1772438900",
    }
    alert = only(parse(_sample("update_acknowledged", **changed), "zabbix"))
    assert (alert.status, alert.severity, alert.observed_at) == (Status.FIRING, Severity.MEDIUM, 1_772_438_900_000)
    over = _sample("update_acknowledged", **changed, event_value="0")
    assert parse(over, "zabbix").outcome is Outcome.IGNORED


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("Disaster", Severity.CRITICAL),
        ("High", Severity.HIGH),
        ("Average", Severity.MEDIUM),
        ("Warning", Severity.LOW),
        ("Information", Severity.INFO),
        ("4", Severity.HIGH),
    ],
)
def test_severities(word: str, severity: Severity) -> None:
    parsed = parse(_sample("problem", event_severity=word), "zabbix")
    assert (only(parsed).severity, parsed.defaults) == (severity, {})


def test_what_nobody_classified_is_counted_as_missing_and_other_words_as_unknown() -> None:
    for word in ("Not classified", "0", "{EVENT.SEVERITY}"):
        parsed = parse(_sample("problem", event_severity=word), "zabbix")
        assert (only(parsed).severity, parsed.defaults) == (Severity.MEDIUM, {Default.SEVERITY_MISSING: 1})
    renamed = parse(_sample("problem", event_severity="Katastrophe"), "zabbix")
    assert (only(renamed).severity, renamed.defaults) == (Severity.HIGH, {Default.SEVERITY_UNKNOWN: 1})


def test_identity_falls_back_to_the_trigger_and_its_host() -> None:
    def told(**changes: Any) -> str:
        return only(parse(_sample("by_link", **changes), "zabbix")).fingerprint

    assert told() == fingerprint("default", "zabbix", {"event": "8802"})
    by_trigger = fingerprint("default", "zabbix", {"trigger": "513", "host": "shop-web-2"})
    assert told(link="https://zabbix.example.org/?triggerid=513") == by_trigger
    named = {"name": "shop-web-2 does not answer", "host": "shop-web-2"}
    assert told(link="") == fingerprint("default", "zabbix", named)
    nameless = parse(_sample("by_link", link="", hostname="*UNKNOWN*"), "zabbix")
    assert nameless.refusals[0].reason is Reason.MISSING_IDENTITY


@pytest.mark.parametrize(
    "macro",
    [
        "{HOST.HOST}",
        '{EVENT.TAGS."host name"}',
        "{EVENT.TAGS.host}",
        '{$NAME:"web"}',
        "{#HOST}",
        "{?last(/web/agent.ping)}",
        " {DATE} ",
        "*UNKNOWN*",
    ],
)
def test_a_macro_that_was_not_filled_in_is_no_host(macro: str) -> None:
    parsed = parse(_sample("by_link", link="", hostname=macro), "zabbix")
    assert [refusal.reason for refusal in parsed.refusals] == [Reason.MISSING_IDENTITY]


def test_a_source_may_join_the_episodes_of_one_trigger() -> None:
    config = SourceConfig(identity=("trigger_id", "host"))
    first, second = (
        only(parse(_sample("problem", event_id=event), "zabbix", config=config)) for event in ("8801", "8899")
    )
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_value": "2"}, Reason.WRONG_TYPE),
        ({"event_value": "{EVENT.VALUE}"}, Reason.MISSING_FIELD),
        ({"event_tags": {}}, Reason.WRONG_TYPE),
    ],
    ids=["a value that is neither", "no value", "tags that are no list"],
)
def test_what_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    assert [refusal.reason for refusal in parse(_sample("problem", **changes), "zabbix").refusals] == [reason]


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("service:checkout, scope:performance", {"service": "checkout", "scope": "performance"}),
        ([{"tag": "service", "value": "cart"}, {"tag": "x"}], {"service": "cart"}),
        ("[broken", {}),
        ("{EVENT.TAGSJSON}", {}),
        ("", {}),
    ],
)
def test_tags_in_any_of_their_forms(tags: Any, found: dict[str, str]) -> None:
    alert = only(parse(_sample("problem", event_tags=tags), "zabbix"))
    assert {name: alert.labels[name] for name in ("service", "scope") if name in alert.labels} == found
    assert alert.service == found.get("service")


def test_discovery_tells_of_no_problem() -> None:
    parsed = parse(_sample("problem", event_source="1"), "zabbix")
    assert (parsed.outcome, parsed.total) == (Outcome.IGNORED, 0)
    assert "discovery" in parsed.reason


@pytest.mark.parametrize(
    "name", ["problem", "recovery", "by_link", "default_problem", "default_resolved", "default_update"]
)
def test_what_is_detected(name: str) -> None:
    assert detect(_sample(name), {}) is ADAPTERS["zabbix"]

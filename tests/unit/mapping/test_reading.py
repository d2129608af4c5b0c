"""What a mapping makes of messages: alerts, changes, heartbeats, refusals; and when it is asked at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.adapters.base import Default
from ingest.adapters.registry import adapter_for, detect
from ingest.mapping.adapter import Mapped, mapped
from kernel.config.schema import Config
from kernel.model.alert import Kind
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import message
from tests.unit.mapping.helpers import SHOP, config, explained

FULL = """
sources:
  shop:
    repeat_interval: 5m
    severities: {Sev-Blue: info}
    mapping:
      - match: type == 'probe'
        kind: ignored
        reason: a probe of the connection
      - match: type == 'pulse'
        kind: heartbeat
        name: from
      - match: type == 'ticket'
        kind: report
        identity: {ticket: id}
        name: title
        status: {always: firing}
      - match: releases
        kind: change
        headers: [X-Shop-Region]
        each: releases
        identity: {release: id}
        name: name
        what: release
        outcome: {from: state, started: [begun], succeeded: [live], failed: [broken], ignored: [planned]}
        service: app
        where: 'headers."x-shop-region"'
        who: root.sender.name
        revision: commit
        observed_at: at
        summary: note
        labels: {ring: ring}
        links: {release: url}
      - match: alerts
        each: alerts
        identity: {check: check, zone: root.zone}
        name: check
        status: {from: state, firing: [down], resolved: [up], ignored: [paused]}
        severity: {from: level, map: {sev-red: critical}}
        service: app
        summary: short
        description: long
        observed_at: seen
        starts_at: since
        ends_at: until
        labels: {"*": tags, zone: root.zone, count: n, fine: ok, groups: groups, sender: root.sender.name}
        links: {page: url, wiki: wiki}
"""
ALERT = {
    "check": "disk", "state": "DOWN", "level": "Sev-Red", "app": "checkout", "short": "full", "long": "a\nb",
    "since": 1772438400, "until": "2026-03-02T08:10:00Z", "seen": 1772438700000,
    "tags": {"host": "db-1", "rack": 4, "nested": {"x": 1}, "zone": "hidden"}, "n": 1.5, "ok": True,
    "groups": ["a", None, "b"], "url": "https://shop.example.org/1", "wiki": "no address",
}  # fmt: skip


@pytest.fixture
def full(tmp_path: Path) -> Config:
    return config(tmp_path, FULL)


@pytest.fixture
def shop(tmp_path: Path) -> Config:
    return config(tmp_path, SHOP)


def parsed(of: Config, body: Any, headers: dict[str, str] | None = None) -> Any:
    source = of.sources["shop"]
    return mapped("shop", source.mapping).parse(message(body, "shop", config=source))


def test_everything_an_alert_has(full: Config) -> None:
    found = parsed(full, {"alerts": [ALERT], "zone": "north", "sender": {"name": "shop-1"}})
    (alert,) = found.alerts
    assert not found.refusals
    assert alert.fingerprint == fingerprint("default", "shop", {"check": "disk", "zone": "north"})
    assert (alert.kind, alert.name, alert.status, alert.severity) == (Kind.PROBLEM, "disk", "firing", "critical")
    assert (alert.service, alert.summary, alert.description) == ("checkout", "full", "a\nb")
    assert (alert.starts_at, alert.ends_at, alert.observed_at) == (1_772_438_400_000, None, 1_772_438_700_000)
    assert alert.valid_for == (2 * 5 + 10) * 60_000
    assert alert.labels == {
        "host": "db-1", "rack": "4", "zone": "north", "count": "1.5", "fine": "true", "groups": "a, b",
        "sender": "shop-1",
    }  # fmt: skip
    assert [(link.text, link.href) for link in alert.links] == [("page", "https://shop.example.org/1")]


def test_resolved_has_an_end_and_no_validity(full: Config) -> None:
    (alert,) = parsed(full, {"alerts": [{**ALERT, "state": "up"}], "zone": "north"}).alerts
    assert (alert.status, alert.ends_at, alert.valid_for) == ("resolved", 1_772_439_000_000, None)
    assert alert.fingerprint == fingerprint("default", "shop", {"check": "disk", "zone": "north"})


def test_every_item_is_an_alert_by_itself(full: Config) -> None:
    body = {
        "alerts": [
            {"check": "a", "state": "down"},
            {"check": "b", "state": "paused"},
            {"check": "c", "state": "dancing"},
            {"state": "down"},
            "no object",
            {"check": "d", "state": ""},
            {"check": {"x": 1}, "state": "down"},
            {"check": "e", "state": "up", "level": "Sev-Blue"},
        ]
    }
    found = parsed(full, body)
    assert [(alert.name, alert.origin.item, alert.severity) for alert in found.alerts] == [
        ("a", 0, "medium"), ("e", 7, "info"),
    ]  # fmt: skip
    assert [(refusal.index, refusal.reason, refusal.detail) for refusal in found.refusals] == [
        (2, "wrong_type", "the status 'dancing' stands in none of the source's lists (firing, resolved, ignored)"),
        (3, "missing_identity", "nothing tells this alert from another: check or root.zone must have a value"),
        (4, "missing_field", "there is no status: state has no value"),
        (5, "missing_field", "there is no status: state has no value"),
        (6, "wrong_type", "identity.check must be text, got an object"),
    ]
    assert found.defaults == {Default.SEVERITY_MISSING: 1}
    assert "paused says neither that the alert fires nor that it is over" in found.reason


@pytest.mark.parametrize(
    ("alerts", "outcome", "reason"),
    [
        ({"x": 1}, "quarantined", "wrong_type: alerts must be a list, got an object"),
        ([], "quarantined", "no form of this source matches"),
        ([{"check": "a", "state": "paused"}], "ignored", "paused says neither"),
        ([{"check": "s04-abcdefghij234567#abcdefgh", "state": "down"}], "ignored", "is stormfold's own key"),
        ([{"check": "s04-abcdefghij234567#abcdefgh#P1", "state": "up"}], "ignored", "is stormfold's own key"),
        ([{"check": "a", "state": "down", "seen": []}], "quarantined", "observed_at must be a time"),
        ([{"check": "a", "state": "down", "tags": []}], "quarantined", "labels.* must be an object, got a list"),
        ([{"check": "a", "state": "down", "seen": "soon"}], "alerts", "time unreadable, taken as absent (1)"),
        ([{"check": "a", "state": "down", "level": "odd"}], "alerts", "severity unknown, high taken"),
        ([{"check": "a", "state": True}], "quarantined", "the status 'true' stands in none"),
    ],
)
def test_outcomes(full: Config, alerts: Any, outcome: str, reason: str) -> None:
    found = explained(full, {"alerts": alerts})
    assert found["outcome"] == outcome
    assert reason in found["reason"]


def test_an_empty_list_opens_nothing(tmp_path: Path) -> None:
    found = explained(config(tmp_path, FULL.replace("match: alerts", "match: zone")), {"zone": "n", "alerts": []})
    assert (found["outcome"], found["reason"]) == ("ignored", "the message's list is empty")


def test_changes(full: Config) -> None:
    release = {
        "id": "r1", "name": "Shop 2", "state": "LIVE", "app": "checkout", "commit": "abc1",
        "at": "2026-03-02T08:00:00Z", "note": "small", "ring": 2, "url": "https://shop.example.org/r1",
    }  # fmt: skip
    body = {"releases": [release, {**release, "id": "r2", "state": "planned"}], "sender": {"name": "ana"}}
    assert mapped("shop", full.sources["shop"].mapping).headers == ("x-shop-region",)
    found = explained(full, body, headers={"X-Shop-Region": "eu"})
    (change,) = found["changes"]
    assert change == {
        "fingerprint": fingerprint("default", "shop", {"release": "r1"}), "what": "release", "name": "Shop 2",
        "service": "checkout", "where": "eu", "who": "ana", "when": "2026-03-02T08:00:00Z", "revision": "abc1",
        "link": "https://shop.example.org/r1", "outcome": "succeeded", "labels": {"ring": "2"},
    }  # fmt: skip
    assert (found["outcome"], found["reason"]) == ("changes", "planned is no change")
    broken = explained(full, {"releases": [{"state": "live"}, {"id": "r3", "state": "eaten"}]})
    assert broken["outcome"] == "quarantined"
    assert "missing_identity" in broken["reason"]
    assert "the outcome 'eaten' stands in none" in broken["reason"]


def test_reports_heartbeats_and_what_is_ignored(full: Config) -> None:
    ticket = explained(full, {"type": "ticket", "id": 7, "title": "cannot pay"})
    assert (ticket["outcome"], ticket["alerts"][0]["name"]) == ("report", "cannot pay")
    (alert,) = parsed(full, {"type": "ticket", "id": 7, "title": "cannot pay"}).alerts
    assert alert.kind is Kind.REPORT
    assert explained(full, {"type": "pulse", "from": "nightly"})["outcome"] == "heartbeat"
    assert parsed(full, {"type": "pulse", "from": "nightly"}).heartbeats == ["nightly"]
    assert "the heartbeat has no name: from" in explained(full, {"type": "pulse"})["reason"]
    probe = explained(full, {"type": "probe"})
    assert (probe["outcome"], probe["reason"]) == ("ignored", "a probe of the connection")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"check": {"id": 1}}, "no form of this source matches (check && state); missing: state"),
        ({"check": {"id": 1}, "state": ""}, "missing: nothing, but its values differ"),
        ([{"check": {"id": 1}, "state": "down"}], "the body is a list, and no form of this source matches it"),
        ("down", "the body is text, and no form"),
        (b"{", "invalid_json"),
        (b'{"check": "\xff"}', "bad_encoding"),
    ],
)
def test_bodies_of_something_else_are_refused(shop: Config, body: Any, reason: str) -> None:
    found = explained(shop, body)
    assert found["outcome"] == "quarantined"
    assert reason in found["reason"]


def test_words_in_any_case_and_with_blanks(shop: Config) -> None:
    for word, status in (("DOWN", "firing"), (" up ", "resolved"), ("Slow", "firing")):
        (alert,) = explained(shop, {"check": {"id": 1, "name": "x"}, "state": word})["alerts"]
        assert alert["status"] == status


def test_a_message_that_costs_too_much_is_quarantined_as_a_whole(tmp_path: Path) -> None:
    text = FULL.replace("description: long", "description: to_string(length(root.alerts[?n > `0`]))")
    found = explained(config(tmp_path, text), {"alerts": [ALERT] * 2_000, "zone": "north"})
    assert (found["outcome"], found["alerts"]) == ("quarantined", [])
    assert found["reason"].startswith("too_large: the source's expressions take more than 1000000 steps")


def test_ten_thousand_alerts_are_no_such_message(full: Config) -> None:
    found = parsed(full, {"alerts": [{**ALERT, "check": str(n)} for n in range(10_000)], "zone": "north"})
    assert len(found.alerts) == 10_000


def test_a_match_that_costs_too_much_recognises_nothing(tmp_path: Path) -> None:
    of = config(tmp_path, SHOP.replace("match: check && state", "match: length(a[?@ == `1`]) > `0`"))
    body = {"a": [0] * 600_000}
    assert detect(body, {}, of) is None or detect(body, {}, of) is not adapter_for("shop", of.sources["shop"])
    assert explained(of, body)["reason"].startswith("too_large")


def test_detection_asks_mappings_after_adapters_and_before_generic_json(shop: Config) -> None:
    ours = {"check": {"id": 1, "name": "x"}, "state": "down", "name": "x", "status": "firing"}
    assert explained(shop, ours, "auto")["source"] == "shop"
    assert explained(Config(), ours, "auto")["source"] != "shop"
    prometheus = {
        "version": "4",
        "status": "firing",
        "receiver": "x",
        "groupKey": "x",
        "alerts": [],
        "check": 1,
        "state": 1,
    }
    assert explained(shop, prometheus, "auto")["source"] == "alertmanager"


def test_the_nearest_may_be_a_mapping(shop: Config) -> None:
    found = explained(shop, {"state": "down", "level": "low", "chekc": 1}, "auto")
    assert found["outcome"] == "quarantined"
    assert "the nearest adapter is shop (found state; missing check)" in found["reason"]


def test_an_adapter_is_made_once_for_a_configuration(tmp_path: Path, shop: Config) -> None:
    source = shop.sources["shop"]
    assert adapter_for("shop", source) is adapter_for("shop", source)
    assert adapter_for("other", source) is not adapter_for("shop", source)
    again = config(tmp_path, SHOP).sources["shop"]
    made = adapter_for("shop", again)
    assert isinstance(made, Mapped)
    assert made is not adapter_for("shop", source)
    assert made.shape == ("check", "state")

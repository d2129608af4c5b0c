"""Prometheus: bodies of `/api/v2/alerts`, the whole way and the short one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.adapters.base import Default, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.prometheus import Prometheus
from kernel.config.schema import SourceConfig
from kernel.model.alert import Link, Severity, Status
from kernel.model.naming import fingerprint
from tests.unit.adapters.helpers import ARRIVAL, FILES, message, only, parse, parse_sample

ADAPTER = Prometheus()
LABELS = {"alertname": "DiskAlmostFull", "instance": "db-2:9100"}


def test_a_firing_alert_in_full() -> None:
    parsed = parse_sample("prometheus/firing_three")
    assert (parsed.outcome, len(parsed.alerts), parsed.refusals) == (Outcome.ALERTS, 3, [])
    alert = parsed.alerts[0]
    assert alert.fingerprint == fingerprint("default", "prometheus", alert.labels)
    assert (alert.name, alert.status, alert.severity) == ("DiskAlmostFull", Status.FIRING, Severity.CRITICAL)
    assert (alert.service, alert.summary) == ("orders", "Disk of db-2 is almost full")
    assert "\nIt fills up" in alert.description
    assert alert.links[0] == Link("runbook", "https://runbooks.shop.example/disk")
    assert (alert.starts_at, alert.ends_at) == (1_772_439_271_205, None)
    assert (alert.observed_at, alert.received_at, alert.valid_for) == (ARRIVAL, ARRIVAL, 151_205)
    assert [a.origin.item for a in parsed.alerts] == [0, 1, 2]
    assert [a.severity for a in parsed.alerts] == [Severity.CRITICAL, Severity.MEDIUM, Severity.CRITICAL]


def test_resolved_meets_firing_whatever_the_order_of_labels() -> None:
    resolved = only(parse_sample("prometheus/resolved"))
    assert (resolved.status, resolved.ends_at, resolved.valid_for) == (Status.RESOLVED, 1_772_439_586_205, None)
    assert resolved.observed_at == ARRIVAL
    assert resolved.fingerprint == parse_sample("prometheus/firing_three").alerts[0].fingerprint


@pytest.mark.parametrize(
    ("ends", "status", "valid_for", "default"),
    [
        ("2026-03-02T08:20:00Z", Status.RESOLVED, None, None),
        ("2026-03-02T08:20:00.001Z", Status.FIRING, 1, None),
        ("2026-03-02T09:20:00.001+01:00", Status.FIRING, 1, None),
        (None, Status.FIRING, None, None),
        ("", Status.FIRING, None, None),
        ("0001-01-01T00:00:00Z", Status.FIRING, None, None),
        ("1970-01-01T00:00:00Z", Status.FIRING, None, None),
        ("1969-12-31T23:59:59Z", Status.FIRING, None, Default.TIME_UNREADABLE),
        ("2026-03-02T08:20:00", Status.FIRING, None, Default.TIME_UNREADABLE),
        ("tomorrow", Status.FIRING, None, Default.TIME_UNREADABLE),
        ("2" * 5000, Status.FIRING, None, Default.TIME_UNREADABLE),
        ("2099-01-01T00:00:00Z", Status.FIRING, None, Default.TIME_CLAMPED),
    ],
)
def test_ends_at_decides_the_status(ends: str | None, status: Status, valid_for: int | None, default: Default) -> None:
    body = [{"labels": {**LABELS, "severity": "low"}, "endsAt": ends}]
    parsed = parse(body, "prometheus")
    alert = only(parsed)
    assert [glance.status for glance in ADAPTER.glance(message(body, "prometheus")) or ()] == [status]
    assert (alert.status, alert.valid_for) == (status, valid_for)
    assert parsed.defaults == ({default: 1} if default else {})


def test_a_start_in_the_future_is_clamped() -> None:
    parsed = parse([{"labels": LABELS, "startsAt": "2027-01-01T00:00:00Z"}], "prometheus")
    assert only(parsed).starts_at == ARRIVAL + 300_000
    assert parsed.defaults[Default.TIME_CLAMPED] == 1


def test_a_label_without_a_value_is_no_label() -> None:
    full, bare = parse([{"labels": {**LABELS, "zone": ""}}, {"labels": LABELS}], "prometheus").alerts
    assert full.fingerprint == bare.fingerprint
    assert "zone" not in full.labels


def test_configured_identity_and_severities() -> None:
    config = SourceConfig(identity=("alertname", "rack"), severities={"loud": Severity.LOW})
    body = [{"labels": {**LABELS, "severity": "loud"}}, {"labels": {"instance": "x"}}]
    parsed = parse(body, "prometheus", config=config)
    assert parsed.alerts[0].fingerprint == fingerprint("default", "prometheus", {"alertname": "DiskAlmostFull"})
    assert parsed.alerts[0].severity is Severity.LOW
    assert [(r.index, r.reason) for r in parsed.refusals] == [(1, Reason.MISSING_IDENTITY)]
    assert "rack" in parsed.refusals[0].detail


@pytest.mark.parametrize(
    ("alert", "reason", "says"),
    [
        ({"labels": {"alertname": 1}}, Reason.WRONG_TYPE, "labels.alertname must be text, got a number"),
        ({"labels": {"alertname": None}}, Reason.WRONG_TYPE, "labels.alertname must be text, got null"),
        ({"labels": ["a"]}, Reason.WRONG_TYPE, "labels must be an object, got a list"),
        ({"labels": {}}, Reason.MISSING_IDENTITY, "labels"),
        ({"labels": None}, Reason.MISSING_IDENTITY, "labels"),
        ({"annotations": {}}, Reason.MISSING_IDENTITY, "labels is missing"),
        ({"labels": LABELS, "annotations": {"summary": True}}, Reason.WRONG_TYPE, "annotations.summary must be text"),
        ({"labels": LABELS, "annotations": "x"}, Reason.WRONG_TYPE, "annotations must be an object, got text"),
        ({"labels": LABELS, "endsAt": 17}, Reason.WRONG_TYPE, "endsAt must be text, got a number"),
        ({"labels": LABELS, "startsAt": {}}, Reason.WRONG_TYPE, "startsAt must be text, got an object"),
        (7, Reason.WRONG_TYPE, "an alert must be an object, got a number"),
    ],
)
def test_one_bad_alert_is_refused_and_its_neighbours_live(alert: Any, reason: Reason, says: str) -> None:
    parsed = parse([{"labels": LABELS}, alert, {"labels": {"alertname": "Other"}}], "prometheus")
    assert [a.name for a in parsed.alerts] == ["DiskAlmostFull", "Other"]
    assert [a.origin.item for a in parsed.alerts] == [0, 2]
    ((index, why, detail),) = [(r.index, r.reason, r.detail) for r in parsed.refusals]
    assert (index, why) == (1, reason)
    assert says in detail
    assert (parsed.outcome, parsed.total) == (Outcome.ALERTS, 3)
    assert says in parsed.reason


def test_broken_utf8_in_one_alert_refuses_only_that() -> None:
    parsed = parse(b'[{"labels":{"alertname":"a\xff"}},{"labels":{"alertname":"b"}}]', "prometheus")
    assert [a.name for a in parsed.alerts] == ["b"]
    assert parsed.refusals[0].reason is Reason.BAD_ENCODING


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.INVALID_JSON),
        (b"[{", Reason.INVALID_JSON),
        (b"[NaN]", Reason.INVALID_JSON),
        (b"[" * 50_000, Reason.INVALID_JSON),
        (b'{"alerts":[]}', Reason.WRONG_TYPE),
        (b"null", Reason.WRONG_TYPE),
    ],
)
def test_a_body_that_is_no_list_is_not_understood(body: bytes, reason: Reason) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse(body, "prometheus")
    assert caught.value.reason is reason
    assert ADAPTER.glance(message(body, "prometheus")) is None


def test_an_empty_list_is_ignored() -> None:
    parsed = parse(b"[]", "prometheus")
    assert (parsed.outcome, parsed.reason) == (Outcome.IGNORED, "the list of alerts is empty")
    assert ADAPTER.glance(message(b"[]", "prometheus")) is None


def test_the_key_is_a_copy_of_the_labels_bytes() -> None:
    body = b'[{"endsAt":"2026-03-02T08:30:00Z","labels":{"b":"1", "a":"2"}}]'
    (glance,) = ADAPTER.glance(message(body, "prometheus")) or ()
    assert type(glance.key) is bytes
    assert glance.key == b'{"b":"1", "a":"2"}'
    assert (glance.status, glance.observed) == (Status.FIRING, ARRIVAL)


_text = st.text(max_size=12)
_times = st.sampled_from(
    ["", "0001-01-01T00:00:00Z", "2026-03-02T08:19:59.999Z", "2026-03-02T08:25:00Z", "2120-01-01T00:00:00Z", "x"]
)
_labels = st.dictionaries(st.sampled_from(["alertname", "severity", "service", "a\x07"]) | _text, _text, max_size=5)
_scalars = st.none() | st.booleans() | st.integers() | _text | st.lists(_text, max_size=2)
_alerts = st.fixed_dictionaries(
    {"labels": _labels},
    optional={
        "annotations": st.none() | st.dictionaries(st.sampled_from(["summary", "description", "runbook_url"]), _text),
        "startsAt": st.none() | _times,
        "endsAt": st.none() | _times,
        "generatorURL": _text,
        "extra": _scalars,
    },
)
_sloppy = _alerts | st.fixed_dictionaries(
    {}, optional={"labels": _scalars | st.dictionaries(_text, _scalars, max_size=3), "endsAt": _scalars}
)


def _built(body: bytes) -> Parsed | None:
    raw = message(body, "prometheus")
    glances = ADAPTER.glance(raw)
    if glances is None:
        return None
    parsed = Parsed(Outcome.IGNORED)
    for index, glance in enumerate(glances):
        before = len(parsed.alerts)
        ADAPTER.build(raw, glance, index, parsed)
        if len(parsed.alerts) > before:
            assert parsed.alerts[-1].status is glance.status
            assert parsed.alerts[-1].observed_at == glance.observed
    return parsed


def _same(body: bytes) -> bool:
    short = _built(body)
    if short is None:
        return False
    whole = ADAPTER.parse(message(body, "prometheus"))
    assert (short.alerts, short.refusals, short.defaults) == (whole.alerts, whole.refusals, whole.defaults)
    return True


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(_alerts, min_size=1, max_size=4), st.booleans())
def test_the_short_way_gives_what_the_whole_way_gives(alerts: list[Any], spaced: bool) -> None:
    assert _same(json.dumps(alerts, ensure_ascii=spaced, indent=1 if spaced else None).encode())


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(_sloppy, min_size=1, max_size=4))
def test_the_short_way_agrees_on_bad_alerts_or_declines(alerts: list[Any]) -> None:
    body = json.dumps(alerts).encode()
    if not _same(body):
        assert ADAPTER.parse(message(body, "prometheus")).refusals


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name == "prometheus"], ids=lambda p: p.name)
def test_samples_take_the_short_way(path: Any) -> None:
    assert _same(path.read_bytes())

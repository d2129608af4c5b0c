"""The storm's plan, without servers: its size, its shares, its repeatability, and that every body is what it claims."""

from collections import Counter

import pytest

from ingest.explain import explain
from kernel.config.schema import Config
from stormfold.demo.causes import CAUSES, NOISE_INCIDENTS
from stormfold.demo.storm import LEAST_RAW, Body, Storm
from stormfold.demo.totals import percentile

NOW = 1_764_000_000_000


def all_phases(seed: int = 1, raw: int = 12_000) -> list[list[Body]]:
    return list(Storm(seed, raw).phases(lambda: NOW))


@pytest.mark.parametrize("raw", [LEAST_RAW, 12_000, 20_011])
def test_it_holds_what_was_asked_for_half_by_each_way(raw: int) -> None:
    bodies = [body for phase in all_phases(raw=raw) for body in phase]
    assert sum(body.alerts for body in bodies) == raw
    assert abs(sum(body.alerts for body in bodies if body.by_http) - raw / 2) < 50
    assert {body.source for body in bodies} == {"prometheus", "alertmanager", "grafana", "datadog", "cloudwatch"}


def test_the_same_seed_is_the_same_storm() -> None:
    assert all_phases(3) == all_phases(3)
    assert all_phases(3) != all_phases(4)


def test_every_body_is_read_as_its_vendors() -> None:
    outcomes: Counter[str] = Counter()
    refused = 0
    for phase in all_phases(raw=3_000):
        for body in phase:
            found = explain(body.source, body.data, {}, Config(), NOW)
            outcomes[found["outcome"]] += 1
            refused += body.refused
            if found["outcome"] == "alerts" and "missing_identity" not in found["reason"]:
                assert len(found["alerts"]) == body.alerts, found["reason"]
                assert explain("auto", body.data, {}, Config(), NOW)["source"] == body.source
    assert outcomes["quarantined"] == 6
    assert set(outcomes) == {"alerts", "quarantined"}
    assert refused == 2


def test_every_distinct_alert_is_seen_firing_before_anything_else() -> None:
    storm = Storm(1, 2_000)
    phases = storm.phases(lambda: NOW)
    seen = {
        (body.source, alert["fingerprint"])
        for body in next(phases)
        for alert in explain(body.source, body.data, {}, Config(), NOW)["alerts"]
        if alert["status"] == "firing"
    }
    assert len(seen) == len(storm.all) == sum(cause.members for cause in CAUSES) + NOISE_INCIDENTS


def test_each_cause_keeps_a_member_that_never_resolves() -> None:
    for _, group in Storm(9, 2_000).groups:
        assert any(not one.flaps for one in group)
        assert any(one.flaps for one in group)


def test_percentiles_are_by_nearest_rank() -> None:
    assert percentile([], 50) is None
    assert percentile([7], 99) == 7
    assert percentile([1, 2, 3, 4, 5, 6], 50) == 3
    assert percentile([1, 2, 3, 4, 5, 6], 99) == 6
    assert percentile(list(range(1, 101)), 99) == 99

"""What is wrong with heartbeats and the canary is said by line, and names of stormfold's own are not to be had."""

from pathlib import Path

import pytest

from kernel.config.load import ConfigError, load
from kernel.model.alert import Severity

ADAPTERS = {"prometheus", "generic"}


def test_what_a_heartbeat_says(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("heartbeats: [{name: a, source: prometheus, every: 5m}]")
    (tmp_path / "b.yaml").write_text(
        "sources: {eu: {adapter: prometheus}}\nheartbeats:\n"
        "  - {name: b, source: eu, every: 30s, match: ['alertname=\"Watchdog\"'], severity: critical}\n"
    )
    config = load(tmp_path, {}, adapters=ADAPTERS).config
    assert [(one.name, one.every, one.severity) for one in config.heartbeats] == [
        ("a", 300_000, Severity.HIGH),
        ("b", 30_000, Severity.CRITICAL),
    ]
    assert config.canary.every == 60_000


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("heartbeats: [{name: a, source: prometheus}]", "a.yaml:1: heartbeats[0] lacks the field 'every'"),
        ("heartbeats: [{name: a, source: nagios, every: 1m}]", "a.yaml:1: there is no source 'nagios'"),
        ("heartbeats: [{name: a, source: prometheus, every: 0s}]", "a.yaml:1: every is 0s; write 1s to 31d"),
        ("heartbeats: [{name: a, source: prometheus, every: 40d}]", "a.yaml:1: every is 40d; write 1s to 31d"),
        ("heartbeats: [{name: a b, source: prometheus, every: 1m}]", "'a b' cannot be the name of a heartbeat"),
        ("heartbeats: [{name: a, source: prometheus, every: 1m, team: x}]", "a.yaml:1: there is no team 'x'"),
        ("heartbeats: [{name: a, source: prometheus, every: 1m, match: [x]}]", "a.yaml:1: 'x' is not a matcher"),
        (
            "heartbeats:\n- {name: a, source: prometheus, every: 1m}\n- {name: a, source: generic, every: 1m}",
            "a.yaml:3: two heartbeats are named 'a', the first at a.yaml:2",
        ),
        ("canary: {every: 2h}", "a.yaml:1: every is 2h; write 1s to 1h"),
        ("sources: {stormfold: {adapter: generic}}", "'stormfold' is stormfold itself"),
        ("sources: {stormfold-canary: {adapter: generic}}", "'stormfold-canary' is stormfold itself"),
        ("sources: {generic: {tenant: stormfold-canary}}", "'stormfold-canary' is stormfold's own tenant"),
        ("correlation: {default_tenant: stormfold-canary}", "'stormfold-canary' is stormfold's own tenant"),
        ("channels: {stormfold-canary: {type: console}}", "'stormfold-canary' is a channel of stormfold's own"),
        ("rules: [{name: heartbeat}]", "'heartbeat' is a rule of stormfold's own"),
        ("rules: [{name: stormfold-canary}]", "'stormfold-canary' is a rule of stormfold's own"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {}, adapters=ADAPTERS)
    assert line in str(caught.value)


def test_never_is_a_good_time_for_a_canary(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("canary: {every: 0s}")
    assert load(tmp_path, {}, adapters=ADAPTERS).config.canary.every == 0

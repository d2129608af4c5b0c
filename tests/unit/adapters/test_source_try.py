"""`stormfold source try` and the stable JSON behind it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest.adapters.registry import UnknownAdapter
from ingest.explain import explain
from kernel.config.schema import Config, SourceConfig
from stormfold.cli.source import app
from tests.unit.adapters.helpers import ARRIVAL, SAMPLES

RESOLVED = (SAMPLES / "prometheus/resolved.json").read_bytes()


def test_the_stable_object() -> None:
    found = explain("prometheus", RESOLVED, {}, None, ARRIVAL)
    assert list(found) == ["source", "outcome", "alerts", "changes", "reason"]
    (alert,) = found["alerts"]
    assert list(alert) == ["fingerprint", "status", "severity", "name", "service", "starts_at", "ends_at", "labels"]
    assert (alert["starts_at"], alert["ends_at"]) == ("2026-03-02T08:14:31.205Z", "2026-03-02T08:19:46.205Z")
    assert alert["labels"]["instance"] == "db-2:9100"
    assert found == explain("auto", RESOLVED, {}, None, ARRIVAL)
    json.dumps(found)
    firing = explain("auto", b'[{"labels":{"a":"b"}}]', {}, None, ARRIVAL)["alerts"][0]
    assert (firing["service"], firing["starts_at"], firing["ends_at"]) == (None, None, None)


def test_a_configured_source_has_its_own_name_tenant_and_settings() -> None:
    config = Config(sources={"shop": SourceConfig(adapter="prometheus", tenant="t2", identity=("alertname",))})
    found = explain("shop", RESOLVED, {}, config, ARRIVAL)
    assert (found["source"], found["outcome"]) == ("shop", "alerts")
    plain = explain("prometheus", RESOLVED, {}, config, ARRIVAL)
    assert found["alerts"][0]["fingerprint"] != plain["alerts"][0]["fingerprint"]
    with pytest.raises(UnknownAdapter):
        explain("nobody", RESOLVED, {}, config, ARRIVAL)


def test_quarantined_says_why_and_whose_it_looks_like() -> None:
    group = (SAMPLES / "alertmanager/mixed.json").read_bytes()
    found = explain("prometheus", group, {}, None, ARRIVAL)
    assert (found["outcome"], found["alerts"]) == ("quarantined", [])
    assert found["reason"].startswith("wrong_type: the body must be a list")
    assert "it looks like alertmanager" in found["reason"]
    lost = explain("auto", b'{"receiver": "x"}', {}, None, ARRIVAL)
    assert (lost["source"], lost["outcome"]) == ("auto", "quarantined")
    assert "nearest adapter is alertmanager" in lost["reason"]
    assert explain("auto", b"{", {}, None, ARRIVAL)["reason"].startswith("invalid_json: ")


def test_packed_bodies_and_header_names_in_any_case() -> None:
    found = explain("auto", gzip.compress(RESOLVED), {"Content-Encoding": "gzip"}, None, ARRIVAL)
    assert found["outcome"] == "alerts"


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["try", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("file", "outcome"),
    [
        ("alertmanager/mixed", "alerts"),
        ("generic/reports", "report"),
        ("cloudwatch/sns_subscription", "handshake"),
        ("cloudwatch/sns_insufficient_data", "ignored"),
        ("commands/acknowledge", "commands"),
        ("cloudwatch/sns_text", "quarantined"),
    ],
)
def test_every_outcome_exits_0(file: str, outcome: str) -> None:
    path = str(SAMPLES / f"{file}.json")
    code, output = _run("auto", path, "--json", "--header", "A: b")
    assert (code, json.loads(output)["outcome"]) == (0, outcome)
    code, shown = _run("auto", path)
    assert code == 0
    assert f"outcome {outcome}" in shown


def test_people_see_the_whole_alert() -> None:
    _, shown = _run("alertmanager", str(SAMPLES / "alertmanager/mixed.json"))
    for text in ("queue=invoices", "QueueGrows", "12 further alerts", "resolved"):
        assert text in shown


def test_what_cannot_be_tried_exits_2(tmp_path: Path) -> None:
    path = str(SAMPLES / "generic/problem.json")
    for arguments, says in (
        (("auto", str(tmp_path / "none.json")), "cannot be read"),
        (("nobody", path), "there is no source or adapter 'nobody'"),
        (("auto", path, "--header", "nonsense"), "is not K:V"),
        (("auto", path, "--config", str(tmp_path)), "yaml"),
    ):
        code, output = _run(*arguments)
        assert code == 2
        assert says in output


def test_with_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("sources:\n  shop:\n    adapter: prometheus\n    token: {env: NOT_SET_HERE}\n")
    file = tmp_path / "body.json"
    file.write_bytes(RESOLVED)
    code, output = _run("shop", str(file), "--config", str(tmp_path), "--json")
    assert (code, json.loads(output)["source"]) == (0, "shop")

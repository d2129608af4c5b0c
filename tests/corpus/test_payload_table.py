"""Every real payload of the first sources against the table of what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.explain import explain
from kernel.model.naming import fingerprint
from tests.corpus.payload_table import FOLDERS, PAIRS, ROWS, Row

ARRIVAL = 1_780_000_000_000
BY_FILE = {row.file: row for row in ROWS}


def _read(corpus: Path, row: Row, name: str) -> dict[str, Any]:
    return explain(name, (corpus / "payloads" / row.file).read_bytes(), {}, None, ARRIVAL)


def test_every_payload_has_one_row(corpus: Path) -> None:
    files = {f"{folder}/{path.name}" for folder in FOLDERS for path in (corpus / "payloads" / folder).glob("*.json")}
    assert files == set(BY_FILE)
    assert len(BY_FILE) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_payload_is_what_its_row_says(corpus: Path, row: Row) -> None:
    found = _read(corpus, row, row.adapter)
    assert (found["source"], found["outcome"], found["changes"]) == (row.adapter, row.outcome, [])
    seen = [(a["fingerprint"], a["name"], a["status"], a["severity"], a["service"]) for a in found["alerts"]]
    assert seen == [
        (fingerprint("default", row.adapter, alert.identity), alert.name, alert.status, alert.severity, alert.service)
        for alert in row.alerts
    ]
    assert row.says in found["reason"]
    assert ("later version" in found["reason"]) == row.later
    assert found["alerts"] or found["reason"]


@pytest.mark.parametrize("row", [row for row in ROWS if row.alerts], ids=lambda row: row.file)
def test_payload_is_detected(corpus: Path, row: Row) -> None:
    found = _read(corpus, row, "auto")
    # A Grafana demo in Alertmanager's own form, version 4, has nothing by which to know Grafana.
    expected = "alertmanager" if row.file == "grafana/oncall_demo_testalert_v4.json" else row.adapter
    assert (found["source"], found["outcome"]) == (expected, row.outcome)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_firing_and_resolved_meet_in_one_fingerprint(corpus: Path, pair: tuple[str, str]) -> None:
    firing, resolved = (_read(corpus, BY_FILE[file], BY_FILE[file].adapter)["alerts"][0] for file in pair)
    assert (firing["status"], resolved["status"]) == ("firing", "resolved")
    assert firing["fingerprint"] == resolved["fingerprint"]

"""Every real payload against the tables of what it is."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ingest.adapters.registry import ADAPTERS
from ingest.explain import explain
from kernel.config.load import load
from kernel.config.schema import Config
from kernel.model.naming import fingerprint
from tests.corpus.rows import Changed, Row, Seen, Table
from tests.corpus.tables import TABLES

ARRIVAL = 1_780_000_000_000
ARRIVED = "2026-05-28T20:26:40Z"
MAPPINGS = Path(__file__).parents[2] / "deploy" / "mappings"
ROWS = [pytest.param(table, row, id=row.file) for table in TABLES for row in table.rows]
# What is ignored or quarantined need have nothing by which to know it, unless its row says what `auto` makes of it.
DETECTED = [
    pytest.param(table, row, id=row.file)
    for table in TABLES
    for row in table.rows
    if row.outcome not in ("quarantined", "ignored") or row.detected is not None
]
PAIRS = [pytest.param(table, pair, id=pair[0]) for table in TABLES for pair in table.pairs]


@cache
def _shipped() -> Config:
    return load(MAPPINGS, os.environ, secrets=False).config


def _read(corpus: Path, table: Table, row: Row, name: str) -> dict[str, Any]:
    config = _shipped() if table.mapped else None
    return explain(name, (corpus / "payloads" / row.file).read_bytes(), row.headers, config, ARRIVAL)


def _alert(source: str, seen: Seen) -> tuple[object, ...]:
    found = fingerprint("default", source, seen.identity)
    return found, seen.name, seen.status, seen.severity, seen.service, seen.starts, seen.ends


def _change(source: str, seen: Changed) -> tuple[object, ...]:
    found, when = fingerprint("default", source, seen.identity), seen.when or ARRIVED
    return (
        found, seen.what, seen.name, seen.outcome, seen.service, seen.where, seen.who, when, seen.revision, seen.link,
    )  # fmt: skip


_ALERT = ("fingerprint", "name", "status", "severity", "service", "starts_at", "ends_at")
_CHANGE = ("fingerprint", "what", "name", "outcome", "service", "where", "who", "when", "revision", "link")


def test_every_payload_has_one_row(corpus: Path) -> None:
    folders = {table.folder for table in TABLES}
    files = [f"{folder}/{path.name}" for folder in folders for path in (corpus / "payloads" / folder).glob("*.json")]
    assert sorted(files) == sorted(row.file for table in TABLES for row in table.rows)


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_payload_is_what_its_row_says(corpus: Path, table: Table, row: Row) -> None:
    assert table.mapped == (row.source not in ADAPTERS)
    found = _read(corpus, table, row, row.source)
    assert (found["source"], found["outcome"]) == (row.source, row.outcome)
    assert [tuple(alert[key] for key in _ALERT) for alert in found["alerts"]] == [
        _alert(row.source, seen) for seen in row.alerts
    ]
    assert [tuple(change[key] for key in _CHANGE) for change in found["changes"]] == [
        _change(row.source, seen) for seen in row.changes
    ]
    assert row.says in found["reason"]
    assert ("later version" in found["reason"]) == row.later
    assert found["alerts"] or found["changes"] or found["reason"]


@pytest.mark.parametrize(("table", "row"), DETECTED)
def test_payload_is_detected(corpus: Path, table: Table, row: Row) -> None:
    found = _read(corpus, table, row, "auto")
    outcome = "quarantined" if row.detected == "auto" else row.outcome
    assert (found["source"], found["outcome"]) == (row.detected or row.source, outcome)


@pytest.mark.parametrize(("table", "pair"), PAIRS)
def test_firing_and_resolved_meet_in_one_fingerprint(corpus: Path, table: Table, pair: tuple[str, str]) -> None:
    rows = {row.file: row for row in table.rows}
    firing, resolved = (_read(corpus, table, rows[file], rows[file].source)["alerts"][0] for file in pair)
    assert (firing["status"], resolved["status"]) == ("firing", "resolved")
    assert firing["fingerprint"] == resolved["fingerprint"]

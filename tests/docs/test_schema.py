"""docs/schema is what the code generates, and what the code writes is valid under it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from kernel.model.alert import Alert, Link, Origin, Severity, Stamp, Status
from kernel.model.change import Change, ChangeOutcome
from kernel.model.codec import encode
from kernel.model.delivery import Action, DeliveryRow, LedgerKey, Outcome
from kernel.model.incident import (
    Fact,
    Headline,
    IncidentEvent,
    IncidentRecord,
    IncidentStatus,
    Level,
    Priority,
    Score,
    TimelineEntry,
)
from kernel.model.schema import DOCUMENTS, document, main, rendered
from kernel.model.signals import (
    ChangeSeen,
    Command,
    CommandBody,
    CommandEnvelope,
    Count,
    Counts,
    Heartbeat,
    Passed,
    Refresh,
    SignalRecord,
    Transition,
    Verb,
)
from kernel.model.state import Facts, IncidentDoc, KnownChange, LedgerEntry, Member, MemberState, NotifierDoc

FOLDER = Path(__file__).parents[2] / "docs" / "schema"
ORIGIN = Origin("a" * 32, 2, 17, 0)
STAMP = Stamp(1_800_000_000_000, 1_800_000_000_100, 2, 17, 0)
SCORE = Score(Priority.P1, Level.HIGH, Level.HIGH, ("whole_site",), ("critical",))
KEY = LedgerKey("s03-aaaabbbbccccdddd", "abcdefgh", Action.PAGE, Priority.P1, 0, "console")
ALERT = Alert(
    "prometheus",
    "0" * 32,
    "Down",
    Status.FIRING,
    Severity.HIGH,
    1,
    2,
    ORIGIN,
    labels={"job": "api"},
    links=(Link("graph", "https://prometheus.example/graph"),),
    valid_for=240_000,
)
HEADLINE = Headline(
    KEY.incident,
    "default",
    IncidentStatus.OPEN,
    KEY.episode,
    "service",
    {"service": "api"},
    "api is down",
    Priority.P1,
    Priority.P1,
    SCORE,
    1,
    2,
    2,
    page_above=Priority.P2,
    links=(("runbook", "https://wiki.example"),),
)
DOC = IncidentDoc(
    KEY.incident,
    "default",
    "service",
    {"service": "api"},
    "3:api",
    IncidentStatus.OPEN,
    KEY.episode,
    "api is down",
    SCORE,
    Priority.P1,
    1,
    2,
    2,
    9,
    1,
    sample=["0" * 32],
    timeline=[TimelineEntry(1, "opened", "first_sight")],
)
CHANGE = Change("github", "0" * 32, "deployment", "deploy api", ChangeOutcome.SUCCEEDED, 5, 5, ORIGIN, service="api")
WRITTEN: dict[str, Any] = {
    "answers.raw": CommandEnvelope(CommandBody("id", Verb.RESOLVE, KEY.incident, "ann", "restarted")),
    "signals": SignalRecord(
        3,
        5,
        (
            Transition(ALERT, Passed.FIRST_SIGHT),
            Refresh(ALERT),
            Counts("a" * 32, 2, 10, 18, (Count("0" * 32, Status.FIRING, 4, STAMP),)),
            Command("id", Verb.ACKNOWLEDGE, KEY.incident, "ann", ORIGIN, 5),
            ChangeSeen(CHANGE),
            Heartbeat("watchdog", "prometheus", "default", ORIGIN, 5),
        ),
    ),
    "incidents": IncidentRecord(3, 9, "owner", (IncidentEvent(Fact.OPENED, 9, 1, 5, "first_sight", HEADLINE),)),
    "deliveries": DeliveryRow(KEY, 1, Outcome.ABOUT, 9, "owner", 5),
    "state.member": Member("0" * 32, KEY.incident, MemberState.FIRING, Severity.HIGH, STAMP, STAMP, 1, 4, 240_000),
    "state.facts": Facts(STAMP, "prometheus", "Down", "api", "api is down", {"job": "api"}),
    "state.incident": DOC,
    "state.change": KnownChange(CHANGE, 1),
    "state.notifier": NotifierDoc(KEY.incident, 9, 1, HEADLINE, "sre", "route 1", [LedgerEntry(KEY)]),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_committed_file_is_what_the_code_generates(name: str) -> None:
    committed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert committed == rendered(name), "run: python -m kernel.model.schema docs/schema"


def test_no_file_is_left_over() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {f"{name}.json" for name in DOCUMENTS}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_written_is_valid(name: str) -> None:
    value = orjson.loads(encode(WRITTEN[name]))
    jsonschema_rs.validate(document(name), value)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_anything_else_is_not(name: str) -> None:
    value = orjson.loads(encode(WRITTEN[name]))
    spoilt = value[:2] if isinstance(value, list) else dict.fromkeys(value)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(document(name), spoilt)


def test_the_command_writes_every_file(tmp_path: Path) -> None:
    assert main([str(tmp_path / "out")]) == 0
    assert {file.stem for file in (tmp_path / "out").iterdir()} == set(DOCUMENTS)
    assert main([]) == 2

"""Incidents and deliveries that tests send."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kernel.config.values import Secret
from kernel.model.alert import Severity
from kernel.model.delivery import Action, LedgerKey
from kernel.model.incident import Headline, IncidentStatus, Level, Priority, Score
from notifier.channels.base import Delivery, Text

NOW = 1_763_870_000_000
INCIDENT = "s07-abcdefghijklmnop"


def headline(**changes: Any) -> Headline:
    """A P1 at the checkout, with `changes`."""
    base = Headline(
        id=INCIDENT,
        tenant="default",
        status=IncidentStatus.OPEN,
        episode="abcdefgh",
        rule="by-service",
        group={"service": "checkout"},
        title="checkout: 5xx at 12 %",
        priority=Priority.P1,
        reached=Priority.P1,
        score=Score(Priority.P1, Level.HIGH, Level.HIGH, ("checkout is tier 1",), ("severity critical", "production")),
        opened_at=NOW - 60_000,
        changed_at=NOW - 1_000,
        cause_arrival=NOW - 500,
        firing=3,
        members=3,
        count=12,
        services=("checkout",),
        sources=("prometheus",),
        team="payments",
        labels={"env": "prod", "region": "eu-1"},
        severity=Severity.CRITICAL,
        summary="5xx at 12 % for 5 min",
        links=(("dashboard", "https://grafana.example.org/d/1"),),
    )
    return replace(base, **changes)


def delivery(action: Action = Action.PAGE, attempt: int = 1, text: Text | None = None, **changes: Any) -> Delivery:
    """An attempt to deliver `headline(**changes)`."""
    line = headline(**changes)
    key = LedgerKey(line.id, line.episode, action, line.reached, 0, "target")
    words = text or Text("P1 checkout: 5xx at 12 %", "3 members, 12 alerts", ("checkout is tier 1",))
    return Delivery(key, attempt, line, words, NOW)


def secret(value: str) -> Secret:
    """As if read from the environment."""
    return Secret.resolve({"env": "X"}, {"X": value}, __import__("pathlib").Path())

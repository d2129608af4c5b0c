"""What each real payload of axiom is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "axiom",
    (
        Row(
            "axiom/monitor_open.json",
            "axiom",
            "alerts",
            (
                Seen(
                    {"monitor": "Rxg89nIwu9WwrOsJKA"},
                    "New monitor",
                    "firing",
                    "medium",
                    starts="2025-02-15T14:59:03Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

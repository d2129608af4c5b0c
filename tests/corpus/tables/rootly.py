"""What each real payload of rootly is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "rootly",
    (
        Row(
            "rootly/incident_created.json",
            "rootly",
            "alerts",
            (
                Seen(
                    {"incident": "abc123-def456"},
                    "API latency spike detected",
                    "firing",
                    "high",
                    starts="2026-01-19T12:00:00Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

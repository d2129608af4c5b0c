"""What each real payload of dash0 is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "dash0",
    (
        Row(
            "dash0/issue_resolved.json",
            "dash0",
            "alerts",
            (
                Seen(
                    {"issue": "6820705469291328438"},
                    "New Check Rule",
                    "resolved",
                    "medium",
                    "my-first-observable-service",
                    "2025-02-03T07:17:17.474Z",
                    "2025-02-03T07:24:17.474Z",
                ),
            ),
        ),
        Row(
            "dash0/synthetic_check_critical.json",
            "dash0",
            "alerts",
            (
                Seen(
                    {"issue": "synthetic-check-api-health"},
                    "API Health Check",
                    "firing",
                    "critical",
                    "api",
                    "2026-02-20T12:00:00Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

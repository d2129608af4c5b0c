"""What each real payload of firehydrant is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "firehydrant",
    (
        Row(
            "firehydrant/incident_created.json",
            "firehydrant",
            "alerts",
            (
                Seen(
                    {"incident": "21fe20b5-8012-4a51-a34c-623b1389af66"},
                    "Production Database Accidentally Deleted",
                    "firing",
                    "critical",
                    starts="2026-03-02T14:43:05Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

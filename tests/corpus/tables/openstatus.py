"""What each real payload of openstatus is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "openstatus",
    (
        Row(
            "openstatus/recovered.json",
            "openstatus",
            "alerts",
            (Seen({"monitor": "1"}, "test", "resolved", "medium", ends="2025-04-07T11:01:45.307Z"),),
        ),
    ),
    mapped=True,
)

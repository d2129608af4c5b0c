"""What each real payload of checkmk is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "checkmk",
    (
        Row(
            "checkmk/host_recovery.json",
            "checkmk",
            "alerts",
            (Seen({"site": "cmk", "host": "server1"}, "server1", "resolved", "info", ends="2024-10-26T23:20:39Z"),),
        ),
    ),
    mapped=True,
)

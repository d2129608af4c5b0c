"""What each real payload of logfire is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "logfire",
    (
        Row(
            "logfire/alert_firing.json",
            "logfire",
            "alerts",
            (Seen({"alert": "alt_123"}, "Latency spike", "firing", "medium"),),
        ),
    ),
    mapped=True,
)

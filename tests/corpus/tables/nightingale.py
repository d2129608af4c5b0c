"""What each real payload of nightingale is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "nightingale",
    (
        # An event of the table of current events: it has no `is_recovered`, for it stands there while it fires.
        Row(
            "nightingale/current_event.json",
            "nightingale",
            "alerts",
            (
                Seen(
                    {"hash": "rule_10_xxxx"},
                    "CPU usage too high",
                    "firing",
                    "critical",
                    starts="2024-04-01T19:33:20Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

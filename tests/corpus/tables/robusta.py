"""What each real payload of robusta is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "robusta",
    (
        Row(
            "robusta/send_alerts_api.json",
            "robusta",
            "alerts",
            (
                Seen(
                    {"source": "monitoring-system", "key": "test-service-issues"},
                    "Test Service Down",
                    "firing",
                    "high",
                ),
            ),
        ),
    ),
    mapped=True,
)

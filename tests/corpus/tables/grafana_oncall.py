"""What each real payload of grafana_oncall is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "grafana_oncall",
    (
        Row(
            "grafana_oncall/formatted_webhook.json",
            "grafana",
            "alerts",
            (
                Seen(
                    {"alert_uid": "08d6891a-835c-e661-39fa-96b6a9e26552"},
                    "TestAlert: The whole system is down",
                    "firing",
                    "medium",
                ),
            ),
            says="severity missing",
        ),
    ),
)

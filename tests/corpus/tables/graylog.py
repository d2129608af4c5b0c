"""What each real payload of graylog is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "graylog",
    (
        Row(
            "graylog/event_notification.json",
            "graylog",
            "alerts",
            (
                Seen(
                    {"event_definition": "671a28a03696bb3801a7a9f1"},
                    "Event - 1",
                    "firing",
                    "high",
                    starts="2024-10-24T10:22:04.556Z",
                ),
            ),
        ),
        Row(
            "graylog/legacy_check_result.json",
            "graylog",
            "alerts",
            (
                Seen(
                    {"stream": "55f1509dbee8e2841898eb64", "condition": "5e7a9c8d-9bb1-47b6-b8db-4a3a83a25e0c"},
                    "test",
                    "firing",
                    "medium",
                    starts="2015-09-10T09:45:54.749Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

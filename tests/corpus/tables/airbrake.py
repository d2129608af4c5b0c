"""What each real payload of airbrake is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "airbrake",
    (
        Row(
            "airbrake/error_message.json",
            "airbrake",
            "alerts",
            (
                Seen(
                    {"error": "1705190192091077626"},
                    "ZeroDivisionError: Error message from logger",
                    "firing",
                    "medium",
                    "ZulipIntegrationTest",
                    "2016-06-10T17:07:10.760Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

"""What each real payload of thousandeyes is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "thousandeyes",
    (
        Row(
            "thousandeyes/agent_offline_trigger.json",
            "thousandeyes",
            "alerts",
            (
                Seen(
                    {"alert": "562949955000593"},
                    "Default Agent Offline Notification",
                    "firing",
                    "info",
                    starts="2025-03-24T17:28:40Z",
                ),
            ),
        ),
        Row(
            "thousandeyes/http_alert_second.json",
            "thousandeyes",
            "alerts",
            (
                Seen(
                    {"alert": "5abda706-c065-40fa-aa8c-059c3ac1ea9d"},
                    "PDF Test",
                    "resolved",
                    "info",
                    starts="2025-03-17T19:43:00Z",
                    ends="2025-03-24T17:21:00Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

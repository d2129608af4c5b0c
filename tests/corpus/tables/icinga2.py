"""What each real payload of icinga2 is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_FORTUNE = "random fortune"


def _tags(host: str) -> dict[str, str]:
    return {"host": host, "service": _FORTUNE}


TABLE = Table(
    "icinga2",
    (
        # This very result made the state hard: the alert begins with it.
        Row(
            "icinga2/event_stream_check_result.json",
            "icinga2",
            "alerts",
            (
                Seen(
                    {"host": "example.localdomain", "service": "ping4"},
                    "ping4",
                    "firing",
                    "critical",
                    starts="2015-10-21T09:55:19.723Z",
                ),
            ),
        ),
        Row(
            "icinga2/notifications_process_event_crit.json",
            "icinga2",
            "alerts",
            (Seen(_tags("dummy-809"), _FORTUNE, "firing", "critical"),),
        ),
        Row(
            "icinga2/notifications_process_event_ok.json",
            "icinga2",
            "alerts",
            (Seen(_tags("dummy-809"), _FORTUNE, "resolved", "info"),),
        ),
        Row(
            "icinga2/notifications_send_notification.json",
            "icinga2",
            "alerts",
            (Seen(_tags("dummy-816"), _FORTUNE, "firing", "critical"),),
        ),
    ),
    (("icinga2/notifications_process_event_crit.json", "icinga2/notifications_process_event_ok.json"),),
)

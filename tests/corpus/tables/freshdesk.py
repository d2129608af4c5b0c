"""What each real payload of freshdesk is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_TICKET = {"ticket": "11"}
_SNOWMAN = "Test ticket subject \N{SNOWMAN}"

TABLE = Table(
    "freshdesk",
    (
        Row(
            "freshdesk/freshdesk_ticket_created.json",
            "freshdesk",
            "report",
            (Seen(_TICKET, _SNOWMAN, "firing", "high"),),
        ),
        Row(
            "freshdesk/freshdesk_status_changed.json",
            "freshdesk",
            "report",
            (Seen(_TICKET, _SNOWMAN, "firing", "low"),),
        ),
        Row(
            "freshdesk/freshdesk_priority_changed.json",
            "freshdesk",
            "report",
            (Seen(_TICKET, "Test ticket subject", "resolved", "low"),),
        ),
    ),
    (("freshdesk/freshdesk_ticket_created.json", "freshdesk/freshdesk_priority_changed.json"),),
    mapped=True,
)

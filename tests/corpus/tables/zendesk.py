"""What each real payload of zendesk is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _zd(file: str, *alerts: Seen, outcome: str = "report", says: str = "", detected: str | None = None) -> Row:
    return Row(f"zendesk/{file}.json", "zendesk", outcome, alerts, says, detected=detected)


_INFO = {"ticket": "5158", "account": "22129848"}
_INFO_NAME, _INFO_OPENED = "ticketinfo_2294a6e9ece2", "2025-01-08T10:12:07Z"
_OUTAGE = {"ticket": "48213"}
_NOTHING = "this neither opens nor solves a ticket"

TABLE = Table(
    "zendesk",
    (
        _zd("event_attachment_linked_official", outcome="ignored", says=f"attachment_linked_to_comment: {_NOTHING}"),
        _zd("event_comment_added_kitsune", outcome="ignored", says=f"ticket.comment_added: {_NOTHING}"),
        _zd("event_messaging_message_added", outcome="ignored", says=f"messaging_ticket.message_added: {_NOTHING}"),
        _zd("event_priority_changed_urgent", Seen(_INFO, _INFO_NAME, "firing", "critical", None, _INFO_OPENED)),
        _zd(
            "event_status_changed_solved",
            Seen(_INFO, _INFO_NAME, "resolved", "low", None, _INFO_OPENED, "2025-01-08T11:02:41.102Z"),
        ),
        _zd("event_ticket_created_official", Seen(_INFO, _INFO_NAME, "firing", "low", None, _INFO_OPENED)),
        _zd("trigger_body_comment_added", outcome="ignored", says=f"comment_added: {_NOTHING}"),
        # Nothing in it says that the ticket is one of Zendesk's.
        _zd(
            "trigger_body_solved_no_event",
            Seen({"ticket": "123"}, "ticket 123", "resolved", "medium"),
            detected="auto",
        ),
        _zd("trigger_body_test_ping", outcome="ignored", says="a test of the webhook"),
        _zd("trigger_victorops_critical_open", Seen(_OUTAGE, "ticket 48213", "firing", "critical")),
        _zd("trigger_victorops_recovery_solved", Seen(_OUTAGE, "ticket 48213", "resolved", "critical")),
        # Its state stands in the text of a message only.
        _zd(
            "trigger_zulip_markdown_message",
            outcome="quarantined",
            says='the ticket\'s status is missing: add "ticket_status"',
        ),
        # Its days have no time of day and no offset.
        _zd(
            "trigger_zulip_ticket_create_update",
            Seen({"ticket": "7"}, "Hello world", "firing", "medium"),
            says="time unreadable, taken as absent (2)",
        ),
    ),
    (
        ("zendesk/event_ticket_created_official.json", "zendesk/event_status_changed_solved.json"),
        ("zendesk/event_priority_changed_urgent.json", "zendesk/event_status_changed_solved.json"),
        ("zendesk/trigger_victorops_critical_open.json", "zendesk/trigger_victorops_recovery_solved.json"),
    ),
)

"""What each real payload of slack is, where the source names no channels."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _sl(file: str, *alerts: Seen, outcome: str = "report", says: str = "") -> Row:
    return Row(f"slack/{file}.json", "slack", outcome, alerts, says)


def _said(ts: str, text: str, starts: str) -> Seen:
    return Seen({"channel": "C111", "ts": ts}, text, "firing", "medium", None, starts)


_MENTION = _said("1595926230.009600", "Hi there!", "2020-07-28T08:50:30.009Z")
_POSTED = "as programs post it to an incoming webhook of Slack"

TABLE = Table(
    "slack",
    (
        _sl("app_mention", _MENTION),
        _sl("app_mention_shared_channel", _MENTION),
        _sl("incoming_webhook_attachment_alert", outcome="quarantined", says=_POSTED),
        _sl("incoming_webhook_null_text", outcome="quarantined", says=_POSTED),
        # Its author is the bot user that the app is authorised as: the app hears itself.
        _sl("message_bot_user_with_blocks", outcome="ignored", says="the app that listens posted the message itself"),
        _sl("message_deleted", outcome="ignored", says="message_deleted: this is no new message"),
        _sl(
            "message_subtype_bot_message",
            _said("1610262363.001600", "Hi there! Thanks for sharing the info!", "2021-01-10T07:06:03.001Z"),
        ),
        _sl("message_thread_broadcast", outcome="ignored", says="a reply in the thread of another message"),
        _sl("message_user_plain", _said("1596183880.004200", "Hello World!", "2020-07-31T08:24:40.004Z")),
        _sl(
            "message_user_ticket_refs",
            _said(
                "1596183880.004200",
                "Please fix JIRA-1234, SCM-567 and BUG-169 as soon as you can!",
                "2020-07-31T08:24:40.004Z",
            ),
        ),
        _sl("slash_command_form_fields", Seen({"trigger": "111.111.REDACTED"}, "Hi", "firing", "medium")),
        _sl("url_verification", outcome="handshake", says="Slack asks whether this address is ours"),
        _sl(
            "user_report_checkout_down",
            _said(
                "1755002460.000100",
                "is checkout down for anyone else? getting 500s on every payment since ~10 min",
                "2025-08-12T12:41:00Z",
            ),
        ),
        _sl(
            "user_report_checkout_down_second_user",
            _said(
                "1755002515.000200",
                '+1, payments page just spins and then "Something went wrong" :fire:',
                "2025-08-12T12:41:55Z",
            ),
        ),
        _sl("user_report_thread_reply_resolved", outcome="ignored", says="a reply in the thread of another message"),
    ),
)

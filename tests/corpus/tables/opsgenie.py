"""What each real payload of opsgenie is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _og(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "") -> Row:
    return Row(f"opsgenie/{file}.json", "opsgenie", outcome, alerts, says)


_TEST = {"alias": "aliastest"}
_OPENED, _ENDED = "2015-01-05T10:03:11.104Z", "2015-01-05T10:06:14.669Z"
_IS_OVER = Seen(_TEST, "test alert", "resolved", "medium", None, _OPENED, _ENDED)
_NOTHING = "neither fires nor resolves"
_WHO = "user-85a0a3@example.com"

TABLE = Table(
    "opsgenie",
    (
        _og("api_close_alert", outcome="quarantined", says="a request to Opsgenie's alert API whose address says"),
        _og(
            "jsm_alert_created",
            Seen(
                {"alias": "9e1c6a9e-1234-4a1a-8f1a-0a1b2c3d4e5f"},
                "CPU usage above 90% on payments-api",
                "firing",
                "high",
            ),
        ),
        _og("rest_alert_b", outcome="quarantined", says="an alert as Opsgenie's REST API lists it"),
        _og("rest_alert_d", outcome="quarantined", says="an alert as Opsgenie's REST API lists it"),
        _og("rest_incident_b", outcome="quarantined", says="an incident as Opsgenie's REST API lists it"),
        _og("webhook_acknowledge", outcome="commands", says=f"acknowledge by {_WHO} of aliastest"),
        _og("webhook_addnote", outcome="commands", says=f"note by {_WHO} of aliastest"),
        _og("webhook_addtags", outcome="ignored", says=f"AddTags: this action {_NOTHING}"),
        _og("webhook_addteam", outcome="ignored", says=f"AddTeam: this action {_NOTHING}"),
        _og("webhook_close", _IS_OVER),
        _og(
            "webhook_create",
            Seen({"alias": "alert-alias"}, "another alert", "firing", "medium", None, "2017-08-14T11:25:56.288Z"),
        ),
        _og(
            "webhook_create_official_pair_of_close",
            Seen(_TEST, "test alert", "firing", "medium", None, _OPENED),
            says="severity missing",
        ),
        _og("webhook_customaction", outcome="ignored", says=f"TestAction: this action {_NOTHING}"),
        _og("webhook_delete", _IS_OVER),
        _og("webhook_escalate", outcome="ignored", says=f"Escalate: this action {_NOTHING}"),
        _og("webhook_takeownership", outcome="ignored", says=f"TakeOwnership: this action {_NOTHING}"),
    ),
    (
        ("opsgenie/webhook_create_official_pair_of_close.json", "opsgenie/webhook_close.json"),
        ("opsgenie/webhook_create_official_pair_of_close.json", "opsgenie/webhook_delete.json"),
    ),
)

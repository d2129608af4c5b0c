"""What each real payload of newrelic is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _nr(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "") -> Row:
    return Row(f"newrelic/{file}.json", "newrelic", outcome, alerts, says)


_DOWN, _DOWN_AT = {"incident": "1234"}, "2020-11-11T22:32:11.151Z"


def _issue(identity: str) -> dict[str, str]:
    return {"issue": identity}


TABLE = Table(
    "newrelic",
    (
        _nr("legacy_acknowledged", outcome="ignored", says="acknowledged (Alice): somebody acknowledged it"),
        _nr("legacy_closed", Seen(_DOWN, "Server Down", "resolved", "medium", None, None, _DOWN_AT)),
        _nr("legacy_defaults_only", outcome="quarantined", says="incident_id is missing"),
        _nr(
            "legacy_incident_alerta",
            Seen(
                {"incident": "0"},
                "New Relic Alert - Test Condition",
                "firing",
                "info",
                None,
                "2020-09-25T11:23:27.849Z",
            ),
        ),
        _nr(
            "legacy_incident_open",
            Seen({"incident": "9876543"}, "High CPU on web tier", "firing", "critical", None, "2024-05-03T00:00:00Z"),
        ),
        # Its time has no offset.
        _nr(
            "legacy_malformatted_time",
            Seen(_DOWN, "Server Down", "firing", "medium"),
            says="time unreadable, taken as absent (1)",
        ),
        _nr("legacy_missing_state", outcome="quarantined", says="missing_field: current_state must be open"),
        _nr("legacy_opened", Seen(_DOWN, "Server Down", "firing", "medium", None, _DOWN_AT), says="severity missing"),
        _nr(
            "new_activated",
            Seen(_issue("8ceed342-f305-4bfa-adb8-97ba93f5dd26"), "Server Down", "firing", "medium", None, _DOWN_AT),
        ),
        _nr(
            "new_created",
            Seen(_issue("8114ada3-572e-4550-a310-12375371669e"), "Server Down", "firing", "medium", None, _DOWN_AT),
        ),
        _nr("new_state_not_recognized", outcome="quarantined", says="got hello world"),
        _nr(
            "workflow_acknowledged_zulip",
            Seen(
                _issue("13bbcdca-f0b6-470d-b0be-b34583c58869"),
                "Storage on Host Exceeded Threshold",
                "firing",
                "high",
                None,
                "2024-04-22T07:12:29.493Z",
            ),
        ),
        # Its entity is an APM application by its GUID.
        _nr(
            "workflow_activated_rich",
            Seen(
                _issue("test-issue-123"),
                "High CPU Usage",
                "firing",
                "critical",
                "production-server",
                "2024-01-29T15:00:00Z",
            ),
        ),
        _nr(
            "workflow_closed_minimal",
            Seen(_issue("test-issue-456"), "Test Condition", "resolved", "high", None, None, "2024-01-29T16:00:00Z"),
        ),
        _nr(
            "workflow_custom_template",
            Seen(_issue("abc-123"), "p95 latency", "firing", "high", None, "2024-05-03T00:00:00Z"),
        ),
    ),
    (
        ("newrelic/legacy_opened.json", "newrelic/legacy_closed.json"),
        ("newrelic/legacy_malformatted_time.json", "newrelic/legacy_closed.json"),
    ),
)

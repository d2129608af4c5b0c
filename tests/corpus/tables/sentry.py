"""What each real payload of sentry is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _se(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "") -> Row:
    return Row(f"sentry/{file}.json", "sentry", outcome, alerts, says)


def _firing(issue: str, name: str, severity: str, service: str, starts: str) -> Seen:
    return Seen({"issue": issue}, name, "firing", severity, service, starts)


_ZULIP = "zulip-integration-testing"
# One issue, told of by its own webhook and by an alert's event.
_EXCEPTION = _firing("1635244907", "Exception: Custom exception!", "high", _ZULIP, "2020-04-28T13:56:05.903Z")

TABLE = Table(
    "sentry",
    (
        _se(
            "event_alert_triggered_message",
            _firing("1635261062", "A simple message-based issue.", "info", _ZULIP, "2020-04-28T14:05:04.210Z"),
        ),
        _se("event_alert_triggered_python", _EXCEPTION),
        _se("issue_created", _EXCEPTION),
        _se("issue_ignored", outcome="ignored", says="the issue was archived"),
        _se(
            "keep_mock_database_timeout",
            _firing("4616132099", "Failed to load product catalog", "high", "frontend-app", "2024-03-09T13:38:05.873Z"),
        ),
        _se(
            "keep_mock_server_overload",
            _firing("4616132098", "Order submission failed", "high", "frontend-app", "2024-03-09T13:36:25.873Z"),
        ),
        _se(
            "legacy_plugin_sample",
            _firing("4218258981", "This is an example Python exception", "high", "python", "2023-07-09T20:41:24.772Z"),
        ),
        _se(
            "legacy_raven_python",
            _firing(
                "4311163364", "ZeroDivisionError: division by zero", "high", "python-raven", "2023-07-12T20:47:51Z"
            ),
        ),
    ),
)

"""What each real payload of datadog is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _dd(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", later: bool = False) -> Row:
    return Row(f"datadog/{file}.json", "datadog", outcome, alerts, says, later)


_DOCK = {"title": "Dock is almost out of memory...", "group": "host:i-3b93aafb"}
_LATENCY = {"aggreg_key": "monitor-1234-prod-api"}


def _cascade(file: str, title: str) -> Row:
    """Five monitors of one host with one event id: told apart by their titles."""
    identity = {"title": title, "group": "host:db-incident-sandbox"}
    return _dd(file, Seen(identity, title, "firing", "high", starts="2025-04-30T11:45:50Z"))


_DATADOG = (
    _dd(
        "captured_triggered_metric_alert",
        Seen(_DOCK, "Dock is almost out of memory...", "firing", "high", starts="2015-11-25T07:12:10Z"),
    ),
    _dd(
        "captured_recovered_metric_alert",
        Seen(_DOCK, "Dock is almost out of memory...", "resolved", "medium", ends="2015-11-25T07:11:17Z"),
        says="severity missing",
    ),
    _dd(
        "captured_triggered_p1_with_aggregate",
        Seen(
            {"aggreg_key": "06ade3da0286048d242ea8e46f521c93"},
            "High tracking",
            "firing",
            "critical",
            starts="2025-10-01T18:37:04Z",
        ),
    ),
    _dd(
        "triggered_p2",
        Seen({"title": "Memory usage alert"}, "Memory usage alert", "firing", "high", starts="2025-10-01T18:37:04Z"),
    ),
    _dd(
        "triggered_p3",
        Seen({"title": "Disk usage alert"}, "Disk usage alert", "firing", "medium", starts="2025-10-01T18:37:04Z"),
    ),
    _dd(
        "recovered_p1",
        Seen({"title": "High tracking"}, "High tracking", "resolved", "critical", ends="2025-10-01T18:35:04Z"),
    ),
    _cascade("postgres_cascade_1_cpu", "DB Host is near the max CPU usage limit"),
    _cascade("postgres_cascade_2_lock_contention", "PostgreSQL Lock Contention Critical"),
    _cascade("postgres_cascade_3_slow_query", "PostgreSQL Slow Query Detection"),
    _cascade("postgres_cascade_4_pool", "PostgreSQL Connection Pool Near Saturation"),
    _cascade("postgres_cascade_5_shutdown", "Unexpected showdown PostgreSQL DB"),
    _dd(
        "eventbridge_partner_triggered",
        Seen(
            {"monitor_id": "222222", "scope": "aws_account:123456789012,monitor"},
            "UnHealthyHostCount",
            "firing",
            "high",
            starts="2023-10-25T14:42:25Z",
        ),
    ),
    _dd("full_template_triggered", Seen(_LATENCY, "API latency is high", "firing", "critical", "api")),
    _dd("full_template_recovered", Seen(_LATENCY, "API latency is high", "resolved", "critical", "api")),
    _dd(
        "superplane_triggered",
        Seen({"monitor_id": "12345"}, "CPU High", "firing", "high", "web", starts="2024-01-01T00:00:00Z"),
    ),
    _dd("keep_mock_mq_consumer_struggling", outcome="quarantined", says="no transition"),
    _dd(
        "nb_synthetics_triggered",
        Seen(
            {"aggreg_key": "73e071f5c67d33400f240ec415c2d48e"},
            "[Synthetics] XYZ - A monitor that always fails",
            "firing",
            "medium",
            starts="2026-03-14T11:57:50Z",
        ),
    ),
    _dd(
        "nb_metric_triggered_asg",
        Seen(
            {"aggreg_key": "3f63d7b1a675db4d4f79cb6efcbb8afc"},
            "XYZ Dev - Web ASG At Max Capacity",
            "firing",
            "high",
            starts="2026-03-14T22:42:57Z",
        ),
    ),
    _dd(
        "nb_warn_rds_latency",
        Seen(
            {"aggreg_key": "abc123def456"},
            "XYZ Dev - RDS High Write Latency",
            "firing",
            "medium",
            starts="2026-03-16T13:09:06Z",
        ),
    ),
)

TABLE = Table(
    "datadog",
    _DATADOG,
    (
        ("datadog/captured_triggered_metric_alert.json", "datadog/captured_recovered_metric_alert.json"),
        ("datadog/full_template_triggered.json", "datadog/full_template_recovered.json"),
    ),
)

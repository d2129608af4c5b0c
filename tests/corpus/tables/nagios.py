"""What each real payload of nagios is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_LAG = {"host": "db-01", "service": "MySQL Replication Lag"}

TABLE = Table(
    "nagios",
    (
        # A problem is notified again and again, so the time of its notification is not that of its beginning.
        Row(
            "nagios/service_problem_critical.json",
            "nagios",
            "alerts",
            (Seen(_LAG, "MySQL Replication Lag", "firing", "critical"),),
        ),
        Row(
            "nagios/service_recovery_ok.json",
            "nagios",
            "alerts",
            (Seen(_LAG, "MySQL Replication Lag", "resolved", "info", ends="2025-08-12T09:50:00Z"),),
        ),
        Row(
            "nagios/service_acknowledgement.json",
            "nagios",
            "ignored",
            says="ACKNOWLEDGEMENT: somebody acknowledged it",
            detected="nagios",
        ),
        Row(
            "nagios/host_down.json",
            "nagios",
            "alerts",
            (Seen({"host": "db-01"}, "Host db-01", "firing", "critical"),),
        ),
        Row(
            "nagios/keep_mock_problem_critical.json",
            "nagios",
            "alerts",
            (Seen({"host": "webserver01", "service": "HTTP"}, "HTTP", "firing", "critical"),),
        ),
    ),
    (("nagios/service_problem_critical.json", "nagios/service_recovery_ok.json"),),
)

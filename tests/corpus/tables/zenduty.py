"""What each real payload of Zenduty is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _row(file: str, incident: str, name: str, service: str, starts: str, says: str = "") -> Row:
    seen = Seen({"incident": incident}, name, "firing", "high", service, starts)
    return Row(f"zenduty/{file}.json", "zenduty", "alerts", (seen,), says)


TABLE = Table(
    "zenduty",
    (
        _row("free_form", "ZD-999", "Disk full on prod-db-1", "Database Team", "2026-05-25T08:00:00Z"),
        _row(
            "grafana_alert",
            "ZDFAKEINCIDENT00000001",
            "[Grafana] - [FIRING:1] DatasourceNoData Alarms "
            "(GRAFAKEDS00000001 A Sample Service Response Time > 2s warning)",
            "Sample Service",
            "2026-05-25T06:06:23Z",
        ),
        # Zenduty's urgencies are 0 and 1; this one says 2, which is no word of its own.
        _row(
            "prometheus_alert",
            "ZD-PROM-99",
            "[Prometheus][KubePodCrashLooping] - Pod is crash looping.",
            "Payments Team",
            "2026-05-25T07:00:00Z",
            "severity unknown, high taken",
        ),
    ),
    mapped=True,
)

"""What each real payload of opentelemetry is."""

from __future__ import annotations

from tests.corpus.rows import Row, Table

TABLE = Table(
    "opentelemetry",
    (
        Row(
            "opentelemetry/otlp_logs.json",
            "opentelemetry",
            "ignored",
            says="1 records below error",
            detected="opentelemetry",
        ),
        Row(
            "opentelemetry/otlp_events.json",
            "opentelemetry",
            "ignored",
            says="1 records below error",
            detected="opentelemetry",
        ),
        Row("opentelemetry/otlp_metrics.json", "opentelemetry", "quarantined", says="resourceMetrics are no logs"),
    ),
)

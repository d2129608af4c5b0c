"""What each real payload of gcp_monitoring is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_CPU = {"incident": "0.m2d61b3s6d5d"}
_BEGAN = "2021-05-11T17:35:33Z"

TABLE = Table(
    "gcp_monitoring",
    (
        Row(
            "gcp_monitoring/v12_open_cpu.json",
            "gcp_monitoring",
            "alerts",
            (Seen(_CPU, "test condition", "firing", "medium", None, _BEGAN),),
        ),
        Row(
            "gcp_monitoring/v12_closed_cpu.json",
            "gcp_monitoring",
            "alerts",
            (Seen(_CPU, "test condition", "resolved", "medium", None, _BEGAN, "2021-05-18T17:35:36Z"),),
        ),
        Row("gcp_monitoring/v12_missing_fields.json", "gcp_monitoring", "quarantined", says="missing_identity"),
        Row(
            "gcp_monitoring/v11_stackdriver_closed.json",
            "gcp_monitoring",
            "alerts",
            (
                Seen(
                    {"incident": "f2e08c333dc64cb09f75eaab355393bz"},
                    "CPU usage",
                    "resolved",
                    "medium",
                    None,
                    "2017-07-06T19:10:14Z",
                    "2017-07-06T19:20:36Z",
                ),
            ),
        ),
        # Its times are zeros, which mean that there are none; its severity is a system label.
        Row(
            "gcp_monitoring/keep_mock_high_memory_usage.json",
            "gcp_monitoring",
            "alerts",
            (Seen({"incident": "mem-234"}, "Memory Usage > 90%", "firing", "medium"),),
        ),
    ),
    (("gcp_monitoring/v12_open_cpu.json", "gcp_monitoring/v12_closed_cpu.json"),),
)

"""What each real payload of sumologic is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_MONITOR = {"id": "0000000000A1B2C3", "name": "High 5xx rate - checkout"}
_NAME = "High 5xx rate - checkout"

TABLE = Table(
    "sumologic",
    (
        Row(
            "sumologic/monitor_critical.json",
            "sumologic",
            "alerts",
            (Seen(_MONITOR, _NAME, "firing", "critical", starts="2025-08-12T09:35:41Z"),),
        ),
        Row(
            "sumologic/monitor_resolved.json",
            "sumologic",
            "alerts",
            (Seen(_MONITOR, _NAME, "resolved", "critical", ends="2025-08-12T09:55:41Z"),),
        ),
    ),
    (("sumologic/monitor_critical.json", "sumologic/monitor_resolved.json"),),
    mapped=True,
)

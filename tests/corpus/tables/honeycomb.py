"""What each real payload of honeycomb is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_TRIGGER = {"trigger": "kQjkatCVK6M"}

TABLE = Table(
    "honeycomb",
    (
        Row(
            "honeycomb/trigger_fired.json",
            "honeycomb",
            "alerts",
            (Seen(_TRIGGER, "High Error Rate", "firing", "medium"),),
        ),
        Row(
            "honeycomb/trigger_resolved.json",
            "honeycomb",
            "alerts",
            (Seen(_TRIGGER, "High Error Rate", "resolved", "medium"),),
        ),
    ),
    (("honeycomb/trigger_fired.json", "honeycomb/trigger_resolved.json"),),
    mapped=True,
)

"""What each real payload of librato is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_TEMPERATURE = {"alert": "6294535"}

TABLE = Table(
    "librato",
    (
        Row(
            "librato/alert_triggered.json",
            "librato",
            "alerts",
            (Seen(_TEMPERATURE, "alert.name", "firing", "medium", starts="2016-03-31T09:11:42Z"),),
        ),
        Row(
            "librato/three_conditions.json",
            "librato",
            "alerts",
            (Seen(_TEMPERATURE, "TooHighTemperature", "firing", "medium", starts="2016-04-11T20:40:14Z"),),
        ),
        Row(
            "librato/alert_cleared.json",
            "librato",
            "alerts",
            (Seen({"alert": "6309313"}, "Alert_name", "resolved", "medium", ends="2016-04-12T13:11:44Z"),),
        ),
    ),
    mapped=True,
)

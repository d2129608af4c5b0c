"""What each real payload of incident_io is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "incident_io",
    (
        Row(
            "incident_io/incident_created.json",
            "incident_io",
            "alerts",
            (
                Seen(
                    {"incident": "01FDAG4SAP5TYPT98WGR2N7W91"},
                    "Our database is sad",
                    "firing",
                    "low",
                    starts="2021-08-17T13:28:57.801Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

"""What each real payload of statuspage is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_INCIDENT = {"page": "jb7j80lkgqvb", "incident": "z3lct0r596n4"}
_CREATED = "2017-12-26T07:32:00.507Z"

TABLE = Table(
    "statuspage",
    (
        Row(
            "statuspage/incident_created.json",
            "statuspage",
            "alerts",
            (Seen(_INCIDENT, "Database query delays", "firing", "low", starts=_CREATED),),
        ),
        Row(
            "statuspage/incident_resolved.json",
            "statuspage",
            "alerts",
            (Seen(_INCIDENT, "Database query delays", "resolved", "low", None, _CREATED, "2017-12-26T07:37:20.785Z"),),
        ),
        Row("statuspage/component_maintenance.json", "statuspage", "ignored", says="neither that the alert fires"),
    ),
    (("statuspage/incident_created.json", "statuspage/incident_resolved.json"),),
    mapped=True,
)

"""What each real payload of rackspace is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "rackspace",
    (
        Row(
            "rackspace/check_critical_three_zones.json",
            "rackspace",
            "alerts",
            (
                Seen(
                    {"entity": "enTEST", "check": "chTEST", "alarm": "alTEST"},
                    "Alarm Testing Notifications",
                    "firing",
                    "critical",
                    starts="2018-05-23T07:53:38.051Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

"""What each real payload of site24x7 is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_MONITOR = {"monitor": "GoAlert Site24x7 Test"}
_DOWN = "2019-07-30T09:36:59.939Z"

TABLE = Table(
    "site24x7",
    (
        Row(
            "site24x7/monitor_down.json",
            "site24x7",
            "alerts",
            (Seen(_MONITOR, "GoAlert Site24x7 Test", "firing", "critical", starts=_DOWN),),
        ),
        Row(
            "site24x7/monitor_up.json",
            "site24x7",
            "alerts",
            (
                Seen(
                    _MONITOR,
                    "GoAlert Site24x7 Test",
                    "resolved",
                    "medium",
                    starts=_DOWN,
                    ends="2019-07-30T09:41:59.939Z",
                ),
            ),
        ),
    ),
    (("site24x7/monitor_down.json", "site24x7/monitor_up.json"),),
    mapped=True,
)

"""What each real payload of librenms is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "librenms",
    (
        Row(
            "librenms/device_recovered.json",
            "librenms",
            "alerts",
            (Seen({"device": "2", "rule": "13"}, "Devices up/down", "resolved", "info"),),
        ),
    ),
    mapped=True,
)

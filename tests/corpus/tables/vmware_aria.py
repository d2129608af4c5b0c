"""What each real payload of vmware_aria is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "vmware_aria",
    (
        Row(
            "vmware_aria/alert_active.json",
            "vmware_aria",
            "alerts",
            (
                Seen(
                    {"alert": "sample-alert-uuid"},
                    "sample-info",
                    "firing",
                    "medium",
                    starts="2013-05-28T16:09:06.267Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

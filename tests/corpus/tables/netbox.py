"""What each real payload of netbox is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Table

TABLE = Table(
    "netbox",
    (
        Row(
            "netbox/site_created_change.json",
            "netbox",
            "changes",
            changes=(
                Changed(
                    {"model": "site", "id": "4", "request": "7886b12c-593d-46bb-a781-5da0e5be255b"},
                    "inventory",
                    "site Test created",
                    "succeeded",
                    who="admin",
                    when="2025-02-02T11:10:24.231Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

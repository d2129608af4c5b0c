"""What each real payload of statsig is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Table

TABLE = Table(
    "statsig",
    (
        Row(
            "statsig/config_change_gate.json",
            "statsig",
            "changes",
            changes=(
                Changed(
                    {"type": "Gate", "name": "layout_v2", "timestamp": "1709660061095"},
                    "feature flag",
                    "Gate layout_v2 created",
                    "succeeded",
                    who="Test User",
                    when="2024-03-05T17:34:21.095Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

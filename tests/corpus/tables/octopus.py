"""What each real payload of octopus is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Table

TABLE = Table(
    "octopus",
    (
        Row(
            "octopus/deployment_succeeded.json",
            "octopus",
            "changes",
            changes=(
                Changed(
                    {"server": "https://my-company.octopus.app", "deployment": "Deployments-1011"},
                    "deployment",
                    "deploy Releases-789 to Environments-456",
                    "succeeded",
                    "Projects-123",
                    "Environments-456",
                    None,
                    "2026-02-05T16:00:00Z",
                    "Releases-789",
                ),
            ),
        ),
    ),
    mapped=True,
)

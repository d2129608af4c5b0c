"""What each real payload of harness is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Table

TABLE = Table(
    "harness",
    (
        Row(
            "harness/pipeline_failed.json",
            "harness",
            "changes",
            changes=(Changed({"execution": "3y9YlBC9SrOn6W7bPT5nCw"}, "pipeline", "deploy_prod", "failed"),),
        ),
    ),
    mapped=True,
)

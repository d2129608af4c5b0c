"""What each real payload of circleci is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Table

TABLE = Table(
    "circleci",
    (
        Row(
            "circleci/workflow_completed.json",
            "circleci",
            "changes",
            changes=(
                Changed(
                    {"workflow": "fda08377-fe7e-46b1-8992-3a7aaecac9c3"},
                    "workflow run",
                    "build-test-deploy",
                    "succeeded",
                    "repo",
                    when="2021-09-01T22:49:34.317Z",
                    link="https://app.circleci.com/pipelines/github/username/repo/130/workflows/"
                    "fda08377-fe7e-46b1-8992-3a7aaecac9c3",
                ),
            ),
        ),
    ),
    mapped=True,
)

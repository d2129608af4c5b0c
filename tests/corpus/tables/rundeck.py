"""What each real payload of rundeck is: a job that fails or takes too long fires until it succeeds."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_JOB = {"project": "welcome-project-community", "job": "a0296d93-4b10-48d7-8b7d-86ad3f603b85"}


def _job(status: str) -> Seen:
    # The bodies tell when the execution began, which is not when it failed, was late or succeeded.
    return Seen(_JOB, "Global Log Filter Usage", status, "medium")


TABLE = Table(
    "rundeck",
    (
        Row("rundeck/start.json", "rundeck", "ignored", says="a job that starts"),
        Row("rundeck/failure.json", "rundeck", "alerts", (_job("firing"),)),
        Row("rundeck/success.json", "rundeck", "alerts", (_job("resolved"),)),
        Row("rundeck/average_duration_exceeded.json", "rundeck", "alerts", (_job("firing"),)),
    ),
    (
        ("rundeck/failure.json", "rundeck/success.json"),
        ("rundeck/average_duration_exceeded.json", "rundeck/success.json"),
    ),
    mapped=True,
)

"""What each real payload of checkly is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_CHECK = {"check": "927a2982-1007-4b81-b383-eae8bf717e61"}

TABLE = Table(
    "checkly",
    (
        Row(
            "checkly/api_check_failure.json",
            "checkly",
            "alerts",
            (Seen(_CHECK, "API Check #1", "firing", "high", starts="2025-01-26T11:14:40.120Z"),),
        ),
        Row(
            "checkly/api_check_recovery.json",
            "checkly",
            "alerts",
            (Seen(_CHECK, "API Check #1", "resolved", "high"),),
        ),
    ),
    (("checkly/api_check_failure.json", "checkly/api_check_recovery.json"),),
    mapped=True,
)

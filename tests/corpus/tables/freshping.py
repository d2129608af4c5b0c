"""What each real payload of freshping is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_CHECK = {"check": "585767"}
_APPLICATION = "'s Application"

TABLE = Table(
    "freshping",
    (
        Row(
            "freshping/unreachable.json",
            "freshping",
            "alerts",
            (Seen(_CHECK, "Test Check", "firing", "medium", _APPLICATION, "2021-04-15T19:46:47.644Z"),),
        ),
        Row(
            "freshping/reachable.json",
            "freshping",
            "alerts",
            (Seen(_CHECK, "Test Check", "resolved", "medium", _APPLICATION, ends="2021-04-15T19:57:32.607Z"),),
        ),
        Row("freshping/test.json", "freshping", "ignored", says="test"),
    ),
    (("freshping/unreachable.json", "freshping/reachable.json"),),
    mapped=True,
)

"""What each real payload of riemann is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "riemann",
    (
        Row(
            "riemann/event_ok.json",
            "riemann",
            "alerts",
            (
                Seen(
                    {"host": "hostbob", "service": "servicejane"},
                    "servicejane",
                    "resolved",
                    "medium",
                    "servicejane",
                ),
            ),
        ),
    ),
    mapped=True,
)

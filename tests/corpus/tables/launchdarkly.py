"""What each real payload of launchdarkly is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Table

TABLE = Table(
    "launchdarkly",
    (
        Row(
            "launchdarkly/flag_turned_off.json",
            "launchdarkly",
            "changes",
            changes=(
                Changed(
                    {"resource": "proj/default:env/test:flag/another-toggle-feature", "date": "1771939563356"},
                    "feature flag",
                    "turned off the flag Another Toggle Feature",
                    "succeeded",
                    where="Test",
                    who="John Doe",
                    when="2026-02-24T13:26:03.356Z",
                ),
            ),
        ),
    ),
    mapped=True,
)

"""What each real payload of cloudevents is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

TABLE = Table(
    "cloudevents",
    (
        Row(
            "cloudevents/alertmanager_in_cloudevent.json",
            "cloudevents",
            "alerts",
            (
                Seen(
                    {"key": "a1b2c3d4e5f6a7b8"},
                    "HighErrorRate",
                    "firing",
                    "critical",
                    "checkout-api",
                    "2024-01-15T10:25:00Z",
                ),
            ),
        ),
        # Nothing in these says that something is wrong, or over.
        Row(
            "cloudevents/azure_eventgrid_cloudevent.json",
            "cloudevents",
            "quarantined",
            says="does not say whether something fires",
            detected="cloudevents",
        ),
        Row("cloudevents/spec_structured_first.json", "cloudevents", "quarantined", says="does not say whether"),
        Row("cloudevents/spec_structured_json_data.json", "cloudevents", "quarantined", says="does not say whether"),
    ),
)

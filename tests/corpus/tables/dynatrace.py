"""What each real payload of dynatrace is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_PROBLEM = {"problem": "-1234567890123456789_V2"}
_TITLE = "High failure rate on checkout-service"
_BEGAN = "2021-01-01T00:00:00Z"

TABLE = Table(
    "dynatrace",
    (
        Row(
            "dynatrace/service_availability_problem.json",
            "dynatrace",
            "alerts",
            (Seen(_PROBLEM, _TITLE, "firing", "critical", "checkout-service", _BEGAN),),
        ),
        Row(
            "dynatrace/service_availability_problem_resolved.json",
            "dynatrace",
            "alerts",
            (Seen(_PROBLEM, _TITLE, "resolved", "critical", "checkout-service", _BEGAN, "2021-01-01T01:00:00Z"),),
        ),
        Row(
            "dynatrace/webhook_classic_template_filled.json",
            "dynatrace",
            "alerts",
            (
                Seen(
                    {"problem": "-1234567890123456789_1609459200000V2"},
                    "Failure rate increase",
                    "firing",
                    "high",
                    "checkout-service",
                ),
            ),
        ),
        Row(
            "dynatrace/webhook_test_notification.json",
            "dynatrace",
            "alerts",
            (Seen({"ProblemID": "999"}, "Dynatrace problem notification test run", "firing", "medium"),),
            says="severity missing",
        ),
        Row(
            "dynatrace/davis_event_workflow.json",
            "dynatrace",
            "ignored",
            says="category INFO",
            detected="dynatrace",
        ),
        Row("dynatrace/events_v2_problem_object.json", "dynatrace", "quarantined", says="as the Problems API lists it"),
    ),
    (("dynatrace/service_availability_problem.json", "dynatrace/service_availability_problem_resolved.json"),),
)

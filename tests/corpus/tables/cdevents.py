"""What each real payload of cdevents is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Seen, Table

_INCIDENT = {"source": "/monitoring/prod1", "subject": "incident-123"}
_AT = "2022-11-11T13:52:20.079Z"
_EVENT = {"source": "/event/source/123", "event": "271069a8-fc18-44f1-b38f-9d70a1695819"}
_ARTIFACT = "pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"


def _service(what: str) -> tuple[Changed, ...]:
    name, when = f"{what} of mySubject123", "2023-03-20T14:27:05.315Z"
    return (Changed(_EVENT, what, name, "succeeded", "mySubject123", "test123", None, when, _ARTIFACT),)


TABLE = Table(
    "cdevents",
    (
        Row(
            "cdevents/incident_detected.json",
            "cdevents",
            "alerts",
            (Seen(_INCIDENT, "Response time above threshold of 100ms", "firing", "medium", "myApp", _AT),),
            says="severity missing",
        ),
        Row(
            "cdevents/incident_reported.json",
            "cdevents",
            "report",
            (Seen(_INCIDENT, "Response time above threshold of 100ms", "firing", "medium", "myApp", _AT),),
        ),
        Row(
            "cdevents/incident_resolved.json",
            "cdevents",
            "alerts",
            (Seen(_INCIDENT, "incident-123", "resolved", "medium", "myApp", ends=_AT),),
        ),
        Row("cdevents/service_deployed.json", "cdevents", "changes", changes=_service("deployment")),
        Row("cdevents/service_upgraded.json", "cdevents", "changes", changes=_service("upgrade")),
        Row("cdevents/service_rolledback.json", "cdevents", "changes", changes=_service("rollback")),
        Row(
            "cdevents/ticket_created.json",
            "cdevents",
            "report",
            (
                Seen(
                    {"source": "/ticketing/system", "subject": "ticket-123"},
                    "New CVE-123 detected",
                    "firing",
                    "high",
                    starts=_AT,
                ),
            ),
        ),
    ),
    (("cdevents/incident_detected.json", "cdevents/incident_resolved.json"),),
)

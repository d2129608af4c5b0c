"""What each real payload of pagerduty is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Seen, Table


def _pd(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", changes: tuple[Changed, ...] = ()) -> Row:
    return Row(f"pagerduty/{file}.json", "pagerduty", outcome, alerts, says, changes=changes)


def _answer(file: str, says: str) -> Row:
    return _pd(file, outcome="commands", says=says)


def _incident(incident: str) -> dict[str, str]:
    return {"incident": incident}


_WEBDEMO = _incident("PRORDTY")
_XDB = "Production XDB Cluster"
# explain() reads every body at one place: what a trigger without a key is told by.
_PLACE = {"event": f"{'0' * 32}.0.0.0"}

_TABLE = (
    _pd(
        "change_event_v2",
        outcome="changes",
        changes=(
            Changed(
                {
                    "summary": "Build Success: Increase snapshot create timeout to 30 seconds",
                    "source": "acme-build-pipeline-tool-default-i-9999",
                    "when": "1594975378315",
                },
                "change",
                "Build Success: Increase snapshot create timeout to 30 seconds",
                "unknown",
                where="acme-build-pipeline-tool-default-i-9999",
                when="2020-07-17T08:42:58.315Z",
                link="https://acme.pagerduty.dev/build/2",
            ),
        ),
    ),
    _answer("events_v1_acknowledge", "acknowledge of srv01/HTTP"),
    _pd("events_v1_resolve", Seen({"dedup_key": "srv01/HTTP"}, "srv01/HTTP", "resolved", "medium")),
    _pd(
        "events_v1_trigger",
        Seen(_PLACE, "FAILURE for production/HTTP on machine srv01.acme.com", "firing", "medium"),
        says="no dedup_key: it is an alert of its own",
    ),
    _answer("events_v2_acknowledge", "acknowledge of dedupkeyhere"),
    _pd("events_v2_resolve", Seen({"dedup_key": "dedupkeyhere"}, "dedupkeyhere", "resolved", "medium")),
    _pd(
        "events_v2_trigger_full",
        Seen(
            {"dedup_key": "samplekeyhere"},
            "Example alert on host1.example.com",
            "firing",
            "info",
            "postgres",
            "2015-07-17T08:42:58.315Z",
        ),
    ),
    _pd(
        "v3_incident_priority_updated_zulip",
        Seen(
            _incident("Q3B15VLMF3ASBD"),
            "Critical: Checkout API High Latency",
            "firing",
            "high",
            "Default Service",
            "2026-04-01T02:07:30Z",
        ),
    ),
    _pd(
        "v3_incident_reopened_zulip",
        Seen(
            _incident("Q05XJA8GDXGOB3"),
            "Test Incident 2",
            "firing",
            "medium",
            "Default Service",
            "2026-04-01T02:15:01Z",
        ),
    ),
    _pd(
        "webhook_v1_messages_alerta",
        Seen(
            _incident("PIJ90N7"),
            "45645",
            "resolved",
            "medium",
            "service",
            "2013-07-09T20:25:44Z",
            "2013-07-09T20:25:45Z",
        ),
        says="acknowledge by PagerDuty of the incident PIJ90N7",
    ),
    _pd(
        "webhook_v1_trigger",
        Seen(_incident("P140S4Y"), "foo", "firing", "medium", "Test service", "2015-02-07T21:42:52Z"),
        says="severity missing",
    ),
    _answer("webhook_v2_acknowledge", "acknowledge by Laura Haley of the incident PRORDTY"),
    _pd(
        "webhook_v2_resolve",
        Seen(_WEBDEMO, "My new incident", "resolved", "high", _XDB, "2017-09-26T15:14:36Z", "2017-09-26T15:18:09Z"),
    ),
    _pd("webhook_v2_trigger", Seen(_WEBDEMO, "My new incident", "firing", "high", _XDB, "2017-09-26T15:14:36Z")),
    _answer("webhook_v3_acknowledged", "acknowledge by PIG 208 of the incident PQ1K5C8"),
    _pd(
        "webhook_v3_captured_chronosphere",
        Seen(
            _incident("Q2X369CTEOAGYM"),
            "[Critical] Critical | Staging | AWS INF | SQS | ApproximateNumberOfMessagesVisible breached Upper "
            'Threshold {dimension_QueueName="load-worker-staging", tag_alert="SRE-OTR-FTL", tag_env="staging"}',
            "firing",
            "high",
            "SRE-OTR-FTL",
            "2025-08-02T05:33:07Z",
        ),
    ),
    _pd(
        "webhook_v3_captured_cloudwatch_title",
        Seen(
            _incident("Q19Z7CCJDTBD40"),
            "ALARM: CRITICAL | AWS APP | ELB | mm-carrier-updates-worker-stg-al2-r2... in US East (N. Virginia)",
            "firing",
            "high",
            "Event_Catchall_ocean",
            "2025-08-02T15:45:53Z",
        ),
    ),
    _pd(
        "webhook_v3_captured_resolved_user",
        Seen(
            _incident("QEXAMPLE1"),
            "NGINXTooMany400s triggered on nudgebee-api-alerts ",
            "resolved",
            "high",
            "Test-Service",
            "2025-02-12T10:15:08Z",
            "2025-02-15T14:42:34.992Z",
        ),
    ),
    _pd(
        "webhook_v3_captured_triggered_integration",
        Seen(
            _incident("QEXAMPLE1"),
            "up rule triggered on nn ",
            "firing",
            "high",
            "Test-Service",
            "2025-01-24T07:10:05Z",
        ),
    ),
    _answer("webhook_v3_inres_acknowledged", "acknowledge by Jane Smith of the incident PINC123"),
    _pd(
        "webhook_v3_inres_low_urgency",
        Seen(
            _incident("PINC456"),
            "Disk Space Warning on srv02",
            "firing",
            "low",
            "Staging Server",
            "2024-01-15T12:00:00Z",
        ),
    ),
    _pd("webhook_v3_reassigned", outcome="ignored", says="reassigned: this neither fires nor resolves"),
    _pd(
        "webhook_v3_resolved",
        Seen(_incident("PCPZE64"), "Test Incident", "resolved", "high", "pig208", None, "2021-06-04T13:16:53.816Z"),
    ),
    _pd(
        "webhook_v3_triggered",
        Seen(_incident("PFQZPSY"), "Test Incident 3", "firing", "high", "pig208", "2021-06-04T13:35:29.781Z"),
    ),
    _answer("webhook_v3_unacknowledged", "unacknowledge by PIG 208 of the incident PQ1K5C8"),
)

TABLE = Table(
    "pagerduty",
    _TABLE,
    (
        ("pagerduty/webhook_v2_trigger.json", "pagerduty/webhook_v2_resolve.json"),
        (
            "pagerduty/webhook_v3_captured_triggered_integration.json",
            "pagerduty/webhook_v3_captured_resolved_user.json",
        ),
    ),
)

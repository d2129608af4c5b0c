"""What each real payload of grafana is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table, labels


def _gr(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", detected: str | None = None) -> Row:
    return Row(f"grafana/{file}.json", "grafana", outcome, alerts, says, detected=detected)


_MEMORY = labels("alertname=Memory (copy)|debug=true|grafana_folder=device")
_GRAFANA = (
    _gr(
        "unified_firing_two_alerts",
        Seen(
            labels("alertname=High memory usage|team=blue|zone=us-1"),
            "High memory usage",
            "firing",
            "medium",
            starts="2021-10-12T07:51:03.157Z",
        ),
        Seen(
            labels("alertname=High CPU usage|team=blue|zone=eu-1"),
            "High CPU usage",
            "firing",
            "medium",
            starts="2021-10-12T07:56:03.157Z",
        ),
    ),
    _gr(
        "unified_resolved_test_alert",
        Seen(
            labels("alertname=TestAlert|instance=Grafana"),
            "TestAlert",
            "resolved",
            "medium",
            starts="2022-08-31T05:54:04.522Z",
            ends="2022-08-31T10:30:00.522Z",
        ),
        says="1 further alerts",
    ),
    _gr("unified_firing_values_v11", Seen(_MEMORY, "Memory (copy)", "firing", "medium", starts="2024-03-01T02:09:00Z")),
    # The same vendor fingerprint as the one before: the missing alertname stands in the common labels.
    _gr(
        "unified_firing_no_alertname_v11",
        Seen(_MEMORY, "Memory (copy)", "firing", "medium", starts="2024-03-01T02:09:00Z"),
    ),
    _gr("legacy_alerting", Seen({"orgId": "0", "ruleId": "0"}, "Test rule", "firing", "medium")),
    _gr("legacy_ok", Seen({"orgId": "0", "ruleId": "0"}, "Test rule", "resolved", "medium")),
    _gr("legacy_paused", outcome="ignored", says="paused"),
    _gr("legacy_no_message", Seen({"orgId": "1", "ruleId": "4"}, "No Message alert", "firing", "medium")),
    _gr("legacy_zeta_cpu_ok", Seen({"ruleId": "7"}, "Zeta CPU alert", "resolved", "medium")),
    _gr("legacy_load_peaking_image", Seen({"ruleId": "1"}, "Load peaking!", "firing", "medium")),
    _gr(
        "legacy_rule_tags_severity",
        Seen({"ruleId": "58"}, "Testing -> Battery Voltage alert", "firing", "medium", "Physical"),
    ),
    _gr("legacy_iris_alerting", Seen({"ruleId": "0"}, "Test notification", "firing", "medium")),
    _gr("legacy_iris_missing_state", outcome="quarantined", says="state is missing"),
    _gr(
        "oncall_demo_testalert_v4",
        Seen(
            labels("alertname=TestAlert|region=eu-1"),
            "TestAlert",
            "firing",
            "medium",
            starts="2018-12-25T15:47:47.377Z",
        ),
        # A Grafana demo in Alertmanager's own form, version 4, has nothing by which to know Grafana.
        detected="alertmanager",
    ),
    _gr("keep_mock_highmemoryconsumption", outcome="quarantined", says="definition of an alert rule"),
    _gr("keep_mock_networklatencyishigh", outcome="quarantined", says="definition of an alert rule"),
    _gr(
        "pytorch_resolved",
        Seen(
            labels(
                "alertname=DatasourceNoData|rulename=Runners Scale Up Failure|team=dev-infra|priority=P1"
                "|resource_type=runner|resource_id=gh-ci-canary"
            ),
            "DatasourceNoData",
            "resolved",
            "critical",
            starts="2025-09-03T19:10:01Z",
            ends="2025-09-03T19:25:01Z",
        ),
    ),
    _gr(
        "pytorch_missing_team",
        Seen(
            labels(
                "alertname=Database Connection Failure|priority=P0|resource_type=service|resource_id=postgres-primary"
            ),
            "Database Connection Failure",
            "firing",
            "critical",
            starts="2025-09-03T20:30:01Z",
        ),
    ),
    _gr(
        "pytorch_no_priority_anywhere",
        Seen(
            labels("alertname=Test Alert With No Priority Anywhere"),
            "Test Alert With No Priority Anywhere",
            "firing",
            "medium",
            starts="2025-09-16T17:19:40Z",
        ),
        says="severity missing",
    ),
)

TABLE = Table("grafana", _GRAFANA, (("grafana/legacy_alerting.json", "grafana/legacy_ok.json"),))

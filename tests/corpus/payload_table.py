"""What each real payload is, written from its provenance notes: one row a file, none left out.

`Seen` is one alert: what tells it from others (as the adapter states it), name, status, severity, service.
`says` must stand in the reason. `later` marks what a later version should understand; its reason says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FOLDERS = ("prometheus_alertmanager", "grafana", "datadog", "cloudwatch")


class Seen(NamedTuple):
    """One alert of a payload."""

    identity: Mapping[str, str]
    name: str
    status: str
    severity: str
    service: str | None = None


class Row(NamedTuple):
    """One payload: the adapter that reads it, the outcome, and what is in it or what the reason says."""

    file: str
    adapter: str
    outcome: str
    alerts: tuple[Seen, ...] = ()
    says: str = ""
    later: bool = False


def _labels(text: str) -> dict[str, str]:
    """`a=b|c=d` as labels."""
    return dict(pair.split("=", 1) for pair in text.split("|"))


_HOT = _labels("alertname=High CPU Temperature|host=andromeda|severity=critical")
_DOWN = _labels("alertname=InstanceDown|group=production|instance=localhost:8081|job=node|severity=critical")
_IRIS = _labels(
    "alertname=InstanceDown|group=testgroup|instance=testinstance:8080|job=testjob|monitor=testmonitor|severity=page"
)
_WEB = _labels(
    "alertname=HighCPUUsage|instance=prod-web-server-01:9100|job=node-exporter|severity=critical|service=web-frontend"
    "|environment=production|region=us-east-1|availability_zone=us-east-1a|team=platform"
    "|application=ecommerce-frontend|cluster=prod-k8s-cluster|namespace=default"
    "|pod=web-frontend-deployment-7d8f9c6b5d-x4m2p|container=nginx|node=ip-10-0-1-45.ec2.internal"
)


def _am(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", later: bool = False) -> Row:
    return Row(f"prometheus_alertmanager/{file}.json", "alertmanager", outcome, alerts, says, later)


_ALERTMANAGER = (
    # Equal labels, different vendor fingerprints: the label set is the identity, so one alert, twice.
    _am(
        "firing_group_two_alerts",
        Seen(_HOT, "High CPU Temperature", "firing", "critical"),
        Seen(_HOT, "High CPU Temperature", "firing", "critical"),
    ),
    _am("resolved_single", Seen(_HOT, "High CPU Temperature", "resolved", "critical")),
    _am("firing_no_fingerprint_iris", Seen(_IRIS, "InstanceDown", "firing", "critical")),
    _am("firing_missing_version_iris", Seen(_IRIS, "InstanceDown", "firing", "critical")),
    # The group fires; each alert's own status counts. Neither has a severity of its own, the common labels do.
    _am(
        "mixed_firing_and_resolved",
        Seen(
            _labels("alertname=HighRequestLatency|instance=api-1:9090|job=api"),
            "HighRequestLatency",
            "firing",
            "critical",
        ),
        Seen(
            _labels("alertname=DiskAlmostFull|instance=node-1:9100|job=node"), "DiskAlmostFull", "resolved", "critical"
        ),
    ),
    _am("firing_many_labels_inres", Seen(_WEB, "HighCPUUsage", "firing", "critical", "web-frontend")),
    _am("firing_two_severities_inres", Seen(_WEB, "HighCPUUsage", "firing", "critical", "web-frontend")),
    _am(
        "short_warning_firing_inres",
        Seen(
            _labels("alertname=HighMemoryUsage|instance=prod-web-server-02:9100|job=node-exporter|severity=warning"),
            "HighMemoryUsage",
            "firing",
            "medium",
        ),
    ),
    _am(
        "short_critical_resolved_inres",
        Seen(
            _labels("alertname=HighCPUUsage|instance=prod-web-server-01:9100|job=node-exporter|severity=critical"),
            "HighCPUUsage",
            "resolved",
            "critical",
        ),
    ),
    _am(
        "short_no_severity_inres",
        Seen(
            _labels("alertname=DiskSpaceLow|instance=prod-db-server-01:9100|job=node-exporter"),
            "DiskSpaceLow",
            "firing",
            "medium",
        ),
        says="severity missing",
    ),
    _am(
        "short_no_fingerprint_inres",
        Seen(
            _labels("alertname=ServiceDown|instance=prod-api-server-01:8080|job=api-service|severity=critical"),
            "ServiceDown",
            "firing",
            "critical",
        ),
    ),
    _am(
        "firing_alert_without_status",
        Seen(
            _labels(
                "alertname=high_memory_load|instance=instance-with-hyphen_and_underscore|job=docker_nodes"
                "|monitor=master|severity=warning"
            ),
            "high_memory_load",
            "firing",
            "medium",
        ),
    ),
    _am(
        "firing_prom_grouped_oneuptime",
        Seen(_labels("alertname=HighCPU|instance=web-1"), "HighCPU", "firing", "critical"),
        Seen(_labels("alertname=HighCPU|instance=web-2"), "HighCPU", "firing", "critical"),
    ),
    _am(
        "firing_checkout_high_error_rate",
        Seen(
            _labels(
                "alertname=HighErrorRate|severity=critical|environment=production|job=api-server"
                "|service=checkout-api|instance=checkout-api-pod-7d9f8b-xkp2q:8080"
            ),
            "HighErrorRate",
            "firing",
            "critical",
            "checkout-api",
        ),
    ),
    _am(
        "google_managed_prometheus_test",
        Seen(
            _labels(
                "alertname=GMP_WebhookTest|cluster_name=external|cluster=external|severity=warning"
                "|namespace=gmp-public|source=gmp-managed-alertmanager"
            ),
            "GMP_WebhookTest",
            "firing",
            "medium",
        ),
    ),
    _am("coralogix_template_resolved_unexpanded", outcome="quarantined", says="template did not fill in"),
    _am("derived_truncated_37", Seen(_DOWN, "InstanceDown", "firing", "critical"), says="37 further alerts"),
    _am("derived_empty_alerts_truncated", outcome="quarantined", says="3 further alerts"),
    _am(
        "derived_duplicate_alert_in_one_body",
        Seen(_DOWN, "InstanceDown", "firing", "critical"),
        Seen(_DOWN, "InstanceDown", "firing", "critical"),
    ),
    # Without labels and fingerprint the group's key is all that is left to tell it by.
    _am(
        "derived_no_labels_no_fingerprint",
        Seen({"groupKey": '{}:{alertname="InstanceDown"}'}, '{}:{alertname="InstanceDown"}', "firing", "medium"),
    ),
    _am("api_v2_group_active", outcome="quarantined", says="API v2", later=True),
    _am("api_v2_group_silenced", outcome="quarantined", says="API v2", later=True),
)


def _gr(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", later: bool = False) -> Row:
    return Row(f"grafana/{file}.json", "grafana", outcome, alerts, says, later)


_MEMORY = _labels("alertname=Memory (copy)|debug=true|grafana_folder=device")
_GRAFANA = (
    _gr(
        "unified_firing_two_alerts",
        Seen(_labels("alertname=High memory usage|team=blue|zone=us-1"), "High memory usage", "firing", "medium"),
        Seen(_labels("alertname=High CPU usage|team=blue|zone=eu-1"), "High CPU usage", "firing", "medium"),
    ),
    _gr(
        "unified_resolved_test_alert",
        Seen(_labels("alertname=TestAlert|instance=Grafana"), "TestAlert", "resolved", "medium"),
        says="1 further alerts",
    ),
    _gr("unified_firing_values_v11", Seen(_MEMORY, "Memory (copy)", "firing", "medium")),
    # The same vendor fingerprint as the one before: the missing alertname stands in the common labels.
    _gr("unified_firing_no_alertname_v11", Seen(_MEMORY, "Memory (copy)", "firing", "medium")),
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
    _gr("oncall_demo_testalert_v4", Seen(_labels("alertname=TestAlert|region=eu-1"), "TestAlert", "firing", "medium")),
    _gr("keep_mock_highmemoryconsumption", outcome="quarantined", says="definition of an alert rule"),
    _gr("keep_mock_networklatencyishigh", outcome="quarantined", says="definition of an alert rule"),
    _gr(
        "pytorch_resolved",
        Seen(
            _labels(
                "alertname=DatasourceNoData|rulename=Runners Scale Up Failure|team=dev-infra|priority=P1"
                "|resource_type=runner|resource_id=gh-ci-canary"
            ),
            "DatasourceNoData",
            "resolved",
            "critical",
        ),
    ),
    _gr(
        "pytorch_missing_team",
        Seen(
            _labels(
                "alertname=Database Connection Failure|priority=P0|resource_type=service|resource_id=postgres-primary"
            ),
            "Database Connection Failure",
            "firing",
            "critical",
        ),
    ),
    _gr(
        "pytorch_no_priority_anywhere",
        Seen(
            _labels("alertname=Test Alert With No Priority Anywhere"),
            "Test Alert With No Priority Anywhere",
            "firing",
            "medium",
        ),
        says="severity missing",
    ),
)


def _dd(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", later: bool = False) -> Row:
    return Row(f"datadog/{file}.json", "datadog", outcome, alerts, says, later)


_DOCK = {"title": "Dock is almost out of memory...", "group": "host:i-3b93aafb"}
_LATENCY = {"aggreg_key": "monitor-1234-prod-api"}


def _cascade(file: str, title: str) -> Row:
    """Five monitors of one host with one event id: told apart by their titles."""
    return _dd(file, Seen({"title": title, "group": "host:db-incident-sandbox"}, title, "firing", "high"))


_DATADOG = (
    _dd("captured_triggered_metric_alert", Seen(_DOCK, "Dock is almost out of memory...", "firing", "high")),
    _dd(
        "captured_recovered_metric_alert",
        Seen(_DOCK, "Dock is almost out of memory...", "resolved", "medium"),
        says="severity missing",
    ),
    _dd(
        "captured_triggered_p1_with_aggregate",
        Seen({"aggreg_key": "06ade3da0286048d242ea8e46f521c93"}, "High tracking", "firing", "critical"),
    ),
    _dd("triggered_p2", Seen({"title": "Memory usage alert"}, "Memory usage alert", "firing", "high")),
    _dd("triggered_p3", Seen({"title": "Disk usage alert"}, "Disk usage alert", "firing", "medium")),
    _dd("recovered_p1", Seen({"title": "High tracking"}, "High tracking", "resolved", "critical")),
    _cascade("postgres_cascade_1_cpu", "DB Host is near the max CPU usage limit"),
    _cascade("postgres_cascade_2_lock_contention", "PostgreSQL Lock Contention Critical"),
    _cascade("postgres_cascade_3_slow_query", "PostgreSQL Slow Query Detection"),
    _cascade("postgres_cascade_4_pool", "PostgreSQL Connection Pool Near Saturation"),
    _cascade("postgres_cascade_5_shutdown", "Unexpected showdown PostgreSQL DB"),
    _dd(
        "eventbridge_partner_triggered",
        Seen(
            {"monitor_id": "222222", "scope": "aws_account:123456789012,monitor"},
            "UnHealthyHostCount",
            "firing",
            "high",
        ),
    ),
    _dd("full_template_triggered", Seen(_LATENCY, "API latency is high", "firing", "critical", "api")),
    _dd("full_template_recovered", Seen(_LATENCY, "API latency is high", "resolved", "critical", "api")),
    _dd("superplane_triggered", Seen({"monitor_id": "12345"}, "CPU High", "firing", "high", "web")),
    _dd("keep_mock_mq_consumer_struggling", outcome="quarantined", says="no transition"),
    _dd(
        "nb_synthetics_triggered",
        Seen(
            {"aggreg_key": "73e071f5c67d33400f240ec415c2d48e"},
            "[Synthetics] XYZ - A monitor that always fails",
            "firing",
            "medium",
        ),
    ),
    _dd(
        "nb_metric_triggered_asg",
        Seen({"aggreg_key": "3f63d7b1a675db4d4f79cb6efcbb8afc"}, "XYZ Dev - Web ASG At Max Capacity", "firing", "high"),
    ),
    _dd(
        "nb_warn_rds_latency",
        Seen({"aggreg_key": "abc123def456"}, "XYZ Dev - RDS High Write Latency", "firing", "medium"),
    ),
)


def _cw(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", later: bool = False) -> Row:
    return Row(f"cloudwatch/{file}.json", "cloudwatch", outcome, alerts, says, later)


def _alarm(file: str, arn: str, name: str, status: str = "firing", severity: str = "medium") -> Row:
    return _cw(file, Seen({"arn": f"arn:aws:cloudwatch:{arn}"}, name, status, severity))


_CLOUDWATCH = (
    # Without an AlarmArn the ARN is put together from account, name and the region of the topic.
    _alarm("sns_http_alarm", "eu-west-1:1234567890:alarm:bucketbytesAlarm", "bucketbytesAlarm"),
    _cw("sns_http_insufficient_data", outcome="ignored", says="INSUFFICIENT_DATA"),
    _alarm(
        "sns_lambda_alarm_rds",
        "us-west-2:123456789123:alarm:awsrds-app-High-DB-Connections",
        "awsrds-app-High-DB-Connections",
    ),
    _alarm("sns_lambda_alarm_elb", "eu-west-1:111111111111111:alarm:Sample Alert", "Sample Alert"),
    _cw("sns_lambda_elastic_beanstalk_text", outcome="quarantined", says="is text", later=True),
    _cw("sns_lambda_autoscaling", outcome="quarantined", says="no alarm", later=True),
    _cw("sns_lambda_elasticache", outcome="quarantined", says="no alarm", later=True),
    _cw(
        "bare_alarm_message",
        Seen({"account": "000000000000", "region": "EU - Ireland", "name": "Example"}, "Example", "firing", "medium"),
    ),
    _cw("sns_lambda_text_message", outcome="quarantined", says="is text", later=True),
    _cw("eventbridge_guardduty_high", outcome="quarantined", says="GuardDuty", later=True),
    _cw("eventbridge_aws_health", outcome="quarantined", says="AWS Health", later=True),
    _alarm("sns_lambda_alarm_from_insufficient", "REGION:ACCOUNT_NUMBER:alarm:EXAMPLE", "EXAMPLE"),
    _alarm("lambda_action_composite_alarm", "us-east-1:111122223333:alarm:SuppressionDemo.Main", "CompositeDemo.Main"),
    _alarm("lambda_action_single_metric", "eu-west-1:912397435824:alarm:test_alarm", "Test alert"),
    _alarm(
        "eventbridge_ok_single_metric", "us-east-1:123456789012:alarm:ServerCpuTooHigh", "ServerCpuTooHigh", "resolved"
    ),
    _alarm("eventbridge_alarm_short", "us-east-1:123456789012:alarm:HighCPUUtilization", "HighCPUUtilization"),
    _cw("keep_mock_high_cpu_usage", outcome="quarantined", says="state must be"),
    # The priority is packed in the description.
    _alarm(
        "sns_pytorch_alarm",
        "us-east-1:123456789012:alarm:Runners-ASG-InsufficientInstances",
        "Runners-ASG-InsufficientInstances",
        severity="critical",
    ),
    _cw("sns_pytorch_corrupted", outcome="quarantined", says="state must be"),
    _alarm("sns_pytorch_missing_priority", "us-east-1:123456789012:alarm:CPU-Utilization-High", "CPU-Utilization-High"),
)

ROWS: tuple[Row, ...] = (*_ALERTMANAGER, *_GRAFANA, *_DATADOG, *_CLOUDWATCH)

PAIRS: tuple[tuple[str, str], ...] = (
    ("prometheus_alertmanager/firing_group_two_alerts.json", "prometheus_alertmanager/resolved_single.json"),
    ("grafana/legacy_alerting.json", "grafana/legacy_ok.json"),
    ("datadog/captured_triggered_metric_alert.json", "datadog/captured_recovered_metric_alert.json"),
    ("datadog/full_template_triggered.json", "datadog/full_template_recovered.json"),
)
"""Firing and resolved of one alert, as the notes have them."""

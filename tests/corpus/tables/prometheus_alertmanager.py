"""What each real payload of prometheus_alertmanager is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table, labels

_HOT = labels("alertname=High CPU Temperature|host=andromeda|severity=critical")
_DOWN = labels("alertname=InstanceDown|group=production|instance=localhost:8081|job=node|severity=critical")
_IRIS = labels(
    "alertname=InstanceDown|group=testgroup|instance=testinstance:8080|job=testjob|monitor=testmonitor|severity=page"
)
_WEB = labels(
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
        Seen(_HOT, "High CPU Temperature", "firing", "critical", starts="2020-02-06T00:17:58.432Z"),
        Seen(_HOT, "High CPU Temperature", "firing", "critical", starts="2020-02-06T00:17:58.432Z"),
    ),
    _am(
        "resolved_single", Seen(_HOT, "High CPU Temperature", "resolved", "critical", starts="2020-02-06T00:17:58.432Z")
    ),
    _am(
        "firing_no_fingerprint_iris",
        Seen(_IRIS, "InstanceDown", "firing", "critical", starts="2017-12-04T09:17:22.804Z"),
    ),
    _am(
        "firing_missing_version_iris",
        Seen(_IRIS, "InstanceDown", "firing", "critical", starts="2017-12-04T09:17:22.804Z"),
    ),
    # The group fires; each alert's own status counts. Neither has a severity of its own, the common labels do.
    _am(
        "mixed_firing_and_resolved",
        Seen(
            labels("alertname=HighRequestLatency|instance=api-1:9090|job=api"),
            "HighRequestLatency",
            "firing",
            "critical",
            starts="2026-01-19T12:00:00Z",
        ),
        Seen(
            labels("alertname=DiskAlmostFull|instance=node-1:9100|job=node"),
            "DiskAlmostFull",
            "resolved",
            "critical",
            starts="2026-01-19T10:00:00Z",
            ends="2026-01-19T12:10:00Z",
        ),
    ),
    _am(
        "firing_many_labels_inres",
        Seen(_WEB, "HighCPUUsage", "firing", "critical", "web-frontend", starts="2024-01-15T10:30:00Z"),
    ),
    _am(
        "firing_two_severities_inres",
        Seen(_WEB, "HighCPUUsage", "firing", "critical", "web-frontend", starts="2024-01-15T10:30:00Z"),
    ),
    _am(
        "short_warning_firing_inres",
        Seen(
            labels("alertname=HighMemoryUsage|instance=prod-web-server-02:9100|job=node-exporter|severity=warning"),
            "HighMemoryUsage",
            "firing",
            "medium",
            starts="2024-01-15T11:00:00Z",
        ),
    ),
    _am(
        "short_critical_resolved_inres",
        Seen(
            labels("alertname=HighCPUUsage|instance=prod-web-server-01:9100|job=node-exporter|severity=critical"),
            "HighCPUUsage",
            "resolved",
            "critical",
            starts="2024-01-15T10:30:00Z",
            ends="2024-01-15T10:45:00Z",
        ),
    ),
    _am(
        "short_no_severity_inres",
        Seen(
            labels("alertname=DiskSpaceLow|instance=prod-db-server-01:9100|job=node-exporter"),
            "DiskSpaceLow",
            "firing",
            "medium",
            starts="2024-01-15T12:00:00Z",
        ),
        says="severity missing",
    ),
    _am(
        "short_no_fingerprint_inres",
        Seen(
            labels("alertname=ServiceDown|instance=prod-api-server-01:8080|job=api-service|severity=critical"),
            "ServiceDown",
            "firing",
            "critical",
            starts="2024-01-15T13:00:00Z",
        ),
    ),
    _am(
        "firing_alert_without_status",
        Seen(
            labels(
                "alertname=high_memory_load|instance=instance-with-hyphen_and_underscore|job=docker_nodes"
                "|monitor=master|severity=warning"
            ),
            "high_memory_load",
            "firing",
            "medium",
            starts="2018-03-07T11:33:21.873Z",
        ),
    ),
    _am(
        "firing_prom_grouped_oneuptime",
        Seen(labels("alertname=HighCPU|instance=web-1"), "HighCPU", "firing", "critical"),
        Seen(labels("alertname=HighCPU|instance=web-2"), "HighCPU", "firing", "critical"),
    ),
    _am(
        "firing_checkout_high_error_rate",
        Seen(
            labels(
                "alertname=HighErrorRate|severity=critical|environment=production|job=api-server"
                "|service=checkout-api|instance=checkout-api-pod-7d9f8b-xkp2q:8080"
            ),
            "HighErrorRate",
            "firing",
            "critical",
            "checkout-api",
            starts="2024-01-15T10:25:00Z",
        ),
    ),
    _am(
        "google_managed_prometheus_test",
        Seen(
            labels(
                "alertname=GMP_WebhookTest|cluster_name=external|cluster=external|severity=warning"
                "|namespace=gmp-public|source=gmp-managed-alertmanager"
            ),
            "GMP_WebhookTest",
            "firing",
            "medium",
            starts="2026-01-13T13:30:50Z",
        ),
    ),
    _am("coralogix_template_resolved_unexpanded", outcome="quarantined", says="template did not fill in"),
    _am(
        "derived_truncated_37",
        Seen(_DOWN, "InstanceDown", "firing", "critical", starts="2023-06-12T08:24:38.326Z"),
        says="37 further alerts",
    ),
    _am("derived_empty_alerts_truncated", outcome="quarantined", says="3 further alerts"),
    _am(
        "derived_duplicate_alert_in_one_body",
        Seen(_DOWN, "InstanceDown", "firing", "critical", starts="2023-06-12T08:24:38.326Z"),
        Seen(_DOWN, "InstanceDown", "firing", "critical", starts="2023-06-12T08:24:38.326Z"),
    ),
    # Without labels and fingerprint the group's key is all that is left to tell it by.
    _am(
        "derived_no_labels_no_fingerprint",
        Seen(
            {"groupKey": '{}:{alertname="InstanceDown"}'},
            '{}:{alertname="InstanceDown"}',
            "firing",
            "medium",
            starts="2023-06-12T08:24:38.326Z",
        ),
    ),
    _am("api_v2_group_active", outcome="quarantined", says="API v2", later=True),
    _am("api_v2_group_silenced", outcome="quarantined", says="API v2", later=True),
)

TABLE = Table(
    "prometheus_alertmanager",
    _ALERTMANAGER,
    (("prometheus_alertmanager/firing_group_two_alerts.json", "prometheus_alertmanager/resolved_single.json"),),
)

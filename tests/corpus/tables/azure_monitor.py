"""What each real payload of azure_monitor is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Seen, Table

_GROUP = "/subscriptions/{}/resourceGroups/{}/providers"
_METRIC = {
    "alertId": "/subscriptions/11111111-1111-1111-1111-111111111111/providers/Microsoft.AlertsManagement/alerts/"
    "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e"
}
_FIRED = "2019-03-22T13:58:24.371Z"


def _rule(subscription: str, group: str, rule: str, resource: str, of: str = "") -> dict[str, str]:
    return {
        "rule": f"{_GROUP.format(subscription, group)}/microsoft.insights/{rule}",
        "resource": f"{_GROUP.format(of or subscription, group)}/{resource}",
    }


TABLE = Table(
    "azure_monitor",
    (
        Row(
            "azure_monitor/common_schema_metric_fired.json",
            "azure_monitor",
            "alerts",
            (Seen(_METRIC, "WCUS-R2-Gen2", "firing", "low", None, _FIRED),),
        ),
        Row(
            "azure_monitor/common_schema_metric_resolved.json",
            "azure_monitor",
            "alerts",
            (Seen(_METRIC, "WCUS-R2-Gen2", "resolved", "low", None, _FIRED, "2019-03-22T14:03:16.224Z"),),
        ),
        Row(
            "azure_monitor/common_schema_availability_fired.json",
            "azure_monitor",
            "alerts",
            (
                Seen(
                    {
                        "alertId": "/subscriptions/aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e/providers/"
                        "Microsoft.AlertsManagement/alerts/eeeeeeee-4444-5555-6666-ffffffffffff"
                    },
                    "test-availabilityTest-test-applicationInsights",
                    "firing",
                    "info",
                    None,
                    "2025-04-15T17:42:34.824Z",
                ),
            ),
        ),
        # Somebody restarted a machine.
        Row(
            "azure_monitor/common_schema_activity_log_fired.json",
            "azure_monitor",
            "changes",
            changes=(
                Changed(
                    {"event": "bbbbbbbb-1111-2222-3333-cccccccccccc"},
                    "activity",
                    "Microsoft.Compute/virtualMachines/restart/action",
                    "succeeded",
                    "test-VM",
                    "test-RG",
                    "user@contoso.com",
                    "2025-04-15T11:26:21.386Z",
                ),
            ),
        ),
        Row(
            "azure_monitor/common_schema_budget_nulls.json",
            "azure_monitor",
            "alerts",
            (
                Seen(
                    {
                        "alertId": "/subscriptions/aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e/providers/"
                        "Microsoft.CostManagement/alerts/Test_Alert"
                    },
                    "Test_Alert",
                    "firing",
                    "medium",
                    None,
                    "2025-04-15T17:49:34.022Z",
                ),
            ),
            says="severity missing",
        ),
        Row(
            "azure_monitor/classic_metric_activated_custom_props.json",
            "azure_monitor",
            "alerts",
            (
                Seen(
                    _rule(
                        "1a66ce04-b633-4a0b-b2bc-a912ec8986a6",
                        "montest",
                        "alertrules/Alert_1_runscope12",
                        "Microsoft.Compute/virtualMachines/Helixtest1",
                    ),
                    "Alert_1_runscope12",
                    "firing",
                    "medium",
                    None,
                    "2015-09-18T01:02:35.819Z",
                ),
            ),
        ),
        Row(
            "azure_monitor/metric_v2_activated.json",
            "azure_monitor",
            "alerts",
            (
                Seen(
                    _rule(
                        "00000000-0000-0000-0000-000000000000",
                        "Contoso",
                        "metricAlerts/StorageCheck",
                        "Microsoft.Storage/storageAccounts/diag500",
                        "1e3ff1c0-771a-4119-a03b-be82a51e232d",
                    ),
                    "StorageCheck",
                    "firing",
                    "medium",
                    None,
                    "2018-02-28T10:44:10.171Z",
                ),
            ),
        ),
        Row(
            "azure_monitor/metric_v2_deactivated.json",
            "azure_monitor",
            "alerts",
            (
                Seen(
                    _rule(
                        "ba364c14-1aa5-484e-8b74-6201540087e1",
                        "Web",
                        "metricAlerts/Percentage%20CPU%20greater%20than%2070",
                        "Microsoft.Compute/virtualMachines/web01",
                    ),
                    "CpuUtilHigh",
                    "resolved",
                    "low",
                    ends="2019-02-27T14:10:35.081Z",
                ),
            ),
        ),
    ),
    (("azure_monitor/common_schema_metric_fired.json", "azure_monitor/common_schema_metric_resolved.json"),),
)

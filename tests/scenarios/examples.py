"""Troubles as monitoring systems and people tell them, each in its sender's own format, and what is due to each.

Of Slack nothing says that a trouble is over: there a person says so, by a button.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from kernel.clock import rfc3339
from tests.scenarios.senders import (
    Told,
    opsgenie_api,
    opsgenie_webhook,
    pagerduty_event,
    pagerduty_webhook,
    posted,
    slack_command,
    slack_message,
    zendesk,
)

PROMETHEUS = "/api/v2/alerts"
JSON = {"content-type": "application/json"}


def prometheus(name: str, summary: str, labels: dict[str, str], at: int, firing: bool) -> bytes:
    """What Prometheus posts to its Alertmanager."""
    alert = {
        "labels": {"alertname": name, **labels},
        "annotations": {"summary": summary},
        "startsAt": rfc3339(at - 60_000),
        "endsAt": rfc3339(at + 240_000 if firing else at - 1),
        "generatorURL": "http://prometheus.shop.example:9090/graph?g0.expr=up",
    }
    return orjson.dumps([alert])


def grafana(name: str, summary: str, labels: dict[str, str], at: int, firing: bool) -> bytes:
    """A contact point of Grafana's unified alerting."""
    status = "firing" if firing else "resolved"
    alert = {
        "status": status,
        "labels": {"alertname": name, "grafana_folder": "Shop", **labels},
        "annotations": {"summary": summary},
        "startsAt": rfc3339(at - 60_000),
        "endsAt": "0001-01-01T00:00:00Z" if firing else rfc3339(at),
        "generatorURL": "https://grafana.shop.example/alerting/grafana/a1/view?orgId=1",
        "fingerprint": "c1f4",
        "silenceURL": "https://grafana.shop.example/alerting/silence/new",
        "dashboardURL": "https://grafana.shop.example/d/api",
        "panelURL": "",
        "values": {"B": 2.4},
        "valueString": "[ var='B' labels={} value=2.4 ]",
    }
    body = {
        "receiver": "stormfold",
        "status": status,
        "orgId": 1,
        "alerts": [alert],
        "groupLabels": {"alertname": name},
        "commonLabels": alert["labels"],
        "commonAnnotations": alert["annotations"],
        "externalURL": "https://grafana.shop.example/",
        "version": "1",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
        "title": f"[{status.upper()}:1] {name}",
        "state": "alerting" if firing else "ok",
        "message": "**Firing**" if firing else "**Resolved**",
    }
    return orjson.dumps(body)


def datadog(monitor: int, title: str, priority: str, tags: str, at: int, firing: bool) -> bytes:
    """A webhook template with Datadog's usual variables."""
    transition = "Triggered" if firing else "Recovered"
    body = {
        "title": f"[{priority}] [{transition}] {title}",
        "body": f"%%%\n{title}\n%%%",
        "alert_transition": transition,
        "alert_type": "error" if firing else "success",
        "alert_priority": priority,
        "alert_id": str(monitor),
        "alert_scope": "env:prod",
        "alert_cycle_key": "7",
        "event_id": str(at),
        "date": str(at),
        "link": "https://app.datadoghq.com/event/event?id=7",
        "tags": tags,
        "snapshot": "null",
    }
    return orjson.dumps(body)


def cloudwatch(
    name: str, reason: str, description: str, metric: str, dimensions: dict[str, str], at: int, firing: bool
) -> bytes:
    """An alarm of CloudWatch in the envelope of SNS. `metric` is the namespace and the name, with a colon between."""
    namespace, metric_name = metric.rsplit(":", 1)
    old, new = ("OK", "ALARM") if firing else ("ALARM", "OK")
    message = {
        "AlarmName": name,
        "AlarmDescription": description,
        "AWSAccountId": "210987654321",
        "NewStateValue": new,
        "NewStateReason": reason,
        "StateChangeTime": rfc3339(at).replace("Z", "+0000"),
        "Region": "EU (Ireland)",
        "AlarmArn": f"arn:aws:cloudwatch:eu-west-1:210987654321:alarm:{name}",
        "OldStateValue": old,
        "Trigger": {
            "MetricName": metric_name,
            "Namespace": namespace,
            "Statistic": "AVERAGE",
            "Dimensions": [{"name": key, "value": value} for key, value in dimensions.items()],
            "Period": 300,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 100.0,
        },
    }
    envelope = {
        "Type": "Notification",
        "MessageId": f"{at:x}",
        "TopicArn": "arn:aws:sns:eu-west-1:210987654321:alarms",
        "Subject": f'{new}: "{name}" in EU (Ireland)',
        "Message": orjson.dumps(message).decode(),
        "Timestamp": rfc3339(at),
        "SignatureVersion": "1",
        "Signature": "AA==",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    }
    return orjson.dumps(envelope)


@dataclass(frozen=True)
class Example:
    """One trouble. `tell(at, over)` is the request, None where its sender does not say that it is over.

    `title` is the incident's; `impact` and `urgency` are the reasons for the priority; `page` says whether somebody is
    woken.
    """

    title: str
    tell: Callable[[int, bool], Told | None]
    rule: str
    priority: str
    impact: str
    urgency: str
    team: str
    page: bool


_FEW = "no service of tier 1, few services, hosts and regions"
_SITE, _REGION, _LOSS, _MAJOR = (f"the rule says {word}" for word in ("whole site", "region", "data loss", "major"))
_CRITICAL, _HIGH, _MEDIUM, _LOW = (f"severity {word}" for word in ("critical", "high", "medium", "low"))


def _by(source: str, make: Callable[..., bytes], *args: Any) -> Callable[[int, bool], Told]:
    """What monitoring sends by its door; `make` ends with the time and whether it fires."""

    def tell(at: int, over: bool) -> Told:
        body = make(*args, at, not over)
        return Told(PROMETHEUS, body, JSON) if source == "prometheus" else posted(source, body)

    return tell


def _ticket(ticket: int, subject: str, priority: str, *tags: str) -> Callable[[int, bool], Told]:
    return lambda at, over: zendesk(ticket, subject, priority, at, over, *tags)


def _in_chat(make: Callable[[str, int], Told], text: str) -> Callable[[int, bool], Told | None]:
    return lambda at, over: None if over else make(text, at)


def _by_api(alias: str, message: str, priority: str, **details: str) -> Callable[[int, bool], Told]:
    return lambda at, over: opsgenie_api(alias, message, priority, details, over)


# fmt: off
EXAMPLES = (
    # --- detected by monitoring
    Example("CPU of web-3 over 95 %",
            _by("prometheus", prometheus, "HighCpuUsage", "CPU of web-3 over 95 %",
                {"instance": "web-3:9100", "job": "node", "severity": "critical"}),
            "host", "P3", _FEW, _CRITICAL, "infrastructure", False),
    Example("CPU at 100.0 for 5 minutes",
            _by("cloudwatch", cloudwatch, "ec2-cpu-high", "CPU at 100.0 for 5 minutes", "SEVERITY=high",
                "AWS/EC2:CPUUtilization", {"InstanceId": "i-0123456789abcdef0"}),
            "host", "P3", _FEW, _HIGH, "infrastructure", False),
    Example("p99 of the API is 3 s",
            _by("grafana", grafana, "Slow API responses", "p99 of the API is 3 s",
                {"service": "api", "severity": "warning"}),
            "service", "P3", "tier 1 service api", _MEDIUM, "platform", False),
    Example("The dashboard takes 20 s to load",
            _by("grafana", grafana, "Slow dashboard", "The dashboard takes 20 s to load",
                {"service": "dashboard", "severity": "high"}),
            "service", "P3", _FEW, _HIGH, "platform", False),
    Example("[P2] [Triggered] Checkout fails for 30 % of orders",
            _by("datadog", datadog, 4711, "Checkout fails for 30 % of orders", "P2", "env:prod,service:checkout"),
            "service", "P2", "tier 1 service checkout", _HIGH, "payments", True),
    # --- reported by users
    Example("Website is showing 500 Internal Server Error",
            _ticket(35436, "Website is showing 500 Internal Server Error", "HIGH", "service:storefront", "eu"),
            "service", "P2", "tier 1 service storefront", _HIGH, "platform", True),
    Example("The pay button is misaligned",
            _ticket(35437, "The pay button is misaligned", "LOW", "service_payments"),
            "service", "P4", "tier 1 service payments", _LOW, "payments", False),
    Example("My avatar does not show", _in_chat(slack_message, "P4 My avatar does not show\nsince yesterday"),
            "everything else", "P4", _FEW, _LOW, "sre", False),
    # --- alerted by other systems
    Example("The entire site is down", partial(pagerduty_webhook, "Q1SITEDOWN", "The entire site is down", "P1"),
            "site down", "P1", _SITE, _CRITICAL, "sre", True),
    Example("Region eu-west-1: outage",
            partial(opsgenie_webhook, "region/eu-west-1", "Region eu-west-1: outage", "P1", {"region": "eu-west-1"}),
            "network or region", "P1", _REGION, _CRITICAL, "infrastructure", True),
    Example("Data loss: 1,200 orders are missing",
            partial(pagerduty_event, "audit/orders", "Data loss: 1,200 orders are missing", "critical"),
            "data loss", "P1", _LOSS, _CRITICAL, "dba", True),
    Example("The search index is 40 minutes behind",
            _by_api("index/search", "The search index is 40 minutes behind", "P2", service="search"),
            "service", "P3", _FEW, _HIGH, "platform", False),
    # --- assigned by what they are about
    Example("No route to the Frankfurt office",
            _by("prometheus", prometheus, "NetworkOutage", "No route to the Frankfurt office",
                {"severity": "critical", "region": "frankfurt", "job": "ping"}),
            "network or region", "P1", _REGION, _CRITICAL, "infrastructure", True),
    Example("Load balancer answers 3 % of requests with 502",
            _by("prometheus", prometheus, "LoadBalancerErrors", "Load balancer answers 3 % of requests with 502",
                {"severity": "warning", "component": "loadbalancer"}),
            "everything else", "P4", _FEW, _MEDIUM, "infrastructure", False),
    Example("orders: no connection is left in the pool",
            _by("prometheus", prometheus, "PostgresConnectionPoolExhausted",
                "orders: no connection is left in the pool", {"severity": "critical", "cluster": "orders"}),
            "database cluster", "P2", _MAJOR, _CRITICAL, "dba", True),
    Example("480 connections to the orders database",
            _by("cloudwatch", cloudwatch, "orders-connections", "480 connections to the orders database", "",
                "AWS/RDS:DatabaseConnections", {"DBInstanceIdentifier": "orders"}),
            "everything else", "P4", _FEW, _MEDIUM, "dba", False),
    Example("The database answers nobody", _in_chat(slack_command, "P1 The database answers nobody"),
            "everything else", "P3", _FEW, _CRITICAL, "dba", False),
    Example("[P3] [Triggered] NullPointerException in the cart",
            _by("datadog", datadog, 4712, "NullPointerException in the cart", "P3", "env:prod,service:cart"),
            "service", "P4", _FEW, _MEDIUM, "platform", False),
    Example("The rollback of auth failed",
            _by("prometheus", prometheus, "DeploymentRollbackFailed", "The rollback of auth failed",
                {"severity": "critical", "service": "auth", "namespace": "shop"}),
            "failed deployment", "P2", "tier 1 service auth", _CRITICAL, "sre", True),
)
# fmt: on

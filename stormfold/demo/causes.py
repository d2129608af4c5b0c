"""What happens in the demo: six causes and their symptoms, and background noise with what it deserves.

| cause                       | rule              | group                        | priority | team           |
|-----------------------------|-------------------|------------------------------|----------|----------------|
| the shop is down            | site down         | site=shop                    | P1       | platform       |
| a region's network is lost  | network or region | region=eu-west-1             | P1       | infrastructure |
| the orders database fails   | database cluster  | cluster=orders-db            | P2       | dba            |
| a checkout release is stuck | failed deployment | service=checkout             | P2       | sre            |
| payments are refused        | service           | service=payments             | P2       | payments       |
| logins fail                 | service           | service=auth                 | P2       | platform       |

Every symptom of a cause carries severity and impact of its final priority, so whichever arrives first opens the
incident where it will stay: one page each.

| noise                                       | alerts | deserves                                        |
|---------------------------------------------|--------|-------------------------------------------------|
| disks that fill up, one on each host        | 24     | 24 P4 by the rule `host`, team infrastructure   |
| services of staging                         | 6      | 6 P4 by the rule `service`, team platform       |
| notices of low severity, each of its kind   | 6      | 6 P4 by the rule `everything else`, team sre    |
| hosts with a severity that nobody knows     | 2      | 2 P3 by the rule `host` (taken as high)         |

So the noise deserves 38 incidents and not one page. Some of it flaps, resolves, comes late or cannot be read.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

NOISE_INCIDENTS: Final = 38
REGION: Final = "eu-west-1"


@dataclass(frozen=True)
class Symptom:
    """A distinct alert. `severity` is critical, high, medium, low, or a word that nobody knows; `flaps` resolves it."""

    vendor: str
    name: str
    severity: str
    labels: dict[str, str]
    number: int
    flaps: bool = False
    ends_resolved: bool = False


@dataclass(frozen=True)
class Cause:
    """One cause: what is seen of it, and what it must come to."""

    title: str
    rule: str
    group: dict[str, str]
    priority: str
    team: str
    names: tuple[str, ...]
    vendors: tuple[str, ...]
    labels: dict[str, str]
    spread: tuple[str, int] | None
    members: int
    weight: int
    symptoms: list[Symptom] = field(default_factory=list, compare=False)


CAUSES: Final = (
    Cause(
        title="the shop is down",
        rule="site down",
        group={"site": "shop", "env": "prod"},
        priority="P1",
        team="platform",
        names=("Website shop is down", "Shop site unreachable from probe", "Shop site outage: checks fail"),
        vendors=("prometheus", "grafana", "datadog"),
        labels={"site": "shop", "env": "prod", "service": "storefront"},
        spread=("probe", 60),
        members=60,
        weight=24,
    ),
    Cause(
        title="a region's network is lost",
        rule="network or region",
        group={"region": REGION, "env": "prod"},
        priority="P1",
        team="infrastructure",
        names=("BGP session down", "Packet loss on uplink", "Network unreachable", "Link down on core switch"),
        vendors=("prometheus", "alertmanager", "cloudwatch"),
        labels={"region": REGION, "env": "prod"},
        spread=("instance", 50),
        members=50,
        weight=24,
    ),
    Cause(
        title="the orders database fails",
        rule="database cluster",
        group={"cluster": "orders-db", "env": "prod"},
        priority="P2",
        team="dba",
        names=("PostgresReplicaLag", "Connection pool exhausted", "Slow queries on database", "Database deadlocks"),
        vendors=("datadog", "prometheus", "grafana"),
        labels={"cluster": "orders-db", "env": "prod"},
        spread=("instance", 40),
        members=40,
        weight=18,
    ),
    Cause(
        title="a checkout release is stuck",
        rule="failed deployment",
        group={"service": "checkout", "namespace": "shop", "env": "prod"},
        priority="P2",
        team="sre",
        names=("Deployment failed", "Rollout stuck", "Deployment replicas mismatch"),
        vendors=("alertmanager", "grafana", "prometheus"),
        labels={"service": "checkout", "namespace": "shop", "env": "prod"},
        spread=("pod", 30),
        members=30,
        weight=12,
    ),
    Cause(
        title="payments are refused",
        rule="service",
        group={"service": "payments", "env": "prod"},
        priority="P2",
        team="payments",
        names=("Card authorisation errors", "Payment latency high", "Payment queue grows"),
        vendors=("datadog", "cloudwatch", "prometheus"),
        labels={"service": "payments", "env": "prod"},
        spread=("instance", 30),
        members=30,
        weight=12,
    ),
    Cause(
        title="logins fail",
        rule="service",
        group={"service": "auth", "env": "prod"},
        priority="P2",
        team="platform",
        names=("Login error rate high", "Token issuer slow", "Session store errors"),
        vendors=("grafana", "alertmanager", "cloudwatch", "datadog"),
        labels={"service": "auth", "env": "prod"},
        spread=("instance", 30),
        members=30,
        weight=10,
    ),
)

_KINDS = ("Backup is overdue", "Certificate expires soon", "Licence nearly used up", "Queue of mails grows")
_MORE_KINDS = ("Audit export slow", "Quota at 80 percent")
_STAGING = ("cart", "search", "inventory", "notifications", "recommendations", "reports")


def symptoms(cause: Cause, chosen: random.Random, first: int) -> list[Symptom]:
    """The distinct alerts of a cause; the first one keeps firing to the end, so that its incident stays open."""
    found = []
    for n in range(cause.members):
        labels = dict(cause.labels)
        if cause.spread is not None:
            label, many = cause.spread
            labels[label] = f"{label}-{n % many:02d}"
        severity = "critical" if n == 0 else chosen.choice(("critical", "high", "high"))
        found.append(
            Symptom(
                cause.vendors[n % len(cause.vendors)],
                cause.names[n % len(cause.names)],
                severity,
                labels,
                first + n,
                flaps=n % 7 == 3,
                ends_resolved=n % 14 == 3,
            )
        )
    return found


def noise(first: int) -> list[Symptom]:
    """The background, as the table says."""
    rows: list[tuple[str, str, str, dict[str, str]]] = []
    for n in range(24):
        vendor = ("prometheus", "alertmanager", "grafana", "datadog")[n % 4]
        rows.append((vendor, "Disk fills up", "medium", {"instance": f"batch-{n:02d}", "env": "prod"}))
    for n, service in enumerate(_STAGING):
        vendor = ("prometheus", "grafana", "datadog")[n % 3]
        rows.append((vendor, "Error rate high", "high", {"service": service, "env": "staging"}))
    for n, kind in enumerate((*_KINDS, *_MORE_KINDS)):
        rows.append((("cloudwatch", "datadog", "prometheus")[n % 3], kind, "low", {"env": "prod"}))
    for n, word in enumerate(("catastrophic", "apocalyptic")):
        rows.append(("prometheus", "Temperature out of range", word, {"instance": f"rack-{n:02d}", "env": "prod"}))
    assert len(rows) == NOISE_INCIDENTS
    return [
        Symptom(vendor, name, severity, labels, first + n, flaps=n % 4 == 1, ends_resolved=n % 8 == 1)
        for n, (vendor, name, severity, labels) in enumerate(rows)
    ]

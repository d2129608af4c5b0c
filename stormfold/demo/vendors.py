"""Bodies as five monitoring systems send them, written after the real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from kernel.clock import Millis, rfc3339
from stormfold.demo.causes import REGION, Symptom

ACCOUNT: Final = "123456789012"
_PRIORITIES: Final = {"critical": "P1", "high": "P2", "medium": "P3", "low": "P4"}


@dataclass(frozen=True)
class Sighting:
    """A symptom as it is seen once: firing or resolved, at the sender's time `at`."""

    symptom: Symptom
    firing: bool
    at: Millis


def _labels(symptom: Symptom) -> dict[str, str]:
    return {"alertname": symptom.name, "severity": symptom.severity, **symptom.labels}


def _summary(symptom: Symptom) -> str:
    where = next((symptom.labels[label] for label in ("instance", "pod", "probe") if label in symptom.labels), "")
    return f"{symptom.name}{f' on {where}' if where else ''}"


def _hash(symptom: Symptom, size: int) -> str:
    flat = "|".join(f"{key}={value}" for key, value in sorted(_labels(symptom).items()))
    return hashlib.blake2b(flat.encode(), digest_size=size).hexdigest()


def prometheus(seen: Sequence[Sighting], now: Millis) -> bytes:
    """A body of `POST /api/v2/alerts`: `endsAt` says whether an alert fires."""
    return orjson.dumps(
        [
            {
                "annotations": {"summary": _summary(one.symptom)},
                "endsAt": rfc3339(now + 240_000 if one.firing else min(one.at, now)),
                "startsAt": rfc3339(one.at - 60_000),
                "generatorURL": f"http://prometheus.example:9090/graph?g0.expr=probe_{one.symptom.number}&g0.tab=1",
                "labels": _labels(one.symptom),
            }
            for one in seen
        ]
    )


def _group(seen: Sequence[Sighting], extra: Callable[[Sighting], dict[str, Any]]) -> dict[str, Any]:
    labels = [_labels(one.symptom) for one in seen]
    common = {key: value for key, value in labels[0].items() if all(other.get(key) == value for other in labels)}
    return {
        "receiver": "stormfold",
        "status": "firing" if any(one.firing for one in seen) else "resolved",
        "alerts": [
            {
                "status": "firing" if one.firing else "resolved",
                "labels": _labels(one.symptom),
                "annotations": {"summary": _summary(one.symptom)},
                "startsAt": rfc3339(one.at - 60_000),
                "endsAt": "0001-01-01T00:00:00Z" if one.firing else rfc3339(one.at),
                "generatorURL": f"http://prometheus.example:9090/graph?g0.expr=rule_{one.symptom.number}",
                "fingerprint": _hash(one.symptom, 8),
                **extra(one),
            }
            for one in seen
        ],
        "groupLabels": {"alertname": seen[0].symptom.name},
        "commonLabels": common,
        "commonAnnotations": {},
    }


def alertmanager(seen: Sequence[Sighting], now: Millis) -> bytes:
    """Alertmanager's webhook, version 4."""
    del now
    name = seen[0].symptom.name
    return orjson.dumps(
        {
            **_group(seen, lambda _: {}),
            "externalURL": "http://alertmanager.example:9093",
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{name}"}}',
            "truncatedAlerts": 0,
        }
    )


def grafana(seen: Sequence[Sighting], now: Millis) -> bytes:
    """A webhook contact point of Grafana's unified alerting."""
    del now
    name = seen[0].symptom.name
    firing = sum(one.firing for one in seen)

    def links(one: Sighting) -> dict[str, Any]:
        base = "http://grafana.example:3000"
        return {
            "silenceURL": f"{base}/alerting/silence/new?alertmanager=grafana",
            "dashboardURL": f"{base}/d/storm",
            "panelURL": f"{base}/d/storm?viewPanel={one.symptom.number}",
            "values": {"A": 12.5, "C": 1},
            "valueString": "[ var='A' labels={} value=12.5 ]",
        }

    return orjson.dumps(
        {
            **_group(seen, links),
            "externalURL": "http://grafana.example:3000/",
            "version": "1",
            "groupKey": f'{{}}:{{alertname="{name}"}}',
            "truncatedAlerts": 0,
            "orgId": 1,
            "title": f"[{'FIRING' if firing else 'RESOLVED'}:{firing or len(seen)}] {name}",
            "state": "alerting" if firing else "ok",
            "message": f"{firing} of {len(seen)} fire: {name}",
        }
    )


def datadog(seen: Sequence[Sighting], now: Millis) -> bytes:
    """A webhook with Datadog's template variables; one alert a body."""
    del now
    (one,) = seen
    symptom, transition = one.symptom, "Triggered" if one.firing else "Recovered"
    tags = ",".join(f"{key}:{value}" for key, value in sorted(symptom.labels.items()))
    host = symptom.labels.get("instance", "")
    event = f"{one.at}{symptom.number:05d}"
    return orjson.dumps(
        {
            "id": event,
            "event_type": "query_alert_monitor",
            "title": f"[{transition}] {symptom.name}",
            "alert_title": symptom.name,
            "body": f"%%%\n{_summary(symptom)}\n\nThe monitor was last triggered at {rfc3339(one.at)}.\n%%%",
            "date": str(one.at),
            "last_updated": str(one.at),
            "org": {"id": "352347", "name": "example"},
            "alert_id": str(200_000 + symptom.number),
            "alert_scope": tags,
            "aggreg_key": _hash(symptom, 16),
            "alert_transition": transition,
            "alert_type": "error" if one.firing else "success",
            "alert_priority": _PRIORITIES[symptom.severity],
            "hostname": host,
            "tags": tags,
            "link": f"https://app.datadoghq.example/event/event?id={event}",
        }
    )


def cloudwatch(seen: Sequence[Sighting], now: Millis) -> bytes:
    """An alarm's change through SNS over HTTP; one alarm a body."""
    del now
    (one,) = seen
    symptom = one.symptom
    told = {key.upper(): symptom.labels[key] for key in ("service", "env") if key in symptom.labels}
    words = " ".join(f"{key}={value}" for key, value in {"SEVERITY": symptom.severity, **told}.items())
    where = symptom.labels.get("instance")
    stamp = rfc3339(one.at).replace("Z", "+0000")
    name = f"{symptom.name} {where or ''}".strip()
    old, new = ("OK", "ALARM") if one.firing else ("ALARM", "OK")
    alarm = {
        "AlarmName": name,
        "AlarmDescription": f"{_summary(symptom)} {words}",
        "AWSAccountId": ACCOUNT,
        "NewStateValue": new,
        "NewStateReason": f"{_summary(symptom)}: 3 datapoints were greater than or equal to the threshold (90.0).",
        "StateChangeTime": stamp,
        "Region": "EU (Ireland)",
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
        "OldStateValue": old,
        "Trigger": {
            "MetricName": "Errors",
            "Namespace": "Example/App",
            "StatisticType": "Statistic",
            "Statistic": "AVERAGE",
            "Dimensions": [{"name": "InstanceId", "value": where}] if where else [],
            "Period": 60,
            "EvaluationPeriods": 3,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 90.0,
        },
    }
    return orjson.dumps(
        {
            "Type": "Notification",
            "MessageId": _hash(symptom, 16),
            "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms",
            "Subject": f'{new}: "{name}" in EU (Ireland)',
            "Message": orjson.dumps(alarm).decode(),
            "Timestamp": rfc3339(one.at),
            "SignatureVersion": "1",
            "Signature": "ZXhhbXBsZQ==",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/example.pem",
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        }
    )


WRITERS: Final[dict[str, tuple[Callable[[Sequence[Sighting], Millis], bytes], int]]] = {
    "prometheus": (prometheus, 40),
    "alertmanager": (alertmanager, 12),
    "grafana": (grafana, 8),
    "datadog": (datadog, 1),
    "cloudwatch": (cloudwatch, 1),
}
"""How a vendor's body is written, and how many alerts it holds at most."""

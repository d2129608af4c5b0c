"""Google Cloud Monitoring: a webhook channel (payload 1.0 to 1.2), or a Pub/Sub push around the same.

The same alert is the same `incident.incident_id`: Google opens a new incident for the next episode. `open` fires,
`closed` resolves (any case); anything else is refused. `started_at` and `ended_at` are Unix seconds and the only
times there are, so they are `observed_at`: a closing is as late as its `ended_at`. Severity: the incident's (newer
payloads), a label `severity` of policy, metadata or resource, in this order. Source: "Notification channels:
webhooks, Pub/Sub" of Cloud Monitoring.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, scalar, text_at, texts_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.model.alert import Status

_STATES: Final = {"open": Status.FIRING, "closed": Status.RESOLVED}

_CONNECT = """
A notification channel of type *Webhook*, URL `https://any:TOKEN@stormfold.example.org/v1/sources/gcp_monitoring` with
*Use HTTP Basic Auth*; or a Pub/Sub channel and a push subscription:

```sh
gcloud beta monitoring channels create --display-name=stormfold --type=webhook_basicauth \\
  --channel-labels=url=https://stormfold.example.org/v1/sources/gcp_monitoring,username=any,password="$TOKEN"
gcloud pubsub subscriptions create stormfold --topic=alerts \\
  --push-endpoint=https://any:$TOKEN@stormfold.example.org/v1/sources/gcp_monitoring
```
"""


class GcpMonitoring(Adapter):
    """Same alert: `incident_id`. Source: Cloud Monitoring's notification channels."""

    name: ClassVar[str] = "gcp_monitoring"
    title: ClassVar[str] = "Google Cloud Monitoring (webhook, Pub/Sub push)"
    shape: ClassVar[tuple[str, ...]] = ("incident", "version")
    about: ClassVar[About] = About(
        identity="`incident.incident_id`",
        firing="`state` `open`",
        resolved="`state` `closed`",
        observed="`started_at`, of a closing `ended_at`; else arrival",
        severity="`severity` of the incident, else a label `severity` of policy, metadata or resource",
        proof="`token` (basic authentication)",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An incident with a state and what Google alone says of one, bare or pushed by Pub/Sub."""
        del headers
        incident = body.get("incident") if isinstance(body, dict) else None
        if not isinstance(incident, dict):
            incident = _pushed(body)
        if incident is None or not isinstance(incident.get("state"), str):
            return False
        return "started_at" in incident and any(
            name in incident for name in ("policy_name", "condition_name", "resource_type_display_name")
        )

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        incident = body.get("incident")
        if not isinstance(incident, dict):
            incident = _pushed(body)
        if incident is None:
            raise NotUnderstood(Reason.MISSING_FIELD, "incident is missing; it stands at the top, or in a Pub/Sub push")
        parsed = Parsed(Outcome.IGNORED)
        attempt(parsed, 0, partial(_incident, message, incident, parsed))
        return finish(parsed)


def _pushed(body: Any) -> dict[str, Any] | None:
    """The incident inside a push of Pub/Sub."""
    message = body.get("message") if isinstance(body, dict) else None
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, str):
        return None
    try:
        inner = decode(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError, NotUnderstood):
        return None
    incident = inner.get("incident") if isinstance(inner, dict) else None
    return incident if isinstance(incident, dict) else None


def _labels(holder: Any, name: str) -> dict[str, str]:
    return texts_at(holder, name, loose=True) if isinstance(holder, dict) else {}


def _threshold(incident: dict[str, Any], name: str) -> str:
    value = incident.get(name)
    return value if isinstance(value, str) else scalar(value) if isinstance(value, int | float) else ""


def _incident(message: Message, incident: dict[str, Any], parsed: Parsed) -> None:
    state = text_at(incident, "state", "incident.state")
    status = _STATES.get(state.lower())
    if status is None:
        raise NotUnderstood(
            Reason.WRONG_TYPE if state else Reason.MISSING_FIELD,
            f"incident.state must be open or closed, got {state[:40] or 'none'}",
        )
    starts = time_or_none(time_of(incident.get("started_at"), "started_at"), parsed)
    ends = time_or_none(time_of(incident.get("ended_at"), "ended_at"), parsed)
    resource = _labels(incident.get("resource"), "labels")
    metadata = _labels(incident.get("metadata"), "user_labels")
    system = _labels(incident.get("metadata"), "system_labels")
    policy = texts_at(incident, "policy_user_labels", loose=True)
    metric = incident.get("metric")
    labels = {
        **resource,
        **metadata,
        **policy,
        "resource": text_at(incident, "resource_name"),
        "policy": text_at(incident, "policy_name"),
        "condition": text_at(incident, "condition_name"),
        "project": text_at(incident, "scoping_project_id") or resource.get("project_id", ""),
        "metric": text_at(metric, "type", "metric.type") if isinstance(metric, dict) else "",
        "observed": _threshold(incident, "observed_value"),
    }
    severities = (policy.get("severity"), metadata.get("severity"), system.get("severity"), resource.get("severity"))
    word = text_at(incident, "severity", "incident.severity")
    if not word or word.lower() == "no severity":
        word = next((found for found in severities if found), "")
    documentation = incident.get("documentation")
    told = documentation if isinstance(documentation, dict) else {}
    add_alert(
        message,
        parsed,
        0,
        identity={"incident": text_at(incident, "incident_id", "incident.incident_id")},
        name=text_at(incident, "condition_name") or text_at(incident, "policy_name"),
        status=status,
        severity=severity_of(word, message.config, SEVERITIES, parsed),
        labels=labels,
        observed_at=ends if status is Status.RESOLVED else starts,
        service=labels.get("service") or None,
        summary=text_at(incident, "summary"),
        description=text_at(told, "content") or text_at(told, "subject"),
        links=[("incident", text_at(incident, "url"))],
        starts_at=starts,
        ends_at=ends,
    )

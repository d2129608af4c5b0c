"""Azure Monitor: the common alert schema, and the metric alerts before it (classic, `AzureMonitorMetricAlert`).

Common schema: the same alert is the same `essentials.alertId`, which names one fired instance, in Fired as in
Resolved; an activity-log alert has its rule's path there. Classic and metric 2.0: `context.id` (the rule) and
`context.resourceId`. Fired and Activated fire, Resolved and Deactivated resolve. Sev0 to Sev4 (or 0 to 4) are
critical to info. Times: `firedDateTime` and `resolvedDateTime`, or `context.timestamp`; every message has one of
its own, so they are `observed_at`. Service Health and Resource Health send every update as Fired with an alertId of
its own: they are the same by `trackingId`, and by the resource, and over where the context's stage or the health
says so. An administrative activity (somebody restarted a machine) is a change. Budget alerts and other activities are
never resolved: they stand until the source's `repeat_interval` makes them stale, or a person ends them. Source:
"Common alert schema" and "Payload samples" of Azure Monitor's documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, add_change, attempt, finish
from ingest.adapters.reading import as_list, as_object, decode, scalar, text_at, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.model.alert import Severity, Status
from kernel.model.change import ChangeOutcome

_COMMON: Final = "azureMonitorCommonAlertSchema"
_METRIC: Final = "AzureMonitorMetricAlert"
_STATES: Final = {
    "Fired": Status.FIRING,
    "Activated": Status.FIRING,
    "Resolved": Status.RESOLVED,
    "Deactivated": Status.RESOLVED,
}
_OVER: Final = frozenset(("resolved", "rca", "complete", "completed", "canceled", "cancelled"))
_HEALTH: Final = {
    "available": Status.RESOLVED,
    "unavailable": Status.FIRING,
    "degraded": Status.FIRING,
}
_PROSE: Final = ("communication", "defaultLanguageContent", "impactedServices", "impactedServicesTableRows")
"""Properties of Service Health that are pages of HTML, or JSON in text: no labels."""
_ADMINISTRATIVE: Final = "Activity Log - Administrative"
_OUTCOMES: Final = {
    "Started": ChangeOutcome.STARTED,
    "Accepted": ChangeOutcome.STARTED,
    "Succeeded": ChangeOutcome.SUCCEEDED,
    "Failed": ChangeOutcome.FAILED,
    "Canceled": ChangeOutcome.CANCELLED,
}
_LEVELS: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO)
_SEVERITIES: Final = {
    **SEVERITIES,
    **{f"sev{number}": severity for number, severity in enumerate(_LEVELS)},
    **{str(number): severity for number, severity in enumerate(_LEVELS)},
}

_CONNECT = """
An action group with a webhook, *Enable the common alert schema* on:

```sh
az monitor action-group create --resource-group ops --name stormfold \\
  --action webhook stormfold 'https://any:TOKEN@stormfold.example.org/v1/sources/azure_monitor' usecommonalertschema
```
"""


class AzureMonitor(Adapter):
    """Same alert: `alertId`; rule and resource of older schemas. Source: Azure Monitor's payload samples."""

    name: ClassVar[str] = "azure_monitor"
    title: ClassVar[str] = "Azure Monitor (common alert schema, metric alerts)"
    shape: ClassVar[tuple[str, ...]] = ("schemaId", "data", "status", "context")
    about: ClassVar[About] = About(
        identity="`alertId`; of metric alerts before the common schema rule and resource; of Service Health "
        "`trackingId`, of Resource Health the resource",
        firing="`Fired`, `Activated`. Changes: administrative activities",
        resolved="`Resolved`, `Deactivated`; a stage that is over, a resource `Available`",
        observed="`firedDateTime`, `resolvedDateTime`; `context.timestamp`",
        severity="Sev0 `critical`, Sev1 `high`, Sev2 `medium`, Sev3 `low`, Sev4 `info`",
        proof="`token` (basic authentication)",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """One of Azure's schemas by name, or a classic alert by its context."""
        del headers
        if not isinstance(body, dict):
            return False
        if body.get("schemaId") in (_COMMON, _METRIC):
            return True
        context, status = body.get("context"), body.get("status")
        return isinstance(status, str) and status in _STATES and isinstance(context, dict) and "resourceId" in context

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        if body.get("schemaId") == _COMMON:
            attempt(parsed, 0, partial(_common, message, as_object(body.get("data"), "data"), parsed, silent))
        elif body.get("schemaId") == _METRIC:
            data = as_object(body.get("data"), "data")
            attempt(parsed, 0, partial(_metric, message, data, parsed))
        elif "context" in body:
            attempt(parsed, 0, partial(_metric, message, body, parsed))
        elif "schemaId" in body:
            raise NotUnderstood(
                Reason.WRONG_TYPE,
                f"the schema {text_at(body, 'schemaId')[:80]} is not read; switch the common alert schema on in the "
                "action group",
            )
        else:
            raise NotUnderstood(Reason.MISSING_FIELD, "neither schemaId and data nor status and context is present")
        return finish(parsed, "; ".join(silent))


def _status(holder: dict[str, Any], field: str) -> Status:
    word = text_at(holder, field)
    if word not in _STATES:
        raise NotUnderstood(
            Reason.WRONG_TYPE if word else Reason.MISSING_FIELD,
            f"{field} must be one of {', '.join(_STATES)}, got {word[:40] or 'none'}",
        )
    return _STATES[word]


def _flat(found: Any) -> dict[str, str]:
    """The entries with one value each."""
    if not isinstance(found, dict):
        return {}
    kept = {name: value for name, value in found.items() if isinstance(value, str | bool | int | float)}
    return {name: value if isinstance(value, str) else scalar(value) for name, value in kept.items()}


def _where(target: str) -> dict[str, str]:
    """What a resource's path says: `/subscriptions/S/resourceGroups/G/providers/P/T/NAME`."""
    parts = target.split("/")
    found = {part.lower(): parts[place + 1] for place, part in enumerate(parts[:-1])}
    return {
        "subscription": found.get("subscriptions", ""),
        "resource_group": found.get("resourcegroups", ""),
        "resource": parts[-1] if len(parts) > 1 else "",
    }


def _health(essentials: dict[str, Any], context: dict[str, Any]) -> tuple[dict[str, str], Status | None] | None:
    """Identity and state of an update of Service Health or Resource Health, None of all other alerts.

    The state is None where the update says neither.
    """
    kind = text_at(essentials, "monitoringService").replace(" ", "").lower()
    said, targets = _flat(context.get("properties")), _texts(essentials, "alertTargetIDs")
    stages = {word.lower() for word in (text_at(context, "status"), said.get("stage", ""))}
    if kind == "servicehealth" and said.get("trackingId"):
        return {"trackingId": said["trackingId"]}, Status.RESOLVED if stages & _OVER else Status.FIRING
    if kind == "resourcehealth" and targets:
        health = said.get("currentHealthStatus", "").lower()
        state = _HEALTH.get(health) or (Status.RESOLVED if stages & _OVER else None)
        # Azure writes one resource's path in different cases.
        return {"resource_health": targets[0].lower()}, state
    return None


def _common(message: Message, data: dict[str, Any], parsed: Parsed, silent: list[str]) -> None:
    essentials = as_object(data.get("essentials"), "data.essentials")
    context = as_object(data.get("alertContext") or {}, "data.alertContext")
    if text_at(essentials, "monitoringService") == _ADMINISTRATIVE:
        _activity(message, essentials, context, parsed)
        return
    condition = _status(essentials, "monitorCondition")
    identity, status = _health(essentials, context) or ({"alertId": text_at(essentials, "alertId")}, condition)
    if status is None:
        silent.append("the health of the resource is neither available nor not, what is open stays open")
        return
    targets, items = _texts(essentials, "alertTargetIDs"), _texts(essentials, "configurationItems")
    fired = time_or_none(time_of(essentials.get("firedDateTime"), "firedDateTime"), parsed)
    resolved = time_or_none(time_of(essentials.get("resolvedDateTime"), "resolvedDateTime"), parsed)
    # A recovery that comes as a firing of its own (of the two healths) has the time of a firing.
    when = resolved if condition is Status.RESOLVED else fired
    own = {**_flat(context.get("properties")), **_flat(data.get("customProperties"))}
    own = {name: value for name, value in own.items() if name not in _PROSE}
    rule = text_at(essentials, "alertRule")
    add_alert(
        message,
        parsed,
        0,
        identity=identity,
        name=rule or text_at(essentials, "alertId").rpartition("/")[2],
        status=status,
        severity=severity_of(text_at(essentials, "severity"), message.config, _SEVERITIES, parsed),
        labels={
            **own,
            **_where(targets[0] if targets else ""),
            "item": ", ".join(items[:20]),
            "signal": text_at(essentials, "signalType"),
            "monitoring_service": text_at(essentials, "monitoringService"),
        },
        observed_at=when,
        service=own.get("service"),
        summary=_condition(context) or own.get("title", ""),
        description=text_at(essentials, "description"),
        links=[("alert", text_at(essentials, "investigationLink"))],
        starts_at=fired if status is condition else None,
        ends_at=when,
        valid_for=valid_for(message.config),
    )


def _texts(holder: dict[str, Any], field: str) -> list[str]:
    return [text for text in as_list(holder.get(field) or [], field) if isinstance(text, str)]


def _activity(message: Message, essentials: dict[str, Any], context: dict[str, Any], parsed: Parsed) -> None:
    """Somebody did something to a resource."""
    targets = _texts(essentials, "alertTargetIDs")
    place = _where(targets[0] if targets else "")
    operation = text_at(context, "operationName")
    add_change(
        message,
        parsed,
        0,
        identity={"event": text_at(context, "operationId") or text_at(context, "eventDataId")},
        what="activity",
        name=operation or text_at(essentials, "alertRule"),
        outcome=_OUTCOMES.get(text_at(context, "status"), ChangeOutcome.UNKNOWN),
        when=time_or_none(time_of(context.get("eventTimestamp"), "eventTimestamp"), parsed),
        service=place["resource"] or None,
        where=place["resource_group"] or None,
        who=text_at(context, "caller"),
        summary=text_at(essentials, "description"),
        labels={**place, "rule": text_at(essentials, "alertRule")},
    )


def _condition(context: dict[str, Any]) -> str:
    """The first criterion in words: `Percentage CPU GreaterThan 25, is 31.1`."""
    condition = context.get("condition")
    criteria = condition.get("allOf") if isinstance(condition, dict) else None
    first = criteria[0] if isinstance(criteria, list) and criteria else condition
    said = _flat(first)
    if not said.get("metricName"):
        return ""
    text = " ".join(said[name] for name in ("metricName", "operator", "threshold") if said.get(name))
    return f"{text}, is {said['metricValue']}" if said.get("metricValue") else text


def _metric(message: Message, data: dict[str, Any], parsed: Parsed) -> None:
    context = as_object(data.get("context"), "context")
    status = _status(data, "status")
    when = time_or_none(time_of(context.get("timestamp"), "context.timestamp"), parsed)
    own, target = _flat(data.get("properties")), text_at(context, "resourceId", "context.resourceId")
    word = context.get("severity")
    add_alert(
        message,
        parsed,
        0,
        identity={"rule": text_at(context, "id", "context.id"), "resource": target},
        name=text_at(context, "name", "context.name"),
        status=status,
        severity=severity_of(
            word if isinstance(word, str) else scalar(word) if isinstance(word, int) else "",
            message.config,
            _SEVERITIES,
            parsed,
        ),
        labels={
            **own,
            **_where(target),
            "resource_type": text_at(context, "resourceType"),
            "region": text_at(context, "resourceRegion"),
        },
        observed_at=when,
        service=own.get("service"),
        summary=_condition(context),
        description=text_at(context, "description"),
        links=[("portal", text_at(context, "portalLink"))],
        starts_at=when if status is Status.FIRING else None,
        ends_at=when,
        valid_for=valid_for(message.config),
    )

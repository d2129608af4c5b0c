"""New Relic: webhooks of workflows, whose body is a template, and of the older alert channels.

Identity: of a workflow `issueId` (`id` of the default template), which New Relic keeps from CREATED through ACTIVATED
to CLOSED; of the older channels `incident_id`. CREATED, ACTIVATED and `open` fire, CLOSED and `closed` resolve; an
acknowledgement neither opens nor closes; any other word is refused, because a template may write anything.

`observed_at` is `updatedAt`, else the time of the state itself (`createdAt` of CREATED, `activatedAt`, `closedAt`),
`timestamp` of the older channels; arrival where the template has none of these. `createdAt` alone is no clock: a closed
issue still has that of its opening. New Relic sends once a change, so there is no `valid_for`.

A placeholder without a value arrives as nothing, "null", "N/A" or as it is written: all mean absent. The name is the
condition's, if the issue is of one condition, else the title; titles change while an issue lives.
The service is the template's own field `service` or the tag of that name, else the one APM application or service among
the entities: New Relic tells by an entity's GUID, or by a target's type, what it is.
Source: "Message templates" (workflows) and "Customize your webhook payload" (older channels) of New Relic's
documentation.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, clamp, severity_of
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import as_object, decode, kind_of, scalar, time_of, time_or_none
from ingest.adapters.words import SEVERITIES
from kernel.clock import Millis
from kernel.model.alert import Severity, Status

_STATES: Final = {
    "open": Status.FIRING,
    "created": Status.FIRING,
    "activated": Status.FIRING,
    "closed": Status.RESOLVED,
}
_SILENT: Final = {
    "acknowledged": "somebody acknowledged it, which neither opens nor closes it",
    "deactivated": "New Relic has not heard of it for long, which says neither that it is open nor that it is over",
    "test": "a test of the channel",
}
_STATE_TIMES: Final = {"created": "createdAt", "activated": "activatedAt", "closed": "closedAt"}
_UNSET: Final = re.compile(r"\s*(?:null|N/A|\{\{.*\}\}|\$[A-Z_]+)?\s*", re.DOTALL)
_HOST: Final = "newrelic.com/"
_URLS: Final = ("issueUrl", "issuePageUrl", "incident_url", "incident_acknowledge_url")
_OF_ISSUE: Final = (
    "issueUrl",
    "issuePageUrl",
    "issueTitle",
    "alertPolicyNames",
    "alertConditionNames",
    "workflowName",
    "conditionName",
    "isCorrelated",
)
_OF_INCIDENT: Final = ("incident_id", "incident_url", "condition_name", "policy_name")
_SERVICE_ENTITIES: Final = ("APM|APPLICATION", "EXT|SERVICE")
_SERVICE_TARGETS: Final = ("application", "service")

_CONNECT: Final = """
*Alerts, Destinations, Add a destination, Webhook* with the address `http://stormfold:8080/v1/sources/newrelic` and
*Authorization: Bearer token*, the source's `token`. Then *Alerts, Workflows*: a workflow with this destination, *Send
notifications for: issue activated, priority changed, closed*, and the template that New Relic proposes. This one adds
the service, the runbook and the tags, by which rules group:

```handlebars
{
  "issueId": {{ json issueId }},
  "issueUrl": {{ json issuePageUrl }},
  "title": {{ json annotations.title.[0] }},
  "description": {{ json annotations.description.[0] }},
  "priority": {{ json priority }},
  "state": {{ json state }},
  "trigger": {{ json triggerEvent }},
  "createdAt": {{ createdAt }},
  "updatedAt": {{ updatedAt }},
  "service": {{ json accumulations.tag.service.[0] }},
  "impactedEntities": {{ json entitiesData.names }},
  "alertPolicyNames": {{ json accumulations.policyName }},
  "alertConditionNames": {{ json accumulations.conditionName }},
  "accumulations": { "tag": {{ json accumulations.tag }}, "runbookUrl": {{ json accumulations.runbookUrl }} },
  "workflowName": {{ json workflowName }}
}
```
"""


class NewRelic(Adapter):
    """Same alert: the issue's id, of older channels the incident's. Source: New Relic's message templates."""

    name: ClassVar[str] = "newrelic"
    title: ClassVar[str] = "New Relic (workflows, older alert channels)"
    shape: ClassVar[tuple[str, ...]] = ("id", "state", "priority", "title", "issueUrl", "alertConditionNames")
    about: ClassVar[About] = About(
        identity="workflows `issueId` or `id`; older channels `incident_id`",
        firing="CREATED, ACTIVATED, `open`",
        resolved="CLOSED, `closed`",
        observed="`updatedAt`, else the state's own time; older channels `timestamp`",
        severity="`priority` or `severity`: CRITICAL, HIGH, MEDIUM, LOW, WARNING medium, INFO",
        proof="`token`, or `header` with a custom header of the destination",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An address of New Relic, an older incident's fields, or an issue's beside its state."""
        del headers
        if not isinstance(body, dict):
            return False
        if any(_HOST in found for name in _URLS if isinstance(found := body.get(name), str)):
            return True
        if "current_state" in body:
            return any(name in body for name in _OF_INCIDENT)
        state = body.get("state")
        known = isinstance(state, str) and state.lower() in _STATES
        return known and ("id" in body or "issueId" in body) and any(name in body for name in _OF_ISSUE)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, notes = Parsed(Outcome.IGNORED), list[str]()
        attempt(parsed, 0, partial(_read, message, body, parsed, notes))
        return finish(parsed, "; ".join(notes))


def _read(message: Message, body: dict[str, Any], parsed: Parsed, notes: list[str]) -> None:
    older = "current_state" in body or ("state" not in body and "incident_id" in body)
    word = _text(body, "current_state" if older else "state")
    state = word.lower()
    if state in _SILENT:
        owner = _text(body, "owner")
        notes.append(f"{word}{f' ({owner[:80]})' if owner else ''}: {_SILENT[state]}")
        return
    status = _STATES.get(state)
    if status is None:
        names = "current_state must be open, acknowledged or closed" if older else "state must be one of an issue's"
        raise NotUnderstood(
            Reason.WRONG_TYPE if word else Reason.MISSING_FIELD,
            f"{names}, got {word[:40] or 'none'}; a workflow's template writes `{{{{ json state }}}}`",
        )
    _alert(message, body, status, state, older, parsed)


def _alert(message: Message, body: dict[str, Any], status: Status, state: str, older: bool, parsed: Parsed) -> None:
    issue = _text(body, "issueId") or _text(body, "id")
    identity = {"incident": _text(body, "incident_id")} if older else {"issue": issue}
    if not any(identity.values()):
        raise NotUnderstood(
            Reason.MISSING_IDENTITY,
            f"{'incident_id' if older else 'issueId (or id)'} is missing, by which to know the alert again",
        )
    title, conditions = _said(body, "title", "issueTitle"), _conditions(body)
    name = conditions[0] if len(conditions) == 1 else title or ", ".join(conditions)
    service, labels = _service(body), _labels(body)
    labels |= {"alertname": name, "condition": ", ".join(conditions), "service": service}
    when = _time(body, ("timestamp",) if older else ("updatedAt", _STATE_TIMES.get(state, "")), parsed)
    starts = _time(body, ("createdAt", "activatedAt"), parsed) or (when if older and state == "open" else None)
    ends = _time(body, ("closedAt",), parsed) or when
    add_alert(
        message,
        parsed,
        0,
        identity=identity,
        name=name or next(iter(identity.values())),
        status=status,
        severity=_severity(message, body, status, parsed),
        labels=labels,
        observed_at=when,
        service=service or None,
        summary=title if title != name else "",
        description=_said(body, "details", "description"),
        links=_links(body),
        starts_at=starts if starts is None else clamp(starts, message.arrival, parsed),
        ends_at=ends if ends is None else clamp(ends, message.arrival, parsed),
    )


def _severity(message: Message, body: dict[str, Any], status: Status, parsed: Parsed) -> Severity:
    word = _text(body, "priority") or _text(body, "severity")
    if not word and status is Status.RESOLVED:
        return Severity.MEDIUM  # of what is over nothing was left out
    return severity_of(word, message.config, SEVERITIES, parsed)


def _time(body: dict[str, Any], names: Iterable[str], parsed: Parsed) -> Millis | None:
    """The first of these times that has a value."""
    for name in names:
        value = body.get(name)
        if value is not None and not (isinstance(value, str) and _UNSET.fullmatch(value)):
            return time_or_none(time_of(value, name, digits=True), parsed)
    return None


# --- what is only shown, or told apart by


def _conditions(body: dict[str, Any]) -> list[str]:
    inner = _object(body.get("accumulations"))
    ways = [body.get(name) for name in ("alertConditionNames", "conditionName", "condition_name")]
    found = next((texts for way in (*ways, inner.get("conditionName")) if (texts := _texts(way))), [])
    return list(dict.fromkeys(found))


def _service(body: dict[str, Any]) -> str:
    """The service that the body names, or the one that its entities are; empty where that is none or several."""
    named = _said(body, "service", "appName")
    tags = _texts(_object(_object(body.get("accumulations")).get("tag")).get("service"))
    label = _said(_object(body.get("labels")), "service")
    if named or label or len(set(tags)) == 1:
        return named or label or tags[0]
    found = set(_service_entities(body))
    for target in _objects(body.get("targets")):
        if _said(target, "type").lower() in _SERVICE_TARGETS and _said(target, "name"):
            found.add(_said(target, "name"))
    return found.pop() if len(found) == 1 else ""


def _service_entities(body: dict[str, Any]) -> Iterable[str]:
    """Names of the entities whose GUID says that they are applications or services: account, domain, type, id."""
    names, guids = body.get("entityNames") or body.get("impactedEntities"), body.get("entityGuids")
    if not isinstance(names, list) or not isinstance(guids, list) or len(names) != len(guids):
        return
    for name, guid in zip(names, guids, strict=True):
        if not isinstance(name, str) or not isinstance(guid, str):
            continue
        try:
            told = base64.b64decode(f"{guid}{'=' * (-len(guid) % 4)}", validate=True).decode()
        except (binascii.Error, ValueError):
            continue
        if "|".join(told.split("|")[1:3]) in _SERVICE_ENTITIES:
            yield name


def _labels(body: dict[str, Any]) -> dict[str, str]:
    """Tags, labels of the targets and of the issue, and New Relic's own fields, the later over the earlier."""
    labels: dict[str, str] = {}
    for target in _objects(body.get("targets")):
        for key, value in _object(target.get("labels")).items():
            if isinstance(value, str):
                labels.setdefault(key, value)
    for key, value in _object(_object(body.get("accumulations")).get("tag")).items():
        labels[key] = ",".join(sorted(set(_texts(value))))
    for key, value in _object(body.get("labels")).items():
        labels[key] = ",".join(_texts(value))
    entities = _texts(body.get("impactedEntities")) or _texts(body.get("entityNames"))
    targets = [_said(target, "name") for target in _objects(body.get("targets"))]
    policies = _texts(body.get("alertPolicyNames")) or _texts(_object(body.get("accumulations")).get("policyName"))
    own = {
        "policy": ", ".join(policies) or _said(body, "policyName", "policy_name"),
        "account": _said(body, "account_name", "accountName") or _said(body, "account_id", "accountId"),
        "entity": ",".join(sorted(set(entities or targets) - {""})),
        "workflow": _said(body, "workflowName"),
    }
    return {**labels, **{key: value for key, value in own.items() if value}}


def _links(body: dict[str, Any]) -> list[tuple[str, str]]:
    inner = _object(body.get("accumulations"))
    runbooks = [_said(body, "runbook_url", "runbookUrl"), *_texts(inner.get("runbookUrl"))]
    return [
        ("issue", _said(body, "issueUrl", "issuePageUrl", "incident_url")),
        *(("runbook", runbook) for runbook in runbooks),
        *(("source", source) for source in _texts(inner.get("deepLinkUrl"))),
        ("chart", _said(body, "violation_chart_url")),
        ("policy", _said(body, "policy_url")),
        *(("target", _said(target, "link")) for target in _objects(body.get("targets"))),
    ]


def _text(body: dict[str, Any], name: str) -> str:
    """A text or number that decides something; empty where it is unset, refused where it is anything else."""
    value = body.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return "" if _UNSET.fullmatch(value) else value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{name} must be text or a number, got {kind_of(value)}")
    return scalar(value)


def _said(found: dict[str, Any], *names: str) -> str:
    """The first of these that has a value, as text; what is only shown costs no alert where it is odd."""
    return next((texts[0] for name in names if (texts := _texts(found.get(name)))), "")


def _texts(value: Any) -> list[str]:
    """The texts in a text or list of texts; small numbers are written out, what is unset or anything else is none."""
    values = value if isinstance(value, list) else [value]
    found = [str(item) if type(item) is int and item.bit_length() <= 64 else item for item in values]
    return [item.strip() for item in found if isinstance(item, str) and not _UNSET.fullmatch(item)]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
